"""What a thread does with a blocking socket: it sends all there is, receives, and waits.

::

    FramedStream ──▶ send_all(), receive() ──▶ socket       a call of the program, a wait
    handler ◀── Handling ──▶ FramedStream                   a server's: the handler, then the end
    channel ◀── BlockingConversation ──▶ socket             one thing at a time, as `Step` says

Nothing is lost when a wait is cut short by a timeout or a signal:
what was not sent is still in the queue, and what came in is still in the kernel.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar, cast

from framer import Channel, OutputQueue, TlsRequest, UsageError
from framer_adapters._common import LINGER, RECEIVE_SIZE, end_channel, log_error
from framer_adapters._conversation import Conversation, Step
from framer_adapters._sockets import (
    close,
    next_piece,
    send_piece,
    wait_until_writable,
    wrap_socket,
)

__all__ = [
    "TRY_AGAIN",
    "BlockingConversation",
    "BrokenError",
    "Handling",
    "ReceiveLock",
    "SendLock",
    "receive",
    "send_all",
    "send_to_the_end",
    "shake_hands",
]

TRY_AGAIN: Final = (
    BlockingIOError,
    TimeoutError,
    ssl.SSLWantReadError,
    ssl.SSLWantWriteError,
)
"""What says that the socket is as it was, and that a later call may do."""


class Stream(Protocol):
    """What is known here of a ``FramedStream``."""

    @property
    def transport(self) -> socket.socket:
        """The socket."""
        ...

    def __enter__(self) -> object: ...

    def __exit__(self, *_: object) -> None: ...


S = TypeVar("S", bound=Stream)


class Handling(Generic[S]):
    """The handler of a server and a stream for it, which is closed in the end."""

    def __init__(self, handler: Callable[[S], object], stream: S) -> None:
        self._handler = handler
        self._stream = stream

    @property
    def transport(self) -> socket.socket:
        """The socket as it is now."""
        return self._stream.transport

    def run(self) -> None:
        """Shake hands if there is TLS, handle, and close; what goes wrong is logged."""
        try:
            with self._stream:
                try:
                    shake_hands(self.transport)
                    self._handler(self._stream)
                except Exception as exc:  # noqa: BLE001 - logged before closing, which may take a while
                    log_error(exc)
        except Exception as exc:  # noqa: BLE001 - of a producer, which closing asks for the rest
            log_error(exc)


class BlockingConversation:
    """A channel and its socket; it sends or receives, but not both at once."""

    def __init__(self, channel: Channel, transport: socket.socket) -> None:
        self._talk = Conversation(channel)
        self.transport = transport

    def run(self) -> None:
        """Converse, and close."""
        talk = self._talk
        error: Exception | None = None
        said = False
        try:
            self._converse()
            said = talk.channel.hook_error is None
        except BrokenError as exc:
            error = exc.error
        except Exception as exc:  # noqa: BLE001 - given to the channel, and logged
            error = exc
        finally:
            if said:
                close(self.transport, LINGER if talk.lingers else None)
            else:  # and over TLS the peer sees that something was cut off
                self.transport.close()
            end_channel(talk.channel, error)

    def _converse(self) -> None:
        talk = self._talk
        ready = threading.Event()
        talk.output.on_ready = ready.set
        shake_hands(self.transport)
        talk.begin()
        while (step := self._send(ready)) is not Step.CLOSE:
            if step is Step.READ:
                talk.receive(receive(self.transport))
            elif step is Step.TLS:
                request = cast("TlsRequest", talk.channel.tls_request)
                self.transport = wrap_socket(self.transport, request, None)
                shake_hands(self.transport)
                talk.begin()
            else:
                _wait(ready, self.transport)  # a producer has nothing yet

    def _send(self, ready: threading.Event) -> Step:
        """Send what there is, and say what is next."""
        ready.clear()
        try:
            send_all(self.transport, self._talk.output)
        except BrokenError as exc:
            self._talk.unsent = exc.error
            self._receive_the_rest()
            raise
        return self._talk.next()

    def _receive_the_rest(self) -> None:
        """Deliver what came in before the connection was lost: the kernel still has it."""
        talk, deadline = self._talk, time.monotonic() + LINGER
        with contextlib.suppress(OSError):
            while not talk.channel.closing and talk.channel.tls_request is None:
                talk.output.discard()  # nobody will get it
                self.transport.settimeout(max(deadline - time.monotonic(), 0))
                talk.receive(receive(self.transport))


def receive(sock: socket.socket) -> bytes:
    """Receive something; b"" is the end."""
    while True:
        try:
            return sock.recv(RECEIVE_SIZE)
        except InterruptedError:
            continue


class BrokenError(Exception):
    """What a socket says when nothing more can be sent, told from what producers raise."""

    def __init__(self, error: OSError) -> None:
        self.error = error


class _Lock:
    """A lock that is a context manager of its own kind.

    These are classes because a generator as a context manager costs
    as much as the system call inside: "blocking FramedStream" in ``tests/bench/echo.py``.
    """

    __slots__ = ("acquire", "locked", "release")

    def __init__(self) -> None:
        lock = threading.Lock()
        self.acquire = lock.acquire
        self.locked = lock.locked
        self.release = lock.release


class ReceiveLock(_Lock):
    """Lets one thread receive; another gets an error, for its frames would be anybody's."""

    __slots__ = ()

    def __enter__(self) -> None:
        if not self.acquire(blocking=False):
            raise UsageError("another thread is receiving from this stream")

    def __exit__(self, *_: object) -> None:
        self.release()


class SendLock(_Lock):
    """Lets one thread send after the other.

    Attributes:
        broken: why nothing more can be sent, as it was raised; or None.
    """

    __slots__ = ("broken",)

    def __init__(self) -> None:
        super().__init__()
        self.broken: OSError | None = None

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, _: object, exc: BaseException | None, __: object) -> None:
        self.release()
        if isinstance(exc, BrokenError):
            self.broken = exc.error
            raise exc.error from None


def send_all(sock: socket.socket, output: OutputQueue, deadline: float | None = None) -> None:
    """Send what the queue has to give now, by the deadline if there is one."""
    while output and (piece := next_piece(sock, output)):
        try:
            if deadline is not None:
                sock.settimeout(max(deadline - time.monotonic(), 0))
            send_piece(sock, output, piece)
        except InterruptedError:
            continue
        except BlockingIOError:  # sendfile, unlike send, does not wait by itself
            wait_until_writable(sock, sock.gettimeout())
        except TRY_AGAIN:
            raise
        except OSError as exc:
            raise BrokenError(exc) from exc


def send_to_the_end(sock: socket.socket, output: OutputQueue) -> None:
    """Send all, and wait for producers that have nothing yet to be woken by another thread."""
    ready = threading.Event()
    output.on_ready = ready.set
    while True:
        ready.clear()
        send_all(sock, output)
        if not output:
            return
        _wait(ready, sock)


def _wait(ready: threading.Event, sock: socket.socket) -> None:
    if not ready.wait(sock.gettimeout()):
        raise TimeoutError("nothing to send or to receive came in time")


def shake_hands(sock: socket.socket) -> None:
    """Shake hands, if there is TLS."""
    if isinstance(sock, ssl.SSLSocket):
        sock.do_handshake()
