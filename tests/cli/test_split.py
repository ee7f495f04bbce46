"""`framer split`."""

import io
import json
import os
import re
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest

from framer._cli import main, streams
from framer._cli.split import BATCH


@dataclass
class Ran:
    """What a run came to."""

    status: int
    out: str
    err: str


def run(*argv: str, stdin: bytes = b"", chunk_size: int = 1 << 18) -> Ran:
    """Run the command in this process."""
    written = io.BytesIO()
    out = io.TextIOWrapper(written, encoding="utf-8")
    err = io.StringIO()
    with (
        patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin))),
        patch.object(sys, "stdout", out),
        patch.object(sys, "stderr", err),
        patch.object(streams, "CHUNK_SIZE", chunk_size),
    ):
        status = main(argv)
    return Ran(status, written.getvalue().decode("utf-8", "surrogateescape"), err.getvalue())


def split(*argv: str, stdin: bytes = b"", chunk_size: int = 1 << 18) -> Ran:
    """Run `framer split`."""
    return run("split", *argv, stdin=stdin, chunk_size=chunk_size)


STREAM = b"one\r\n\r\ngr\xc3\xbc\xc3\x9fe\r\n\xff\\\r\n"


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("raw", "onegrüße\udcff\\"),
        ("lines", "one\n\ngrüße\n\\xff\\\\\n"),
        ("hex", "6f6e65\n\n6772c3bcc39f65\nff5c\n"),
        ("count", "4 frames 12 bytes\n"),
        (
            "json",
            (
                '{"frame": 1, "offset": 0, "size": 3, "text": "one"}\n'
                '{"frame": 2, "offset": 5, "size": 0, "text": ""}\n'
                '{"frame": 3, "offset": 7, "size": 7, "text": "grüße"}\n'
                '{"frame": 4, "offset": 16, "size": 2, "base64": "/1w="}\n'
            ),
        ),
    ],
)
@pytest.mark.parametrize("chunk_size", [1, 3, 1 << 18])
def test_outputs(output: str, expected: str, chunk_size: int) -> None:
    """Each output, whatever the size of the reads."""
    ran = split("--delimiter", r"\r\n", "--output", output, stdin=STREAM, chunk_size=chunk_size)
    assert ran == Ran(0, expected, "")


@pytest.mark.parametrize(
    ("framing", "stream"),
    [
        (["--delimiter", r"\n"], b"one\ntwo\n"),
        (["--delimiter", ";", "--delimiter", r"\n"], b"one\ntwo;"),
        (["--any-newline"], b"one\rtwo\r\n"),
        (["--size", "3"], b"onetwo"),
        (["--length-prefix", "u8"], b"\3one\3two"),
        (["--length-prefix", "u16le+1"], b"\2\0one\2\0two"),
        (["--varint"], b"\3one\x83\0two"),
        (["--netstring"], b"3:one,3:two,"),
    ],
)
def test_framings(framing: list[str], stream: bytes) -> None:
    """Each framing."""
    assert split(*framing, stdin=stream) == Ran(0, "one\ntwo\n", "")


@pytest.mark.parametrize(
    ("framing", "stream", "start", "wrong"),
    [
        (["--max-frame-size", "4"], b"ok\nabcdefgh\n", 3, r"no \n after 4 bytes"),
        (["--netstring"], b"2:ok,02:no,", 5, "byte 6 breaks"),
        (["--length-prefix", "u8"], b"\2ok\5hel", 3, "3 of 5 bytes"),
        (["--delimiter", r"\r\n"], b"ok\r\nend\r", 4, r"4 bytes and no \r\n"),
    ],
)
@pytest.mark.parametrize("output", ["lines", "json", "count", "raw", "hex"])
def test_where_the_framing_breaks(
    framing: list[str], stream: bytes, start: int, wrong: str, output: str
) -> None:
    """The frames before are written; the message has the offset and says what to do next."""
    ran = split(*framing, "--output", output, stdin=stream)
    assert ran.status == 1
    assert f"frame 2, which starts at byte {start}" in ran.err
    assert wrong in ran.err
    assert "See it with: framer explain" in ran.err
    before = split("--output", output, stdin=b"ok\n").out
    assert ran.out == before.replace('"offset": 0', f'"offset": {stream.find(b"ok")}')


@pytest.mark.parametrize("chunk_size", [1, 2, 1 << 18])
def test_skip_oversize(chunk_size: int) -> None:
    """Oversize frames are left out, and counted; numbers and offsets are those of the stream."""
    argv = ("--max-frame-size", "4", "--skip-oversize", "--output", "json")
    ran = split(*argv, stdin=b"a\nlonger\nlonger\nend\n", chunk_size=chunk_size)
    assert ran.status == 0
    assert [(f["frame"], f["offset"]) for f in map(json.loads, ran.out.splitlines())] == [
        (1, 0),
        (4, 16),
    ]
    assert ran.err == "framer: skipped 2 frames that had too many bytes\n"


def test_skip_and_then_the_end() -> None:
    """A stream that ends inside a frame that is being skipped is broken at that frame."""
    ran = split("--max-frame-size", "4", "--skip-oversize", stdin=b"a\nlonger")
    assert (ran.status, ran.out) == (1, "a\n")
    assert "skipped 1 frame " in ran.err
    assert "frame 2, which starts at byte 2" in ran.err


def test_more_frames_than_a_batch() -> None:
    """A chunk full of empty frames is written in several goes."""
    count = 2 * BATCH + 1
    assert split("--output", "count", stdin=b"\n" * count).out == f"{count} frames 0 bytes\n"
    assert split("--output", "lines", stdin=b"\n" * count).out == "\n" * count
    lines = split("--output", "json", stdin=b"\n" * count).out.splitlines()
    assert json.loads(lines[-1]) == {"frame": count, "offset": count - 1, "size": 0, "text": ""}


def test_each_frame_is_out_before_the_next_read() -> None:
    """On a pipe nobody waits for a frame that is there."""
    reader, writer = os.pipe()
    seen: list[bytes] = []

    def first_read(size: int) -> bytes:
        return b"hello\nwor"

    def second_read(size: int) -> bytes:
        seen.append(os.read(reader, size))
        return b""

    def read(size: int) -> bytes:
        return next(reads)(size)

    reads: Iterator[Callable[[int], bytes]] = iter([first_read, second_read])
    with (
        os.fdopen(writer, "w") as stdout,
        patch.object(sys, "stdout", stdout),
        patch.object(streams, "_standard_input", lambda: streams.Source("-", read, None)),
    ):
        main(["split"])
    os.close(reader)
    assert seen == [b"hello\n"]


def peak_of(argv: list[str]) -> int:
    """Run a command, and give the most memory that it had at once."""
    tracemalloc.start()
    try:
        with patch.object(sys, "stderr", io.StringIO()):
            assert main(argv) == 0
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("output", ["lines", "json", "hex", "raw", "count"])
@pytest.mark.parametrize("line", [b"", b"forty bytes of a line in a log file, so."])
def test_memory(output: str, line: bytes, tmp_path: Path) -> None:
    """A large file costs a chunk, not its size, empty frames included."""
    path = tmp_path / "large"
    # To trace memory takes time for every object, of which JSON makes the most.
    count = 50_000 if output == "json" else 2 * 1024 * 1024 // (len(line) + 1)
    path.write_bytes((line + b"\n") * count)
    with Path(os.devnull).open("w") as null, patch.object(sys, "stdout", null):
        peak = peak_of(["split", "--output", output, str(path)])
    assert peak < 3 * 1024 * 1024


def test_memory_of_a_sparse_file(tmp_path: Path) -> None:
    """64 MiB in one frame too large are skipped within a few chunks."""
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
        file.seek(0, os.SEEK_END)
        file.write(b"\nend\n")
    with Path(os.devnull).open("w") as null, patch.object(sys, "stdout", null):
        peak = peak_of(["split", "--max-frame-size", "64K", "--skip-oversize", str(path)])
    assert peak < 3 * 1024 * 1024


def test_the_command_in_the_message_works(tmp_path: Path) -> None:
    """What the message says to type shows the frame that broke."""
    path = tmp_path / "broken"
    path.write_bytes(b"2:ok,2:ok,2;no,")
    failed = split("--netstring", str(path))
    command = re.search("See it with: framer (.*)", failed.err)
    assert command is not None
    shown = run(*command[1].split())
    assert shown.status == 1
    assert "byte 11 breaks the framing" in shown.out
