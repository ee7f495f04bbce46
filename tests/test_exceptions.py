"""What framer raises: whose fault each error is, what it says, and that it survives a copy."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framer import _exceptions
from framer._exceptions import (
    FramerError,
    FrameTooLarge,
    FramingError,
    IncompleteFrame,
    MalformedFrame,
    UsageError,
    caused_by,
)

Copier: TypeAlias = Callable[[FramerError], FramerError]

TREE: dict[type[Exception], type[Exception]] = {
    FramerError: Exception,
    FramingError: FramerError,
    FrameTooLarge: FramingError,
    IncompleteFrame: FramingError,
    MalformedFrame: FramingError,
    UsageError: FramerError,
}

# Sizes and offsets, of which none is by chance a part of another.
NUMBERS = st.permutations([1111, 2222, 3333]).map(tuple)


def pickled(protocol: int) -> Copier:
    """Make a copier that goes through pickle."""
    return lambda error: pickle.loads(pickle.dumps(error, protocol))  # noqa: S301 - our own


COPIERS: dict[str, Copier] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle{n}": pickled(n) for n in range(pickle.HIGHEST_PROTOCOL + 1)},
}

COUNTS = st.integers(0, 2**64)

ERRORS: st.SearchStrategy[FramerError] = st.one_of(
    st.builds(FrameTooLarge, COUNTS, st.none() | COUNTS, COUNTS),
    st.builds(IncompleteFrame, st.binary(), COUNTS, st.none() | COUNTS, COUNTS),
    st.builds(MalformedFrame, st.text(), COUNTS, COUNTS),
    st.builds(UsageError, st.text()),
)


def test_tree() -> None:
    """The tree is that of the contract, and there is nothing else in the module."""
    assert {error.__name__ for error in TREE} == set(_exceptions.__all__)
    for error, base in TREE.items():
        assert error.__bases__[0] is base


def test_usage_errors_are_runtime_errors() -> None:
    """Misuse can be caught as RuntimeError; what a peer does wrong cannot."""
    assert issubclass(UsageError, RuntimeError)
    assert not issubclass(UsageError, FramingError)
    assert not issubclass(FramingError, (RuntimeError, ValueError, EOFError, OSError))


@given(ERRORS)
def test_attributes_are_what_was_given(error: FramerError) -> None:
    """Each argument is an attribute, in the order of ``args``, and there are no others."""
    if isinstance(error, FramingError):
        assert tuple(vars(error).values()) == error.args


@pytest.mark.parametrize("copier", COPIERS.values(), ids=COPIERS)
@given(error=ERRORS)
def test_copies(copier: Copier, error: FramerError) -> None:
    """A copied or pickled error is the same one: type, arguments, attributes and message."""
    again = copier(error)
    assert again is not error
    assert type(again) is type(error)
    assert again.args == error.args
    assert vars(again) == vars(error)
    assert str(again) == str(error)


def test_copies_keep_notes() -> None:
    """What was added to an error goes with its copy."""
    error = MalformedFrame("no", 1, 0)
    error.add_note("from 192.0.2.1")
    assert copy.copy(error).__notes__ == ["from 192.0.2.1"]


@given(NUMBERS)
def test_numbers_in_messages(numbers: tuple[int, int, int]) -> None:
    """Every number in a message is an attribute, and every number among them is in it."""
    first, second, third = numbers
    errors = [
        FrameTooLarge(first, second, third),
        FrameTooLarge(first, None, third),
        IncompleteFrame(b"4444", first, second, third),
        IncompleteFrame(b"4444", first, None, third),
        MalformedFrame("no", first, second),
    ]
    for error in errors:
        said = {int(number) for number in re.findall(r"\d+", str(error))}
        assert said == {value for value in vars(error).values() if isinstance(value, int)}


TOO_LARGE = "more than max_frame_size=10 bytes of payload; "
SKIP = "skip_frame() drops it and carries on with the next"
INSIDE = "the stream ended inside the frame at offset 7, after "
TOO_EARLY = "the peer closed too early, or the terminator is not the one it uses"
CLOSE = "close the connection, there is no telling where the next frame starts"

MESSAGES: dict[str, FramerError] = {
    f"the frame at offset 3 has {TOO_LARGE}{SKIP}": FrameTooLarge(10, None, 3),
    f"the frame at offset 3 announces 4000 bytes, {TOO_LARGE}{SKIP}": FrameTooLarge(10, 4000, 3),
    f"{INSIDE}3 bytes of payload and before the frame's end; {TOO_EARLY}": (
        IncompleteFrame(b"abc", 3, None, 7)
    ),
    f"{INSIDE}3 of 5 bytes of payload and before the frame's end; {TOO_EARLY}": (
        IncompleteFrame(b"abc", 3, 5, 7)
    ),
    f"a leading zero, at offset 9 in the frame that starts at offset 8; {CLOSE}": (
        MalformedFrame("a leading zero", 9, 8)
    ),
    "call receive_eof() first": UsageError("call receive_eof() first"),
}


@pytest.mark.parametrize("message", MESSAGES)
def test_messages(message: str) -> None:
    """A message says what happened, where, and what to do about it."""
    assert str(MESSAGES[message]) == message


@pytest.mark.parametrize(
    ("length", "words"),
    [
        ((1 << 64) - 1, "18446744073709551615"),
        (1 << 64, "2**64 or more"),
        (10**5000, "2**64 or more"),  # which Python refuses to write out
    ],
    ids=["64 bits", "65 bits", "5000 digits"],
)
def test_lengths_beyond_words(length: int, words: str) -> None:
    """A length that no machine can have is not written out, so a message cannot be huge."""
    assert f" announces {words} bytes, " in str(FrameTooLarge(10, length, 3))
    assert f" of {words} bytes of payload " in str(IncompleteFrame(b"", 0, length, 3))


@pytest.mark.parametrize(
    ("error", "brief"),
    [
        (FrameTooLarge(10, None, 3), "FrameTooLarge(10, None, 3)"),
        (FrameTooLarge(10, 10**5000, 3), "FrameTooLarge(10, 2**64 or more, 3)"),
        (IncompleteFrame(bytes(65536), 65536, 10**6, 0), "<65536 bytes>, 65536, 1000000, 0)"),
        (MalformedFrame("no digit", 5, 3), "MalformedFrame('no digit', 5, 3)"),
    ],
    ids=["no number", "no machine has", "partial", "words"],
)
def test_repr_is_short(error: FramerError, brief: str) -> None:
    """In a log an error says how much of the peer's bytes it has, and not which."""
    assert repr(error).endswith(brief)


def test_message_follows_the_attributes() -> None:
    """A message is made when it is asked for, so it cannot disagree with the attributes."""
    error = FrameTooLarge(10, None, 3)
    error.frame_start = 99
    assert "offset 99" in str(error)


@pytest.mark.parametrize("cause", [ValueError("why"), None])
def test_caused_by(cause: ValueError | None) -> None:
    """An error looks as ``raise error from cause`` leaves it: also to what prints tracebacks."""
    plain, error = KeyError("plain"), KeyError("what")
    with pytest.raises(KeyError):
        raise plain from cause
    assert caused_by(cause, error) is error
    assert error.__cause__ is plain.__cause__ is cause
    assert error.__suppress_context__ is plain.__suppress_context__ is True
