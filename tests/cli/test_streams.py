"""Input and output."""

import io
import os
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from framer._cli.failures import USAGE, CommandError
from framer._cli.streams import CHUNK_SIZE, hush, open_source, output


def test_a_file(tmp_path: Path) -> None:
    """A file has a size, and comes in chunks."""
    path = tmp_path / "stream"
    path.write_bytes(b"x" * (CHUNK_SIZE + 1))
    with open_source(str(path)) as source:
        assert source.name == str(path)
        assert source.size == CHUNK_SIZE + 1
        assert [len(chunk) for chunk in source.chunks()] == [CHUNK_SIZE, 1]


def test_skip(tmp_path: Path) -> None:
    """To skip goes over chunks, and past the end it is harmless."""
    path = tmp_path / "stream"
    path.write_bytes(b"x" * CHUNK_SIZE + b"abc")
    with open_source(str(path)) as source:
        source.skip(CHUNK_SIZE + 1)
        assert list(source.chunks()) == [b"bc"]
        source.skip(1)


def test_a_pipe_gives_what_it_has() -> None:
    """Nobody waits for a chunk to fill, and nobody knows the size."""
    reader, writer = os.pipe()
    with (
        os.fdopen(reader) as stdin,
        os.fdopen(writer, "wb", buffering=0) as peer,
        patch.object(sys, "stdin", stdin),
        open_source("-") as source,
    ):
        chunks = source.chunks()
        for message in (b"one", b"two"):
            peer.write(message)
            assert next(chunks) == message
        assert source.size is None
        assert source.name == "standard input"


def test_a_device_has_no_size() -> None:
    """What fstat says of a device is not how much there is to read."""
    with open_source(os.devnull) as source:
        assert source.size is None
        assert list(source.chunks()) == []


@pytest.mark.parametrize("name", ["missing", ""])
def test_a_file_that_cannot_be_opened(name: str, tmp_path: Path) -> None:
    """That is wrong usage; the message names the file and what to do."""
    path = str(tmp_path / name)
    with pytest.raises(CommandError, match="Name a file") as failed, open_source(path):
        pass
    assert failed.value.status == USAGE
    assert path in failed.value.message


def test_standard_output() -> None:
    """Frames are bytes, and go past the text layer."""
    with patch.object(sys, "stdout", io.TextIOWrapper(io.BytesIO())) as text:
        assert output() is text.buffer


def test_closed_standard_streams() -> None:
    """Started with `<&-` or `>&-`, Python has none."""
    with patch.object(sys, "stdin", None), pytest.raises(CommandError, match="no standard input"):
        open_source("-").__enter__()
    with patch.object(sys, "stdout", None), pytest.raises(CommandError, match="standard output"):
        output()


def test_hush() -> None:
    """What is left in the buffer goes nowhere, and does not complain."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed, patch.object(sys, "stdout", closed):
        closed.write("nobody reads this")
        hush()


def test_hush_without_a_file() -> None:
    """Where standard output is no file there is nothing to do."""
    with patch.object(sys, "stdout", io.StringIO()):
        hush()
