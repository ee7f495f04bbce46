"""A descriptor that passes for a socket."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from framer_adapters._asyncore_files import file_wrapper


def test_it_is_a_copy() -> None:
    """The original may be closed; reading and writing go on, and so does the end."""
    ours, theirs = os.pipe()
    reader, writer = file_wrapper(ours), file_wrapper(theirs)
    os.close(ours)
    os.close(theirs)
    assert reader.fileno() == reader.fd >= 0
    assert writer.send(b"spam") == writer.write(b"eggs") == 4
    assert reader.recv(4) + reader.read(10) == b"spameggs"
    writer.close()
    assert reader.read(1) == b""
    reader.close()


def test_close(tmp_path: Path) -> None:
    """Once is enough, twice is harmless, and then it has no number."""
    with (tmp_path / "file").open("wb") as file:
        wrapper = file_wrapper(file.fileno())
        wrapper.close()
        wrapper.close()
        assert wrapper.fileno() == -1
        with pytest.raises(OSError, match="descriptor"):
            wrapper.write(b"x")


def test_forgotten(tmp_path: Path) -> None:
    """It says so, and closes the copy."""
    with (tmp_path / "file").open("wb") as file:
        wrapper = file_wrapper(file.fileno())
        fd = wrapper.fileno()
        with pytest.warns(ResourceWarning, match="unclosed file <.*file_wrapper"):
            del wrapper
        with pytest.raises(OSError, match="descriptor"):
            os.fstat(fd)


def test_one_that_cannot_be_made() -> None:
    """The error is that of the descriptor; nothing is left behind to complain later."""
    ours, theirs = os.pipe()
    os.close(ours)
    os.close(theirs)
    with pytest.raises(OSError, match="descriptor"):
        file_wrapper(theirs)


def test_socket_options(tmp_path: Path) -> None:
    """There is no error, and nothing else to ask."""
    with (tmp_path / "file").open("wb") as file:
        wrapper = file_wrapper(file.fileno())
        assert wrapper.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        for question in ((socket.SOL_SOCKET, socket.SO_TYPE), (socket.SOL_SOCKET, 4, 8)):
            with pytest.raises(NotImplementedError, match="no socket options"):
                wrapper.getsockopt(*question)
        wrapper.close()
