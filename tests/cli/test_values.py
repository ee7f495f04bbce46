"""What arguments stand for, and what is said where they stand for nothing."""

from argparse import ArgumentTypeError
from collections.abc import Callable

import pytest

from framer import ANY_NEWLINE, LengthPrefix, Netstring, Terminator, VarintPrefix
from framer._cli import values


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\r\n", b"\r\n"),
        (r"\0", b"\0"),
        (r"\x1e", b"\x1e"),
        (r"\\", b"\\"),
        ("\t", b"\t"),
        ("€", "€".encode()),
    ],
)
def test_delimiter(text: str, value: bytes) -> None:
    """Escapes are bytes, and everything else is itself."""
    assert values.delimiter(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("1500", 1500), ("64K", 65536), ("1m", 1 << 20), ("2GiB", 2 << 30), ("3kb", 3072)],
)
def test_size(text: str, value: int) -> None:
    """Suffixes are powers of 1024, in capitals or not."""
    assert values.size(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("u8", LengthPrefix(1)),
        ("u16", LengthPrefix(2)),
        ("u16le", LengthPrefix(2, "little")),
        ("u24be", LengthPrefix(3)),
        ("U32BE", LengthPrefix(4)),
        ("u64le-8", LengthPrefix(8, "little", adjust=-8)),
        ("u32be+2", LengthPrefix(4, adjust=2)),
    ],
)
def test_length_prefix(text: str, value: LengthPrefix) -> None:
    """Network order is meant where none is named."""
    assert values.length_prefix(text) == value


def test_limit() -> None:
    """A limit may be none."""
    assert values.limit("none") is None
    assert values.limit("1K") == 1024


def test_cuts() -> None:
    """Cuts come in order, each once."""
    assert values.cuts("9,5,5") == [5, 9]


def test_counts() -> None:
    """A number of frames, or of bytes in a frame, is 1 at least."""
    assert values.count("12") == 12
    assert values.positive_size("1K") == 1024


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (values.delimiter, ""),
        (values.delimiter, r"\q"),
        (values.size, "-1"),
        (values.size, "1T"),
        (values.size, "none"),
        (values.positive_size, "0"),
        (values.limit, "lots"),
        (values.length_prefix, "32"),
        (values.length_prefix, "u0"),
        (values.length_prefix, "u12be"),
        (values.length_prefix, "u72be"),
        (values.length_prefix, "u32xe"),
        (values.cuts, ""),
        (values.cuts, "5,x"),
        (values.cuts, "0,5"),
        (values.count, "0"),
        (values.count, "-1"),
        (values.count, "²"),
    ],
)
def test_refused(read: Callable[[str], object], text: str) -> None:
    """What makes no sense is refused with a message."""
    with pytest.raises(ArgumentTypeError) as refused:
        read(text)
    assert len(str(refused.value)) > 10


@pytest.mark.parametrize(
    ("terminator", "words"),
    [
        (b"\r\n", ["--delimiter", r"\r\n"]),
        ((b"\0", b"ab"), ["--delimiter", r"\x00", "--delimiter", "ab"]),
        (ANY_NEWLINE, ["--any-newline"]),
        (5, ["--size", "5"]),
        (LengthPrefix(4), ["--length-prefix", "u32be"]),
        (LengthPrefix(2, "little", adjust=-2), ["--length-prefix", "u16le-2"]),
        (LengthPrefix(1, adjust=7), ["--length-prefix", "u8be+7"]),
        (VarintPrefix(), ["--varint"]),
        (Netstring(), ["--netstring"]),
    ],
)
def test_words_for(terminator: Terminator, words: list[str]) -> None:
    """And back: what to type for a terminator."""
    assert values.words_for(terminator) == words
