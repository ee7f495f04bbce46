"""`framer explain`."""

import io
import re
import sys
import tracemalloc
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framer import EndOfStream
from framer._cli import main

DATA = Path(__file__).parents[2] / "docs" / "examples" / "data"
SMTP = DATA / "smtp.client.bin"


@dataclass
class Ran:
    """What a run came to."""

    status: int
    out: str
    err: str


class Terminal(io.TextIOWrapper):
    """A standard output that is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def explain(
    *argv: str,
    stdin: bytes = b"",
    terminal: bool = False,
    width: int = 80,
    environ: dict[str, str] | None = None,
) -> Ran:
    """Run the command in this process."""
    written = io.BytesIO()
    out = (Terminal if terminal else io.TextIOWrapper)(written, encoding="utf-8")
    err = io.StringIO()
    environ = {"COLUMNS": str(width), "TERM": "xterm", **(environ or {})}
    with (
        patch.dict("os.environ", environ, clear=True),
        patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin))),
        patch.object(sys, "stdout", out),
        patch.object(sys, "stderr", err),
    ):
        status = main(["explain", *argv])
        return Ran(status, written.getvalue().decode(), err.getvalue())


def body(ran: Ran) -> list[str]:
    """Give the lines below the header."""
    return ran.out.splitlines()[1:]


def test_lines() -> None:
    """Frame number, offset, bytes and text, a frame a row or more."""
    ran = explain("--delimiter", r"\r\n", stdin=b"EHLO me\r\nMAIL FROM:<me@example>\r\n")
    assert ran.out == (
        "   # offset  hex  [terminator]                                text\n"
        "   1      0  45 48 4c 4f 20 6d 65[0d 0a]                      EHLO me␍␊\n"
        "   2      9  4d 41 49 4c 20 46 52 4f 4d 3a 3c 6d 65 40 65 78  MAIL FROM:<me@ex\n"
        "         25  61 6d 70 6c 65 3e[0d 0a]                         ample>␍␊\n"
        "             2 whole frames in 33 bytes\n"
    )
    assert (ran.status, ran.err) == (0, "")


def test_prefixes() -> None:
    """A prefix has a row of its own and says what it means."""
    ran = explain("--length-prefix", "u32be", stdin=b"\0\0\0\5hello\0\0\0\0")
    assert body(ran) == [
        "   1      0 (00 00 00 05)                                     5 bytes",
        "          4  68 65 6c 6c 6f                                   hello",
        "   2      9 (00 00 00 00)                                     0 bytes",
        "             2 whole frames in 13 bytes",
    ]


@pytest.mark.parametrize(
    ("argv", "legend"),
    [
        (["--delimiter", "a", "--delimiter", "b"], "[terminator]"),
        (["--any-newline"], "[newline]"),
        (["--size", "1"], "hex "),
        (["--length-prefix", "u8"], "(prefix)"),
        (["--varint"], "(prefix)"),
        (["--netstring"], "(prefix) [footer]"),
    ],
)
def test_legend(argv: list[str], legend: str) -> None:
    """The header says what the brackets mean that this framing has."""
    assert legend in explain(*argv).out


def test_oversize_and_broken() -> None:
    """In words, at the frame; what was skipped is shown, too."""
    ran = explain("--max-frame-size", "4", stdin=b"abcdef\nok\nend")
    assert ran.status == 1
    assert body(ran) == [
        "   1      0  61 62 63 64                                      abcd",
        r"             the frame is too large: no \n after 4 bytes",
        "skip      4  65 66 0a                                         ef␊",
        "   2      7  6f 6b[0a]                                        ok␊",
        "   3     10  65 6e 64                                         end",
        r"             the stream ends inside a frame: 3 bytes and no \n",
        "             1 whole frame in 13 bytes",
    ]


def test_oversize_by_prefix() -> None:
    """The announcement is enough, and the number of the frame stands at the message."""
    ran = explain("--length-prefix", "u8", "--max-frame-size", "1", stdin=b"\2ab\1c")
    assert body(ran)[:2] == [
        "   1         the frame is too large: 2 bytes announced, the limit is 1",
        "skip      0  02 61 62                                         ␂ab",
    ]


def test_offset(tmp_path: Path) -> None:
    """From the middle on, offsets are those of the file, and so is where it breaks."""
    path = tmp_path / "stream"
    path.write_bytes(b"1:a,2:bc,x")
    ran = explain("--netstring", "--offset", "4", str(path))
    assert body(ran)[0].startswith("   1      4 (32 3a)")
    assert "byte 9 breaks the framing" in ran.out


def test_enough_frames(tmp_path: Path) -> None:
    """It says how to go on, and that works."""
    path = tmp_path / "stream"
    path.write_bytes(b"a\nb\nc\n")
    ran = explain("--frames", "2", str(path))
    assert len(body(ran)) == 4
    command = body(ran)[-1]
    assert command == f"framer explain --offset 4 {path}"
    assert "63[0a]" in explain(*command.split()[2:]).out


def test_pieces() -> None:
    """Which event came out at which piece."""
    ran = explain("--delimiter", r"\r\n", "--cuts", "5,8", stdin=b"EHLO me\r\nQUIT\r\n")
    assert body(ran) == [
        "piece 1: 5 bytes from 0",
        "          0  45 48 4c 4f 20                                   EHLO",
        "   1         → Data(b'EHLO ')",
        "piece 2: 3 bytes from 5",
        "          5  6d 65 0d                                         me␍",
        "   1         → Data(b'me')",
        r"             1 byte held back: could be the start of \r\n",
        "piece 3: 7 bytes from 8",
        "          8  0a 51 55 49 54 0d 0a                             ␊QUIT␍␊",
        r"   1         → TerminatorFound(b'\r\n')",
        "   2         → Data(b'QUIT')",
        r"   2         → TerminatorFound(b'\r\n')",
        "end of the stream",
        "             → EndOfStream()",
    ]


def test_pieces_of_a_prefix() -> None:
    """Half a prefix is held back; errors come where they come."""
    argv = ("--length-prefix", "u16be", "--max-frame-size", "4", "--cuts", "1,2")
    ran = explain(*argv, stdin=b"\0\1a\0\5abcde\0\2x")
    assert ran.status == 1
    assert "1 byte held back: a prefix that is not complete" in ran.out
    assert "   2         the frame is too large: 5 bytes announced" in ran.out
    assert ran.out.endswith("   3         the stream ends inside a frame: 1 of 2 bytes\n")


def test_pieces_from_an_offset_and_enough_of_them() -> None:
    """Cuts are offsets in the whole stream; it ends with the last frame asked for."""
    ran = explain("--offset", "2", "--cuts", "1,2,3", "--frames", "1", stdin=b"a\nb\nc\n")
    assert body(ran) == [
        "piece 1: 1 byte from 2",
        "          2  62                                               b",
        "   1         → Data(b'b')",
        "piece 2: 3 bytes from 3",
        "          3  0a 63 0a                                         ␊c␊",
        r"   1         → TerminatorFound(b'\n')",
        "             that was all of the first 1 frame",
    ]


def events(ran: Ran) -> list[str]:
    """Give the events of all pieces; neighbouring payload is joined."""
    found = re.findall(r"^ +(\d*) +→ (\w+)\((.*)\)$", ran.out, re.MULTILINE)
    assert found[-1][1] == EndOfStream.__name__
    joined = [found[0]]
    for before, event in pairwise(found):
        if before[:2] == event[:2] == (event[0], "Data"):
            data = joined[-1][2][2:-1] + event[2][2:-1]
            joined[-1] = (*event[:2], f"b'{data}'")
        else:
            joined.append(event)
    return [" ".join(event) for event in joined]


@given(data=st.binary(max_size=30), cuts=st.lists(st.integers(1, 60), min_size=1))
def test_cuts_do_not_matter(data: bytes, cuts: list[int]) -> None:
    """Whatever the cuts, the events are the same ones, joined."""
    data = data.hex().replace("0", "\n").encode() + b"\n"
    argv = ("--full", "--cuts", ",".join(map(str, cuts)))
    whole = explain("--cuts", "1000", "--full", stdin=data, width=200)
    assert events(explain(*argv, stdin=data, width=200)) == events(whole)


def test_colors() -> None:
    """On a terminal each kind has its own."""
    ran = explain("--netstring", stdin=b"2:ab,x", terminal=True)
    assert "\x1b[36m(32 3a)" in ran.out
    assert "\x1b[1;35m[2c]\x1b[0m" in ran.out
    assert re.sub(r"\x1b\[[0-9;]*m", "", ran.out) == explain("--netstring", stdin=b"2:ab,x").out


@pytest.mark.parametrize(
    ("argv", "terminal", "environ", "colored"),
    [
        ([], True, {}, True),
        ([], False, {}, False),
        ([], True, {"NO_COLOR": "1"}, False),
        ([], True, {"NO_COLOR": ""}, True),
        ([], True, {"TERM": "dumb"}, False),
        (["--color", "never"], True, {}, False),
        (["--color", "always"], False, {}, True),
        (["--color", "always"], False, {"NO_COLOR": "1"}, True),
    ],
)
def test_when_there_are_colors(
    argv: list[str], terminal: bool, environ: dict[str, str], colored: bool
) -> None:
    """On a terminal whose owner wants them, or where someone asked."""
    ran = explain(*argv, stdin=b"a\n", terminal=terminal, environ=environ)
    assert ("\x1b[" in ran.out) == colored


def test_without_rich() -> None:
    """Without the extra it is plain; to ask for colours says what to install."""
    with patch.dict(sys.modules, {"rich": None, "rich.console": None}):
        ran = explain(stdin=b"a\n", terminal=True)
        assert ran == explain(stdin=b"a\n")
        ran = explain("--color", "always", stdin=b"a\n")
    assert ran.status == 2
    assert "pip install 'sansio-framer[cli]'" in ran.err


@pytest.mark.parametrize("width", [20, 40, 80, 140, 300])
@pytest.mark.parametrize("terminal", [False, True])
def test_width(width: int, terminal: bool) -> None:
    """Nothing is wider than the terminal, down to 4 bytes a row; commands are never wrapped."""
    argv = ("--delimiter", r"\r\n", "--frames", "20", str(SMTP))
    ran = explain(*argv, width=width, terminal=terminal)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", ran.out).splitlines()
    assert max(map(len, lines[:-1])) <= max(width, 40)


def test_long_frames() -> None:
    """The middle is left out, unless someone wants it."""
    stream = b"x" * 5000 + b"\n"
    assert len(explain(stdin=stream).out.splitlines()) < 20
    assert "left out, --full shows them" in explain(stdin=stream).out
    assert len(explain("--full", stdin=stream).out.splitlines()) > 300


@pytest.mark.parametrize("argv", [[], ["--cuts", "5"]])
def test_memory(argv: list[str], tmp_path: Path) -> None:
    """64 MiB in one frame cost a few chunks."""
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    explain(*argv, str(path))  # what is imported only now is not counted
    tracemalloc.start()
    try:
        explain("--max-frame-size", "none", *argv, str(path))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 1024 * 1024
