"""A server with a thread for each connection; what is said in them is none of its business.

::

    serve_forever() ── accept ──▶ make(sock) ──▶ run(), in a thread
          ▲                                        │
          └── close() ── shuts down ──▶ transport ─┘
"""

from __future__ import annotations

import contextlib
import selectors
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator
from typing import Protocol, Self, cast

from framer_adapters._common import CLOSE_TIMEOUT, Host, check_tls, log_error, unix_path
from framer_adapters._sockets import (
    ACCEPT_PAUSE,
    OUT_OF_RESOURCES,
    listen,
    remove_unix_socket,
    set_no_delay,
)

__all__ = ["Conversation", "Server", "woken_by_signals"]


class Conversation(Protocol):
    """What is done with one connection: one of the two in `_waits`, say."""

    @property
    def transport(self) -> socket.socket:
        """The socket as it is now: TLS puts another in its place."""
        ...

    def run(self) -> None:
        """Do it, to the end; close the socket, and raise nothing."""


class Server:
    """Listening sockets, and a thread for each connection; made by `serve` and `serve_channel`.

    Attributes:
        sockets: those that listen.
        port: that of all of them; None for a Unix socket.
    """

    def __init__(
        self,
        host: Host,
        port: int | None,
        make: Callable[[socket.socket], Conversation],
        tls: ssl.SSLContext | None,
        idle_timeout: float | None,
    ) -> None:
        check_tls(tls)
        self.port: int | None
        self.sockets: list[socket.socket] = listen(host, port)
        self._path = unix_path(host, port)
        self.port = None if self._path is not None else self.sockets[0].getsockname()[1]
        self._make = make
        self._tls = tls
        self._idle_timeout = idle_timeout
        self._running: dict[threading.Thread, Conversation] = {}
        self._serving = threading.RLock()  # a signal handler may close amid it
        self._server: int | None = None  # the thread that serves
        self._closing = threading.Event()
        self._waker, self._wake = socket.socketpair()
        self._wake.settimeout(0)

    def serve_forever(self) -> None:
        """Accept connections until `close`, from another thread or a signal handler."""
        with self._serving:
            self._server = threading.get_ident()
            try:
                self._serve()
            finally:
                self._server = None
                if self._closing.is_set():
                    self._stop_listening()

    def close(self) -> None:
        """Stop listening, shut all connections down, and wait for their threads to end."""
        self._closing.set()
        with contextlib.suppress(OSError):
            self._wake.send(b"\0")
        if self._server != threading.get_ident():  # else this is a signal handler in serve_forever
            with self._serving:
                self._stop_listening()
        deadline = time.monotonic() + CLOSE_TIMEOUT
        for thread, conversation in list(self._running.items()):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                socket.socket.shutdown(conversation.transport, socket.SHUT_RDWR)
            if thread is not threading.current_thread():
                thread.join(max(deadline - time.monotonic(), 0))

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector, woken_by_signals(self._wake):
            if not self._closing.is_set():
                for sock in (*self.sockets, self._waker):
                    sock.settimeout(0)
                    selector.register(sock, selectors.EVENT_READ)
            while not self._closing.is_set():
                for key, _ in selector.select():
                    if key.fileobj is self._waker:
                        self._waker.recv(4096)
                    else:
                        self._accept(cast("socket.socket", key.fileobj))

    def _stop_listening(self) -> None:
        for sock in (*self.sockets, self._waker, self._wake):
            sock.close()
        if self._path is not None:
            remove_unix_socket(self._path)
            self._path = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, _ = listener.accept()
        except OSError as exc:
            if exc.errno in OUT_OF_RESOURCES:
                log_error(exc)
                self._closing.wait(ACCEPT_PAUSE)
            return  # else whoever wanted to come in has gone
        try:
            sock.settimeout(self._idle_timeout)
            set_no_delay(sock)
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            conversation = self._make(sock)
            thread = threading.Thread(target=self._run, args=(conversation,), daemon=True)
            self._running[thread] = conversation
            try:
                thread.start()
            except BaseException:
                if thread.ident is None:  # else a signal came while it started, and it runs
                    del self._running[thread]
                raise
        except Exception as exc:  # noqa: BLE001 - of one connection; the others live
            log_error(exc)
            sock.close()

    def _run(self, conversation: Conversation) -> None:
        try:
            conversation.run()
        finally:
            self._running.pop(threading.current_thread(), None)


@contextlib.contextmanager
def woken_by_signals(sock: socket.socket) -> Generator[None]:
    """Have a signal put a byte into a socket, so that one just before a wait ends that wait.

    Its handler, which may raise KeyboardInterrupt, is run when Python goes on, in the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.set_wakeup_fd(sock.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
