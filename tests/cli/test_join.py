"""`framer join`, the inverse of `framer split`."""

import io
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framer import ANY_NEWLINE, LengthPrefix, Netstring, Terminator, VarintPrefix, encode_frame
from framer._cli import main, streams

FRAMINGS: list[tuple[list[str], Terminator]] = [
    ([], b"\n"),
    (["--delimiter", r"\r\n"], b"\r\n"),
    (["--delimiter", r"\0", "--delimiter", "ab"], (b"\0", b"ab")),
    (["--any-newline"], ANY_NEWLINE),
    (["--size", "5"], 5),
    (["--length-prefix", "u8"], LengthPrefix(1)),
    (["--length-prefix", "u24le-3"], LengthPrefix(3, "little", adjust=-3)),
    (["--length-prefix", "u64be+7"], LengthPrefix(8, adjust=7)),
    (["--varint"], VarintPrefix()),
    (["--netstring"], Netstring()),
]


@dataclass
class Ran:
    """What a run came to."""

    status: int
    out: bytes
    err: str


def run(*argv: str, stdin: bytes, chunk_size: int = 1 << 18) -> Ran:
    """Run the command in this process."""
    written = io.BytesIO()
    err = io.StringIO()
    with (
        patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin))),
        patch.object(sys, "stdout", io.TextIOWrapper(written)),
        patch.object(sys, "stderr", err),
        patch.object(streams, "CHUNK_SIZE", chunk_size),
    ):
        status = main(argv)
        return Ran(status, written.getvalue(), err.getvalue())


def framed(payload: bytes, terminator: Terminator) -> bytes:
    """Frame a payload, or one like it that can be framed."""
    if isinstance(terminator, int):
        payload = payload[:terminator].ljust(terminator, b"\xff")
    if terminator == LengthPrefix(8, adjust=7):
        payload += b"at least"
    try:
        return encode_frame(payload[:250], terminator)
    except ValueError:
        return encode_frame(payload.translate(None, b"\r\n\0a"), terminator)


@pytest.mark.parametrize(("words", "terminator"), FRAMINGS)
@given(
    form=st.sampled_from(["lines", "json", "hex"]),
    payloads=st.lists(st.binary() | st.text().map(str.encode)),
    sizes=st.tuples(st.integers(1, 30), st.integers(1, 30)),
)
def test_join_undoes_split(
    words: list[str],
    terminator: Terminator,
    form: str,
    payloads: list[bytes],
    sizes: tuple[int, int],
) -> None:
    """The very bytes come back, in every framing and form, whatever the size of the reads."""
    stream = b"".join(framed(payload, terminator) for payload in payloads)
    frames = run("split", *words, "--output", form, stdin=stream, chunk_size=sizes[0])
    assert (frames.status, frames.err) == (0, "")
    assert frames.out.count(b"\n") == len(payloads)
    joined = run("join", *words, "--input", form, stdin=frames.out, chunk_size=sizes[1])
    assert joined == Ran(0, stream, "")


def test_newlines_become_one_kind() -> None:
    """What cannot come back: which of three newlines it was."""
    lines = run("split", "--any-newline", stdin=b"a\rb\nc\r\n").out
    assert run("join", "--any-newline", stdin=lines).out == b"a\nb\nc\n"


def test_written_by_hand() -> None:
    """The last line needs no newline, and JSON no more than a text."""
    assert run("join", "--delimiter", r"\r\n", stdin=b"EHLO\nQUIT").out == b"EHLO\r\nQUIT\r\n"
    by_hand = b'\n{"text": "hi"}\n \n{"base64": "/w=="}'
    assert run("join", "--netstring", "--input", "json", stdin=by_hand).out == b"2:hi,1:\xff,"
    assert run("join", "--netstring", "--input", "hex", stdin=b"6869\n\n").out == b"2:hi,0:,"


def test_a_file(tmp_path: Path) -> None:
    """It reads files, too."""
    path = tmp_path / "lines"
    path.write_bytes(b"a\n")
    assert run("join", "--varint", str(path), stdin=b"").out == b"\1a"


@pytest.mark.parametrize(
    ("argv", "stdin", "wrong"),
    [
        (["--delimiter", r"\r\n"], rb"a\r\nb", "delimiter"),
        (["--size", "4"], b"five!", "5"),
        (["--length-prefix", "u8"], b"x" * 256, "256"),
        (["--varint"], rb"\q", r"\q means nothing"),
        (["--varint", "--input", "json"], b"{}", '"text"'),
        (["--varint", "--input", "hex"], b"xyz", "hexadecimal"),
    ],
)
def test_bad_lines(argv: list[str], stdin: bytes, wrong: str) -> None:
    """What was before is written; the message has the number of the line."""
    form = argv[-1] if "--input" in argv else "lines"
    good = {"lines": b"good\n", "json": b'{"text": "good"}\n', "hex": b"676f6f64\n"}[form]
    before = run("join", *argv, stdin=good)
    ran = run("join", *argv, stdin=good + stdin + b"\n" + good)
    assert (ran.status, ran.out) == (1, before.out)
    assert "standard input: line 2: " in ran.err
    assert wrong in ran.err
    assert "Correct the line" in ran.err


def test_framing_that_makes_no_sense() -> None:
    """That is wrong usage, and nothing is read."""
    ran = run("join", "--delimiter", "a", "--delimiter", "ab", stdin=b"x\n")
    assert (ran.status, ran.out) == (2, b"")
    assert "--delimiter" in ran.err
