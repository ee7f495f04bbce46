"""What all adapters share, and none of it waits: figures, addresses, the log, half a stream.

::

    framer          what a stream or a channel is, without I/O
      ▲
    _common         the same in every world, and nothing waits                 (this file)
      ▲
    _conversation   what to do next with a channel: send, read, TLS, rest, close
    _sockets        how to listen, connect and send over plain sockets; sendfile
    _stream         what a `FramedStream` is wherever there is ``await``
      ▲
    blocking        over _waits, and _threads for its server
    selectors       over _connection, _outgoing, _endpoints and _loop
    asyncio         over _stream_protocol, _channel_protocol, _protocol and _handshakes,
                    and _asyncio_server
    trio, anyio     over _task_stream, _task_conversation and _task_world

A module of a world imports what is above it, and no other world.
"""

from __future__ import annotations

import logging
import os
import ssl
from typing import Final, TypeAlias, cast

from framer import Channel, Framer, FramingError, OutputQueue, Terminator, TlsRequest

__all__ = [
    "CLOSE_TIMEOUT",
    "IDLE_TIMEOUT",
    "LINGER",
    "RECEIVE_SIZE",
    "FramedBase",
    "Host",
    "certificate_name",
    "check_channel",
    "check_framing",
    "check_tls",
    "end_channel",
    "log_error",
    "server_side",
    "unix_path",
]

RECEIVE_SIZE: Final = 65536
"""How many bytes to ask for in one read."""

IDLE_TIMEOUT: Final = 300.0
"""For how many seconds a server waits for a peer that neither sends nor takes anything."""

CLOSE_TIMEOUT: Final = 5.0
"""How many seconds closing may take to send what is left."""

LINGER: Final = 1.0
"""How many seconds to read on, and drop what comes, after the last word of a channel.

To close a socket that has unread input is to reset the connection,
and a reset takes from the peer what it has not read yet, the last word included.
So the adapter sends its end of the stream, and gives the peer a while to send its own.
"""

Host: TypeAlias = str | os.PathLike[str] | None
"""A host, or with no port the path of a Unix socket; for a server, None is all of the machine."""

_log = logging.getLogger("framer_adapters")

_PEER_ERRORS: Final[tuple[type[Exception], ...]] = (
    ConnectionError,
    TimeoutError,
    EOFError,
    FramingError,
    ssl.SSLError,
)


class FramedBase:
    """What is in every `FramedStream`: the framer and the queue, and no I/O.

    Attributes:
        framer: the `Framer` of what comes in.
        output: the `OutputQueue` of what goes out. What is pushed here goes with the next send.
    """

    framer: Framer
    output: OutputQueue

    def __init__(self, terminator: Terminator, max_frame_size: int | None) -> None:
        self.framer = Framer(terminator, max_frame_size=max_frame_size)
        self.output = OutputQueue()

    @property
    def terminator(self) -> Terminator:
        """What ends a frame; to be set at any time, and the very next byte obeys."""
        return self.framer.terminator

    @terminator.setter
    def terminator(self, terminator: Terminator) -> None:
        self.framer.terminator = terminator

    @property
    def max_frame_size(self) -> int | None:
        """The most bytes of payload in a frame; None for no limit. It may be set."""
        return self.framer.max_frame_size

    @max_frame_size.setter
    def max_frame_size(self, max_frame_size: int | None) -> None:
        self.framer.max_frame_size = max_frame_size


def unix_path(host: Host, port: int | None) -> str | None:
    """Return the path of a Unix socket, or None if it is a host and a port that are given.

    Raises:
        TypeError: neither a host and a port, nor a path alone.
    """
    if isinstance(port, int) and not isinstance(port, bool) and isinstance(host, str | None):
        return None
    if port is None and isinstance(host, str | os.PathLike):
        return os.fspath(host)
    raise TypeError(
        f"host={host!r}, port={port!r}: give a host and a port number, "
        "or the path of a Unix socket alone, and a terminator by name"
    )


def check_framing(terminator: Terminator, max_frame_size: int | None) -> None:
    """Refuse a terminator or a limit before any connection is made.

    Raises:
        TypeError, ValueError: it is not what `framer.Framer` takes.
    """
    Framer(terminator, max_frame_size=max_frame_size)


def check_channel(channel: object) -> None:
    """Refuse what is no channel; its class, say, which is what servers take.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(channel, Channel):
        raise TypeError(f"{channel!r} is no Channel; if it is a class, make one of it")


def check_tls(tls: object) -> None:
    """Refuse what is no context where one is given, before any connection is made.

    Raises:
        TypeError: it is neither an ``ssl.SSLContext`` nor None.
    """
    if not isinstance(tls, ssl.SSLContext | None):
        raise TypeError(
            f"tls={tls!r}: give an ssl.SSLContext, such as ssl.create_default_context()"
        )


def server_side(request: TlsRequest) -> bool:
    """Tell which side of the handshake to take: as asked for, or what the context is made for."""
    if request.server_side is not None:
        return request.server_side
    return getattr(request.context, "protocol", None) is ssl.PROTOCOL_TLS_SERVER


def certificate_name(request: TlsRequest, host: str | None) -> str | None:
    """Return the name that the certificate of the peer has to bear: asked for, or connected to.

    Raises:
        ValueError: the context wants to check it, and there is none. ``ssl.SSLObject``,
            which most worlds use, would take the certificate of anybody then.
    """
    if server_side(request):
        return None
    name = request.server_hostname or host
    if name is None and getattr(request.context, "check_hostname", False):
        raise ValueError("start_tls() needs a server_hostname, for the context checks it")
    return name


def log_error(error: BaseException, peer_errors: tuple[type[Exception], ...] = ()) -> None:
    """Log why a connection ended, for nobody else hears of it.

    What the peer or the network did is one line of information; the rest is a fault of
    the program, and has its traceback. `peer_errors` is what a world adds to the former.
    That line has the error's message and not its arguments, which may be all that the peer sent.
    """
    if _is_of_the_peer(error, (*_PEER_ERRORS, *peer_errors)):
        _log.info("connection lost: %s", _describe(error))
    else:
        _log.error("a connection is closed after an error", exc_info=error)


def _is_of_the_peer(error: BaseException, kinds: tuple[type[Exception], ...]) -> bool:
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return all(_is_of_the_peer(part, kinds) for part in group.exceptions)
    return isinstance(error, kinds)


def _describe(error: BaseException) -> str:
    """Name an error and say its message; of `IncompleteFrame` the repr has up to a whole frame."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return "; ".join(map(_describe, group.exceptions))
    name, message = type(error).__name__, str(error)
    return f"{name}: {message}" if message else name


def end_channel(
    channel: Channel, error: Exception | None, peer_errors: tuple[type[Exception], ...] = ()
) -> None:
    """Tell the channel that its connection is gone, because of `error`, and log what was wrong.

    It raises nothing: a hook that does must not take other connections with it.
    """
    try:
        channel.receive_loss(error)
    except Exception as exc:  # noqa: BLE001 - logged
        error = exc
    error = error or (channel.hook_error if isinstance(channel.hook_error, Exception) else None)
    if error is not None:
        log_error(error, peer_errors)
