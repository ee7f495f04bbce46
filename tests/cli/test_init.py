"""The command as a whole: how it begins and ends, and real processes."""

import contextlib
import errno
import io
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from unittest.mock import patch

import pytest

from framer import _cli
from framer._cli import main
from framer._cli.failures import CLOSED_PIPE, INTERRUPTED

FRAMER = (sys.executable, "-m", "framer")
COMMANDS = ("split", "join", "explain")
TIMEOUT = 60


class Broken(io.StringIO):
    """A standard output that cannot be written to."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    @property
    def buffer(self) -> io.BytesIO:
        """Take bytes as well."""
        return io.BytesIO()

    def flush(self) -> None:
        """Fail."""
        raise self.error


def ended(error: BaseException) -> tuple[int, str]:
    """Give the exit status and message of a command that ends in an error."""

    def fail(options: object) -> int:
        raise error

    with (
        patch.dict(_cli._COMMANDS, split=fail),
        patch.object(sys, "stdout", io.StringIO()),
        patch.object(sys, "stderr", io.StringIO()) as err,
    ):
        return main(["split"]), err.getvalue()


def test_how_it_ends() -> None:
    """Ctrl-C and a closed pipe are quiet; an error of the system is a line."""
    assert ended(KeyboardInterrupt()) == (INTERRUPTED, "")
    assert ended(BrokenPipeError()) == (CLOSED_PIPE, "")
    status, message = ended(OSError(errno.EIO, "Input/output error"))
    assert (status, message) == (1, "framer: [Errno 5] Input/output error\n")


def test_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    """An empty stream has no frames, and that is no failure."""
    assert main(["split", os.devnull]) == 0
    assert capsys.readouterr() == ("", "")


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Argparse ends the program."""
    with pytest.raises(SystemExit) as leaving:
        main([])
    assert leaving.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [["split", os.devnull], ["--help"]])
def test_a_pipe_that_closes_at_the_end(argv: list[str]) -> None:
    """What is written last is written while someone can be told."""
    with patch.object(sys, "stdout", Broken(BrokenPipeError())):
        assert main(argv) == CLOSED_PIPE


def test_a_disk_that_is_full() -> None:
    """It is said once."""
    full = Broken(OSError(errno.ENOSPC, "No space left on device"))
    with (
        patch.object(sys, "stdout", full),
        patch.object(sys, "stderr", io.StringIO()) as err,
    ):
        assert main(["explain", os.devnull]) == 1
    assert err.getvalue() == "framer: [Errno 28] No space left on device\n"


def test_a_framing_that_breaks(capsys: pytest.CaptureFixture[str]) -> None:
    """What was written before comes out before the message."""
    with patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\nb"))):
        assert main(["split"]) == 1
    written = capsys.readouterr()
    assert written.out == "a\n"
    assert written.err.startswith("framer: standard input: frame 2, which starts at byte 2: ")


def test_without_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """It says so."""
    with patch.object(sys, "stdout", None):
        assert main(["split", os.devnull]) == 1
    assert "no standard output" in capsys.readouterr().err


# Real processes


def finish(process: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    """Wait for a process, and give its exit status and what it still wrote."""
    with process:
        out, err = process.communicate(timeout=TIMEOUT)
    return process.returncode, out, err


def start(*argv: str) -> subprocess.Popen[bytes]:
    """Start the command with pipes on all sides."""
    pipe = subprocess.PIPE
    return subprocess.Popen([*FRAMER, *argv], stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0)


def say(process: subprocess.Popen[bytes], data: bytes) -> None:
    """Write to a process."""
    assert process.stdin is not None
    process.stdin.write(data)


def hear(process: subprocess.Popen[bytes], size: int) -> bytes:
    """Read what a process has written, once there is something."""
    assert process.stdout is not None
    return process.stdout.read(size)


def test_frames_come_out_as_they_come_in() -> None:
    """In lock-step: each frame is out before the next one is in."""
    process = start("split", "--delimiter", r"\r\n")
    for line in (b"EHLO", b"", b"QUIT"):
        say(process, line + b"\r\n")
        assert hear(process, 100) == line + b"\n"
    assert finish(process) == (0, b"", b"")


def test_a_pipeline_gives_back_the_bytes() -> None:
    """Split | join, as a shell would run it."""
    stream = bytes(range(256)) * 40 + b"\r\n"
    joined, split = start("join", "--delimiter", r"\n"), start("split", "--delimiter", r"\n")
    with split:
        frames, _ = split.communicate(stream + b"\n", timeout=TIMEOUT)
    with joined:
        assert joined.communicate(frames, timeout=TIMEOUT) == (stream + b"\n", b"")


@pytest.mark.parametrize("command", COMMANDS)
def test_ctrl_c(command: str) -> None:
    """It ends with the status that shells know, and says nothing."""
    process = start(command)
    say(process, b"line\n")
    assert hear(process, 1000)
    process.send_signal(signal.SIGINT)
    status, _, err = finish(process)
    assert (status, err) == (INTERRUPTED, b"")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_has_gone(command: str) -> None:
    """`| head` ends the command without a word, also about what it could not write."""
    process = start(command)
    assert process.stdout is not None
    process.stdout.close()
    with contextlib.suppress(BrokenPipeError):
        for _ in range(100):
            say(process, b"line\n" * 1000)
    process.stdout = None
    status, _, err = finish(process)
    assert (status, err) == (CLOSED_PIPE, b"")


@contextlib.contextmanager
def terminal() -> Generator[tuple[int, int]]:
    """Open a terminal, and give the side of the person and the side of the program."""
    ours, theirs = pty.openpty()
    try:
        yield ours, theirs
    finally:
        os.close(ours)
        with contextlib.suppress(OSError):
            os.close(theirs)


def read_all(descriptor: int) -> bytes:
    """Read from a terminal until nobody writes to it any more."""
    data = b""
    with contextlib.suppress(OSError):  # Linux says EIO at the end
        while chunk := os.read(descriptor, 65536):
            data += chunk
    return data


@pytest.mark.parametrize(("no_color", "colored"), [("", True), ("1", False)])
def test_colors_on_a_terminal(no_color: str, colored: bool) -> None:
    """A real one."""
    environ = {**os.environ, "TERM": "xterm", "NO_COLOR": no_color}
    with terminal() as (ours, theirs):
        argv = [*FRAMER, "explain", "--netstring", "-"]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=theirs, env=environ)
        os.close(theirs)
        with process:
            process.communicate(b"2:hi,", timeout=TIMEOUT)
        shown = read_all(ours)
    assert b"whole frame" in shown
    assert (b"\x1b[" in shown) == colored
    assert process.returncode == 0


def test_progress_on_a_terminal(tmp_path: Path) -> None:
    """A bar for a large file, however long its path is; the frames are not touched by it."""
    folder = tmp_path / ("deep" * 30)
    folder.mkdir()
    path = folder / ("large" * 20)
    path.write_bytes(b"a line of a log file\n" * 2_000_000)
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    argv = [*FRAMER, "split", "--output", "count", str(path)]
    with terminal() as (ours, theirs):
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=theirs, env=environ)
        os.close(theirs)
        shown = read_all(ours)
        status, out, _ = finish(process)
    assert (status, out) == (0, b"2000000 frames 40000000 bytes\n")
    assert b"%" in shown
    assert b"MiB" in shown


def test_to_import_framer_is_not_to_import_the_command() -> None:
    """Nor argparse, nor rich."""
    code = "import sys, framer; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = ran.stdout.split()
    assert not [name for name in loaded if "_cli" in name or name in {"argparse", "rich"}]
