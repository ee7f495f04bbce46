"""Errors in words."""

import pytest

from framer import (
    ANY_NEWLINE,
    FrameTooLarge,
    FramingError,
    IncompleteFrame,
    LengthPrefix,
    MalformedFrame,
    Netstring,
    Terminator,
)
from framer._cli.failures import CommandError, number_of, what_is_wrong


@pytest.mark.parametrize(
    ("error", "terminator", "words"),
    [
        (FrameTooLarge(64, None, 0), b"\r\n", r"no \r\n after 64 bytes"),
        (FrameTooLarge(64, None, 0), (b"\r", b"\n"), r"no \r or \n after 64 bytes"),
        (FrameTooLarge(64, None, 0), ANY_NEWLINE, "no line break after 64 bytes"),
        (FrameTooLarge(64, 5000, 0), LengthPrefix(4), "5,000 bytes announced, the limit is 64"),
        (IncompleteFrame(b"", 1, None, 0), b"\n", r"1 byte and no \n"),
        (IncompleteFrame(b"", 2, None, 0), ANY_NEWLINE, "2 bytes and no line break"),
        (IncompleteFrame(b"", 3, 5, 0), LengthPrefix(4), "3 of 5 bytes"),
        (IncompleteFrame(b"", 5, 5, 0), Netstring(), "only its last byte is missing"),
        (IncompleteFrame(b"", 0, None, 0), LengthPrefix(4), "inside the prefix of a frame"),
        (MalformedFrame("a sign", 7, 5), Netstring(), "byte 107 breaks the framing: a sign"),
    ],
)
def test_what_is_wrong(error: FramingError, terminator: Terminator, words: str) -> None:
    """Each error says what there is and what there should be."""
    assert words in what_is_wrong(error, terminator, 100)


def test_an_error_of_another_kind() -> None:
    """It says what it says itself."""
    assert what_is_wrong(FramingError("something"), b"\n") == "something"


def test_message_and_advice() -> None:
    """What to do next stands on its own line, if there is anything."""
    assert str(CommandError("it broke", "Repair it.")) == "framer: it broke\nRepair it."
    assert str(CommandError("it broke")) == "framer: it broke"


def test_number_of() -> None:
    """One byte, two bytes."""
    assert [number_of(count, "byte") for count in (0, 1, 2048)] == [
        "0 bytes",
        "1 byte",
        "2,048 bytes",
    ]
