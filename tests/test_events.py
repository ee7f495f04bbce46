"""The events: values, compared by contents, that a ``match`` can take apart completely."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, fields
from typing import assert_never, assert_type, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framer._events import Data, EndOfStream, Event, TerminatorFound, length_found

EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Data, st.binary(max_size=3)),
    st.builds(TerminatorFound, st.binary(max_size=3) | st.integers(0, 3)),
    st.builds(EndOfStream),
)


def contents(event: Event) -> tuple[str, object]:
    """Take an event apart, in a match that the type checkers see to be complete."""
    match event:
        case Data(chunk):
            assert_type(chunk, bytes)
            return "data", chunk
        case TerminatorFound(matched):
            assert_type(matched, bytes | int)
            return "found", matched
        case EndOfStream():
            return "end", None
        case _:
            assert_never(event)


def test_match_by_position_and_by_name() -> None:
    """A match binds what an event holds, by position and by name."""
    assert contents(Data(b"ab")) == ("data", b"ab")
    assert contents(TerminatorFound(b"\r\n")) == ("found", b"\r\n")
    assert contents(TerminatorFound(10)) == ("found", 10)
    assert contents(EndOfStream()) == ("end", None)
    match TerminatorFound(b"\n"):
        case TerminatorFound(matched=b"\n"):
            pass
        case _:
            pytest.fail("the name of the attribute is matched")


def test_union() -> None:
    """`Event` is the three of them and nothing else."""
    assert get_args(Event) == (Data, TerminatorFound, EndOfStream)


@given(EVENTS, EVENTS)
def test_equal_by_contents(one: Event, other: Event) -> None:
    """Two events are equal when kind and contents are, and equal ones have one hash."""
    assert (one == other) is (contents(one) == contents(other))
    assert (one != other) is (contents(one) != contents(other))
    if one == other:
        assert hash(one) == hash(other)


@given(st.binary())
def test_not_equal_to_their_contents(data: bytes) -> None:
    """An event is not the bytes in it, nor a tuple of them, nor an event of another kind."""
    different: list[object] = [data, (data,), (), Data(data), TerminatorFound(data), EndOfStream()]
    for event in different[3:]:
        assert [other for other in different if other == event] == [event]


@given(EVENTS)
def test_immutable(event: Event) -> None:
    """No attribute can be set or deleted, and there is no place for another."""
    for field in fields(event):
        with pytest.raises(FrozenInstanceError):
            setattr(event, field.name, b"else")
        with pytest.raises(FrozenInstanceError):
            delattr(event, field.name)
    assert not hasattr(event, "__dict__")
    with pytest.raises((AttributeError, TypeError)):
        setattr(event, "other", 1)  # noqa: B010 - the type checkers know that it is wrong


@given(EVENTS)
def test_repr_reads_back(event: Event) -> None:
    """The repr is the expression that makes the event."""
    names = {"Data": Data, "TerminatorFound": TerminatorFound, "EndOfStream": EndOfStream}
    assert eval(repr(event), names) == event  # noqa: S307 - our own repr


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (Data(b"ab"), "Data(chunk=b'ab')"),
        (TerminatorFound(b"\r\n"), r"TerminatorFound(matched=b'\r\n')"),
        (TerminatorFound(5), "TerminatorFound(matched=5)"),
        (EndOfStream(), "EndOfStream()"),
    ],
)
def test_repr(event: Event, said: str) -> None:
    """The repr names what is in it."""
    assert repr(event) == said


@given(EVENTS)
def test_copies(event: Event) -> None:
    """Copied and pickled, an event is still equal."""
    assert copy.copy(event) == event
    assert copy.deepcopy(event) == event
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(event, protocol)) == event  # noqa: S301 - our own


def test_data_takes_its_chunk_by_name() -> None:
    """The hand-written ``__init__`` has the signature of a generated one."""
    assert Data(chunk=b"a") == Data(b"a")
    with pytest.raises(TypeError):
        Data()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError):
        Data(b"a", b"b")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


@given(st.integers(0, 1 << 64))
def test_length_found(length: int) -> None:
    """A shared one is as good as one of one's own."""
    assert length_found(length) == TerminatorFound(length)
    assert length_found(length) is length_found(length)
