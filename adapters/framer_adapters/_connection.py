"""One connection in a `Loop`, and the `Channel` that it carries.

A connection is in one phase at a time. A phase is a method; `ready` calls it when the socket is
ready for what the phase waits for, or when something was pushed (then with no event at all)::

      connect()             add_channel(), a server
          │                       │
          ▼       connected       ▼       over TLS
     _connecting ────────────▶ _begin ──────────────▶ _handshake ◀──┐
       │                          │                        │        │ tls_request.ready
       │                          └────────▶ _talk ◀───────┘        │
       │                                      │  └──────────────────┘
       │ no address answers       output.done │
       │                                      ▼
       │                                  _sign_off    says, over TLS, that nothing was cut off
       │                                      │
       │                                      ▼        unless the peer has ended, too:
       │                                   _linger     reads on and drops what comes, for a while
       ▼                                      │
     _ended ◀─────────────────────────────────┘        and from anywhere, on an error

- All that one read brought is handled, then all that was pushed is sent at once.
  Only if the socket does not take all is its being writable waited for.
- One read a turn, and so many sends: nobody starves behind a peer that is fast.
- What hooks push into other channels is sent when all that was ready has been handled.
- Nothing but `ready` calls hooks, so no hook runs inside another hook or inside `connect`.
- What TLS has refused to send is offered again as it was, before all else, though it be discarded:
  half a record may be on its way.
- When the peer has ended and there is nothing to send, only a reset is waited for.
  Where the system cannot tell of that alone, as on all but Linux, it takes the idle timeout.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final, NoReturn, cast

from framer import Channel, OutputQueue, TlsRequest
from framer_adapters._common import LINGER, RECEIVE_SIZE, end_channel
from framer_adapters._endpoints import HANGUP, READ, WRITE, Endpoint
from framer_adapters._loop import Loop, Timer
from framer_adapters._sockets import (
    SEND_SIZE,
    Piece,
    close,
    next_piece,
    send_piece,
    set_no_delay,
    wrap_socket,
)

__all__ = ["Connection"]

SENDS_A_TURN: Final = 16
"""How often to send before others have their turn: 1 MiB of a producer with chunks of 64 KiB."""

READS_AT_THE_END: Final = 256
"""How often to read from a connection that broke: more than a kernel holds."""


class Connection(Endpoint):
    """A connected socket and the channel that it carries, from the first hook to the last.

    Args:
        loop: the loop.
        channel: the channel.
        sock: the socket, which it closes in the end; an ``SSLSocket`` shakes hands first.
        idle_timeout: for how many seconds the peer may neither send nor take anything.
        tls: how to shake hands; None for plain text, or an ``SSLSocket``.
        host: the name of the peer, as far as it is known, to hold certificates against.
    """

    __slots__ = (
        "_active",
        "_channel",
        "_host",
        "_noted",
        "_peer_ended",
        "_phase",
        "_refused",
        "_request",
        "_timer",
        "_tls",
    )

    def __init__(
        self,
        loop: Loop,
        channel: Channel,
        sock: socket.socket,
        *,
        idle_timeout: float | None = None,
        tls: TlsRequest | None = None,
        host: str | None = None,
    ) -> None:
        super().__init__(loop, sock)
        self._channel = channel
        self._request = tls
        self._host = host
        self._phase: Callable[[Any, int], None] = Connection._begin
        self._tls = False
        self._peer_ended = False
        self._refused: Piece | None = None  # by TLS, which wants the very same again
        self._active = loop.time()  # when the last byte came or went, or shaking hands began
        self._timer: Timer | None = None
        if idle_timeout is not None:
            self._timer = loop.call_later(idle_timeout, self._look_whether_idle, idle_timeout)
        self._noted = True  # ready() is being called, or will be soon
        loop.call_soon(self.ready, 0)
        channel.output.on_ready = self._note

    def ready(self, events: int, /) -> None:
        """Do what this phase does; whatever goes wrong ends this connection, and no other."""
        self._noted = True
        try:
            self._phase(self, events)
        except Exception as exc:  # noqa: BLE001 - the channel is told, and it is logged
            self.end(exc)
        except BaseException:
            self.end(None)
            raise
        self._noted = False

    def end(self, error: Exception | None, /) -> None:
        """Close the socket and tell the channel, because of `error`; harmless a second time."""
        if self._phase is Connection._ended:
            return
        if self._phase is Connection._linger:
            error = None  # all that mattered has been said
        self._phase = Connection._ended
        channel = self._channel
        channel.output.on_ready = None
        if self._timer is not None:
            self._timer.cancel()
        self.wait_for(0)
        dropped = bool(channel.output) or self._refused is not None
        if error is None and channel.hook_error is None and not dropped:
            close(self.sock)  # else the peer sees, over TLS, that something was cut off
        super().end(error)
        end_channel(channel, error)

    # Phases

    def _begin(self, _events: int) -> None:
        set_no_delay(self.sock)
        if self._request is not None:
            self._wrap(self._request)
        elif isinstance(self.sock, ssl.SSLSocket):
            self._shake_hands()
        else:
            self._phase = Connection._talk
            self._made()
            self._talk(0)

    def _handshake(self, _events: int) -> None:
        if self._channel.output.done:
            self.end(None)
            return
        try:
            cast("ssl.SSLSocket", self.sock).do_handshake()
        except ssl.SSLWantReadError:
            self.wait_for(READ)
        except ssl.SSLWantWriteError:
            self.wait_for(WRITE)
        else:
            self._phase = Connection._talk
            if self._channel.tls_request is None:
                self._made()
            else:
                self._channel.receive_tls()
            self._talk(READ)

    def _talk(self, events: int) -> None:
        channel = self._channel
        output = channel.output
        wanted = 0
        if events:
            self._active = self.loop.now
            if events & HANGUP:
                self._hang_up()
            if (events & READ or self._tls) and self._reads():
                wanted = self._receive()
        self._noted = False  # what a producer says while it is asked is for another time
        if output or self._refused is not None:
            wanted |= self._send(output)
        if not (output or output.closing or self._peer_ended):  # nearly always: see _send()
            if self.events != READ or wanted:
                self.wait_for(wanted | READ)
            return
        request = channel.tls_request
        if output.closing and output.done:
            self._finish()
        elif request is not None and request.ready:
            self._wrap(request)
        else:
            if not (self._peer_ended or request is not None or output.congested):
                wanted |= READ
            self.wait_for(wanted or HANGUP)

    def _sign_off(self, _events: int) -> None:
        try:
            if self._tls:
                cast("ssl.SSLSocket", self.sock).unwrap()
        except ssl.SSLWantWriteError:
            self.wait_for(WRITE)
            return
        except (OSError, ValueError):
            pass  # the peer has not told so yet, or it is gone, which shutdown() says again
        if self._peer_ended:
            self.end(None)
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(LINGER, self.end, None)
        self._phase = Connection._linger
        socket.socket.shutdown(self.sock, socket.SHUT_WR)  # below TLS, if there is any
        self.wait_for(READ)

    def _linger(self, _events: int) -> None:
        with contextlib.suppress(BlockingIOError):
            if not socket.socket.recv(self.sock, RECEIVE_SIZE):
                self.end(None)

    def _ended(self, _events: int) -> None:
        """Do nothing: the events of a turn were known before this connection ended."""

    # Steps

    def _made(self) -> None:
        if not self._channel.closing:
            self._channel.connection_made()

    def _note(self) -> None:
        """Remember to send; it is `OutputQueue.on_ready`, and called in the middle of anything."""
        if not self._noted:
            self._noted = True
            self.loop.call_soon(self.ready, 0)

    def _look_whether_idle(self, timeout: float) -> None:
        rest = self._active + timeout - self.loop.now
        if rest > 0:
            self._timer = self.loop.call_later(rest, self._look_whether_idle, timeout)
        else:
            self.end(TimeoutError(f"nothing sent or received for {timeout} seconds"))

    def _reads(self) -> bool:
        channel = self._channel
        return not (self._peer_ended or channel.output.congested or channel.tls_request is not None)

    def _recv(self) -> bytes:
        data = self.sock.recv(RECEIVE_SIZE)
        if self._tls and (left := cast("ssl.SSLSocket", self.sock).pending()):
            data += self.sock.recv(left)  # decrypted already, so the selector would not tell of it
        return data

    def _receive(self) -> int:
        """Read once, and return what to wait for besides being readable."""
        try:
            data = self._recv() if self._tls else self.sock.recv(RECEIVE_SIZE)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError):
            return 0
        except ssl.SSLWantWriteError:
            return WRITE
        if data:
            self._channel.receive_data(data)
        else:
            self._peer_ended = True
            self._channel.receive_eof()
        return 0

    def _send(self, output: OutputQueue) -> int:
        """Send until the queue has nothing now, and return what to wait for if it has."""
        for _ in range(SENDS_A_TURN):
            # Bytes over plain TCP go a shorter way: "request and response" in tests/bench/echo.py.
            plain = output.producer is None and not self._tls
            piece = self._refused
            if piece is None:
                piece = output.next_buffer(SEND_SIZE) if plain else next_piece(self.sock, output)
            if not piece:
                return 0
            try:
                if plain:
                    output.advance(self.sock.send(cast("bytes", piece)))
                else:
                    send_piece(self.sock, output, piece)
            except (BlockingIOError, InterruptedError):
                return WRITE
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as exc:
                self._refused = piece
                return READ if isinstance(exc, ssl.SSLWantReadError) else WRITE
            except (ConnectionError, ssl.SSLEOFError):
                self._receive_the_last(output)
                raise
            self._refused = None
            self._active = self.loop.now
            if not output:
                return 0
        return WRITE

    def _hang_up(self) -> NoReturn:
        """Say why the connection was lost, of which a peer that has ended can tell no more."""
        self._receive_the_last(self._channel.output)
        code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or errno.EPIPE
        raise OSError(code, os.strerror(code))

    def _receive_the_last(self, output: OutputQueue) -> None:
        """Deliver what came in before the connection broke: the kernel still has it."""
        for _ in range(READS_AT_THE_END):
            output.discard()  # nobody will get it
            try:
                data = self._recv() if self._reads() else b""
            except OSError:
                return
            if not data:  # no proper end, so the channel does not hear of one
                return
            self._channel.receive_data(data)

    def _wrap(self, request: TlsRequest) -> None:
        self.wait_for(0)  # the selector knows a socket that is about to lose its descriptor
        self.sock = wrap_socket(self.sock, request, self._host)
        self._shake_hands()

    def _shake_hands(self) -> None:
        self._tls = True
        self._active = self.loop.time()
        self._phase = Connection._handshake
        self._handshake(0)

    def _finish(self) -> None:
        """Close, but leave the peer time for our last words: see `LINGER`."""
        if self._channel.closed or self._refused is not None:  # so something is cut off
            self.end(None)
        else:
            self._phase = Connection._sign_off
            self._sign_off(0)
