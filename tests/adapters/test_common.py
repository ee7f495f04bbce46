"""What all adapters share: addresses, half a stream, how a channel ends, what is logged."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import Any

import pytest

from framer import Channel, Framer, FrameTooLarge, IncompleteFrame, TlsRequest
from framer_adapters._common import (
    FramedBase,
    certificate_name,
    check_channel,
    check_framing,
    check_tls,
    end_channel,
    log_error,
    server_side,
    unix_path,
)

LOGGER = "framer_adapters"


class WorldError(Exception):
    pass


def test_settings_of_a_stream() -> None:
    """They are those of its framer, in both directions."""
    stream = FramedBase(b"\r\n", 10)
    assert (stream.terminator, stream.max_frame_size) == (b"\r\n", 10)
    stream.terminator = 4
    stream.max_frame_size = None
    assert (stream.framer.terminator, stream.framer.max_frame_size) == (4, None)
    assert not stream.output


@pytest.mark.parametrize(
    ("host", "port", "path"),
    [
        ("example.org", 25, None),
        (None, 0, None),
        ("/run/socket", None, "/run/socket"),
        (Path("/run/socket"), None, "/run/socket"),
    ],
)
def test_unix_path(host: Any, port: Any, path: str | None) -> None:
    """A host with a port is none; a str or a Path alone is one."""
    assert unix_path(host, port) == path


@pytest.mark.parametrize(
    ("host", "port"),
    [
        (None, None),
        (Path("/run/socket"), 25),
        ("/run/socket", b"\r\n"),
        ("example.org", "25"),
        ("example.org", True),
        (b"example.net", 25),
    ],
)
def test_unix_path_of_what_is_no_address(host: Any, port: Any) -> None:
    """A terminator in the place of the port, say: the error tells what belongs there."""
    with pytest.raises(TypeError, match="give a host and a port number, or the path"):
        unix_path(host, port)


@pytest.mark.parametrize(
    ("protocol", "asked", "side"),
    [
        (ssl.PROTOCOL_TLS_SERVER, None, True),
        (ssl.PROTOCOL_TLS_CLIENT, None, False),
        (ssl.PROTOCOL_TLS_SERVER, False, False),
        (ssl.PROTOCOL_TLS_CLIENT, True, True),
    ],
)
def test_server_side(protocol: Any, asked: bool | None, side: bool) -> None:
    """A context knows what it is for; what is asked for goes before it."""
    request = TlsRequest(Framer(), ssl.SSLContext(protocol), server_side=asked)
    assert server_side(request) is side


def test_server_side_of_another_context() -> None:
    """What does not know what it is for is a client's."""
    assert server_side(TlsRequest(Framer(), object())) is False


def test_certificate_name() -> None:
    """The one that was asked for, else that of the host; a server checks none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asked = TlsRequest(Framer(), context, server_hostname="a.example")
    assert certificate_name(asked, "b.example") == "a.example"
    assert certificate_name(TlsRequest(Framer(), context), "b.example") == "b.example"
    of_a_server = TlsRequest(Framer(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    assert certificate_name(of_a_server, "b.example") is None


def test_certificate_name_that_is_not_known() -> None:
    """To check no name where one was to be checked would be to trust anybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ValueError, match="needs a server_hostname"):
        certificate_name(TlsRequest(Framer(), context), None)
    context.check_hostname = False
    assert certificate_name(TlsRequest(Framer(), context), None) is None


def test_what_is_no_channel() -> None:
    """The class in place of a channel is an easy slip."""
    check_channel(Lines())
    with pytest.raises(TypeError, match="make one of it"):
        check_channel(Lines)


def test_what_is_no_tls() -> None:
    """Nothing or a context; ``ssl=True``, which asyncio takes, would be a guess."""
    check_tls(None)
    check_tls(ssl.create_default_context())
    with pytest.raises(TypeError, match="tls=True: give an ssl"):
        check_tls(tls=True)


def test_what_is_no_terminator_and_no_limit() -> None:
    """It is said before a connection is made."""
    check_framing(b"\n", None)
    with pytest.raises(ValueError, match="at least one byte"):
        check_framing(b"", 100)
    with pytest.raises(ValueError, match="max_frame_size"):
        check_framing(b"\n", -1)


def errors(caplog: pytest.LogCaptureFixture) -> list[tuple[int, bool]]:
    """Return level and whether there is a traceback, of all that was logged."""
    assert {record.name for record in caplog.records} <= {LOGGER}
    return [(record.levelno, record.exc_info is not None) for record in caplog.records]


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(104, "reset"),
        BrokenPipeError(),
        TimeoutError(),
        EOFError(),
        ssl.SSLError(1, "bad certificate"),
        FrameTooLarge(1, None, 0),
        WorldError(),
        ExceptionGroup("of a nursery", [WorldError(), TimeoutError()]),
    ],
)
def test_faults_of_the_peer_are_a_line(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """They happen all day: no traceback, no alarm."""
    with caplog.at_level(logging.INFO, LOGGER):
        log_error(error, (WorldError,))
    assert errors(caplog) == [(logging.INFO, False)]


def test_what_the_line_says(caplog: pytest.LogCaptureFixture) -> None:
    """What happened, of a group each part; of what the peer has sent nothing, nor in the record."""
    secret = b"password=1234 " * 1000
    incomplete = IncompleteFrame(secret, len(secret), None, 7)
    with caplog.at_level(logging.INFO, LOGGER):
        log_error(incomplete)
        log_error(ExceptionGroup("of a nursery", [incomplete, TimeoutError()]))
        log_error(ConnectionResetError(104, "reset"))
    one, group, other = caplog.messages
    assert one == f"connection lost: IncompleteFrame: {incomplete}"
    assert group == f"connection lost: IncompleteFrame: {incomplete}; TimeoutError"
    assert other == "connection lost: ConnectionResetError: [Errno 104] reset"
    assert "offset 7" in one
    assert "password" not in repr([record.args for record in caplog.records])


@pytest.mark.parametrize(
    "error",
    [
        KeyError("boom"),
        FileNotFoundError(),
        WorldError(),
        ExceptionGroup("of a nursery", [TimeoutError(), KeyError()]),
    ],
)
def test_faults_of_the_program_have_a_traceback(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody else will tell."""
    with caplog.at_level(logging.INFO, LOGGER):
        log_error(error)
    assert errors(caplog) == [(logging.ERROR, True)]


class Lines(Channel):
    """A channel that takes note of its end."""

    lost: tuple[Exception | None, ...] = ()

    def frame_received(self, frame: bytes) -> None:
        """Fail."""
        raise KeyError(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note."""
        self.lost += (exc,)


def test_end_of_a_channel(caplog: pytest.LogCaptureFixture) -> None:
    """It hears of it once; a proper end is not worth a line."""
    channel = Lines()
    with caplog.at_level(logging.INFO, LOGGER):
        end_channel(channel, None)
        end_channel(channel, None)
    assert channel.lost == (None,)
    assert not caplog.records


def test_end_of_a_channel_by_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """The error is handed to the channel, and is logged."""
    channel, error = Lines(), WorldError()
    with caplog.at_level(logging.INFO, LOGGER):
        end_channel(channel, error, (WorldError,))
    assert channel.lost == (error,)
    assert errors(caplog) == [(logging.INFO, False)]


def test_end_of_a_channel_by_its_hook(caplog: pytest.LogCaptureFixture) -> None:
    """The hook's error is known to the channel, and has still to be logged."""
    channel = Lines()
    channel.receive_data(b"x\n")
    with caplog.at_level(logging.INFO, LOGGER):
        end_channel(channel, None)
    assert channel.lost == (channel.hook_error,)
    assert errors(caplog) == [(logging.ERROR, True)]


def test_end_of_a_channel_that_cannot_end(caplog: pytest.LogCaptureFixture) -> None:
    """What its last hook raises is logged, and takes no other connection with it."""

    class Failing(Lines):
        def connection_lost(self, exc: Exception | None) -> None:
            raise KeyError("boom")

    with caplog.at_level(logging.INFO, LOGGER):
        end_channel(Failing(), FrameTooLarge(1, None, 0))
    assert errors(caplog) == [(logging.ERROR, True)]


def test_end_of_a_channel_by_an_interrupt(caplog: pytest.LogCaptureFixture) -> None:
    """A KeyboardInterrupt goes its own way, and is no fault to log."""

    class Interrupted(Lines):
        def frame_received(self, frame: bytes) -> None:
            raise KeyboardInterrupt

    channel = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        channel.receive_data(b"x\n")
    with caplog.at_level(logging.INFO, LOGGER):
        end_channel(channel, None)
    assert not caplog.records
