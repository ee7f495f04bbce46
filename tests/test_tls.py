"""The change to TLS, as far as it goes without I/O: nothing of the plain text gets across."""

from __future__ import annotations

from typing import Any

import pytest

from framer._exceptions import UsageError
from framer._framer import Framer
from framer._output import OutputQueue
from framer._producers import PENDING
from framer._tls import TlsRequest

CONTEXT = object()


def framer_with(rest: bytes) -> Framer:
    """Have a framer from which the frame that asks for TLS was taken, and the rest was not."""
    framer = Framer(b"\r\n")
    framer.receive_data(b"STARTTLS\r\n" + rest)
    assert framer.next_frame() == b"STARTTLS"
    return framer


def test_attributes() -> None:
    """What is asked for can be read."""
    request = TlsRequest(framer_with(b""), CONTEXT, server_side=True, server_hostname="a.example")
    assert request.context is CONTEXT
    assert request.server_side is True
    assert request.server_hostname == "a.example"
    assert not request.ready


def test_by_default_the_adapter_knows() -> None:
    """Side and name are left to the adapter."""
    request = TlsRequest(framer_with(b""), CONTEXT)
    assert request.server_side is None
    assert request.server_hostname is None


@pytest.mark.parametrize("rest", [b"R", b"RCPT TO:<evil>\r\n", b"\r", b"\r\n"])
def test_leftover_is_refused(rest: bytes) -> None:
    """A single byte of plain text is one too many, and it stays where it is (CVE-2011-0411)."""
    framer = framer_with(rest)
    with pytest.raises(UsageError, match=rf"with {len(rest)} bytes of plain text left"):
        TlsRequest(framer, CONTEXT)
    assert framer.take_buffered() == rest


def test_leftover_is_discarded() -> None:
    """On demand it is dropped, so that it cannot be taken for what came encrypted."""
    framer = framer_with(b"RCPT TO:<evil>\r\n")
    TlsRequest(framer, CONTEXT, leftover="discard")
    assert framer.buffered == 0


def test_leftover_has_two_words() -> None:
    """A third is a mistake, which must not pass for permission."""
    framer = framer_with(b"x")
    word: Any = "ignore"
    with pytest.raises(ValueError, match="leftover='ignore' is neither"):
        TlsRequest(framer, CONTEXT, leftover=word)
    assert framer.buffered == 1


def test_it_stands_between_plain_and_encrypted() -> None:
    """In a queue it lets out what is before it, says so, and keeps back what is behind it."""
    out = OutputQueue()
    request = TlsRequest(framer_with(b""), CONTEXT)
    out.push(b"220 ready\r\n")
    out.push_producer(request)
    out.push(b"secret")
    assert out.data_to_send() == b"220 ready\r\n"
    assert not request.ready
    assert out.data_to_send() == b""
    assert request.ready
    out.wake()
    assert out.data_to_send() == b""
    request.finish()
    out.wake()
    assert out.data_to_send() == b"secret"
    assert not out


def test_it_is_a_producer() -> None:
    """It has nothing yet, and then it has ended."""
    request = TlsRequest(framer_with(b""), CONTEXT)
    assert request.more() is PENDING
    request.finish()
    assert request.more() == b""
