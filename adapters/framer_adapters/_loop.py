"""The loop of `selectors`: it waits for many sockets and calls what is to be called then.

It knows nothing of channels. One turn is this::

    ┌─▶ select, until the first timer is due ──▶ ready(events) of each endpoint ──┐
    │                                                                             │
    └──────────── timers that are due ◀──── what call_soon() was given ◀──────────┘

- What these two add comes in the next turn: who calls himself again starves nobody.
- A cancelled timer stays in the heap until it is due, or until there are many.
- From another thread or a signal handler a byte through a pair of sockets ends the waiting.
- Ctrl-C is noted, and raised as KeyboardInterrupt between two turns.
  In the middle of one it could come between a socket and the line that remembers it.
"""

from __future__ import annotations

import contextlib
import heapq
import math
import selectors
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import Self, TypeAlias

from framer import UsageError
from framer_adapters._common import log_error
from framer_adapters._endpoints import READ, Endpoint, Hangups

__all__ = ["Loop", "Timer"]

_Callback: TypeAlias = Callable[..., object]
_Handler: TypeAlias = Callable[[int, FrameType | None], object]


class Timer:
    """A call to come, made by `Loop.call_later`."""

    __slots__ = ("args", "callback")

    def __init__(self, callback: _Callback, args: tuple[object, ...]) -> None:
        self.callback: _Callback | None = callback
        self.args: tuple[object, ...] = args

    def cancel(self) -> None:
        """Do not call; harmless a second time, and after the call."""
        self.callback, self.args = None, ()

    def run(self) -> None:
        """Call, unless that was cancelled; it is for the loop."""
        callback, args = self.callback, self.args
        self.cancel()
        if callback is not None:
            callback(*args)


class Loop:
    """Waits for what happens to many sockets, and calls what is to be called then.

    All is for one thread, but for `stop`, `close` and `call_soon`,
    which any thread and any signal handler may call.

    Args:
        clock: what tells the time, in seconds.

    Attributes:
        time: the clock.
        now: what it told in this turn.
        selector: what waits; it is for endpoints.
        hangups: what waits for lost connections alone; likewise.
        endpoints: all there are; likewise.

    Raises:
        OSError: the system has no more file descriptors.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.time = clock
        self.now: float = clock()
        self.endpoints: set[Endpoint] = set()
        self.selector: selectors.BaseSelector = selectors.DefaultSelector()
        self._wakee, self._waker = socket.socketpair()  # a byte ends the waiting
        self._wakee.settimeout(0)
        self._waker.settimeout(0)
        self.selector.register(self._wakee, READ)
        self.hangups: Hangups = Hangups(self.selector)
        self._soon: deque[tuple[_Callback, tuple[object, ...]]] = deque()
        self._timers: list[tuple[float, int, Timer]] = []  # a heap
        self._timers_made = 0  # so that equal times keep their order
        self._many_timers = 64
        self._signals = contextlib.ExitStack()  # what restores the handlers
        self._changing = threading.RLock()  # whether it runs, or is closed
        self._running = self._waiting = self._stopping = self._closing = self._interrupted = False

    def run(self) -> None:
        """Run until `stop`, or until there is no connection, server or timer left to wait for.

        What a callback raises is logged, and the loop goes on.
        Only what is no Exception comes out, and the loop can be run again, or closed.
        Ctrl-C is KeyboardInterrupt at the end of the turn; the second time it is so at once.

        Raises:
            framer.UsageError: the loop is running already.
        """
        self.run_until(lambda: False)

    def run_until(self, condition: Callable[[], object], timeout: float | None = None) -> bool:
        """Run until a condition is true; it is looked at first, and after each turn.

        Args:
            condition: what to call; it must not block.
            timeout: for how many seconds at the most; 0 for one turn, None for no limit.

        Returns:
            Whether the condition came true. Else the time is over, or the loop was stopped
            or closed, or nothing is left that could happen.

        Raises:
            framer.UsageError: the loop is running already.
        """
        with self._changing:
            if self._running:
                raise UsageError("the loop is running already; a hook need not, and cannot, run it")
            self._running = True
        until = math.inf if timeout is None else self.time() + timeout
        try:
            self._defer_interrupts()
            met = bool(condition())
            while not (met or self._stopping or self._closing) and self._busy():
                self._turn(until)
                met = bool(condition())
                if self.now >= until:
                    break
        finally:
            with self._changing:
                self._running = self._waiting = self._stopping = False
                self._signals.close()
                if self._closing:
                    self._close()
        if self._interrupted:
            self._interrupted = False
            raise KeyboardInterrupt
        return met

    def call_soon(self, callback: _Callback, /, *args: object) -> None:
        """Call ``callback(*args)`` in this turn of the loop or the next; from any thread."""
        self._soon.append((callback, args))
        self._wake()

    def call_later(self, delay: float, callback: _Callback, /, *args: object) -> Timer:
        """Call ``callback(*args)`` in `delay` seconds; `Timer.cancel` prevents it."""
        if len(self._timers) > self._many_timers:
            self._timers = [entry for entry in self._timers if entry[2].callback is not None]
            heapq.heapify(self._timers)
            self._many_timers = 2 * len(self._timers) + 64
        timer = Timer(callback, args)
        self._timers_made += 1
        heapq.heappush(self._timers, (self.time() + max(delay, 0), self._timers_made, timer))
        return timer

    def stop(self) -> None:
        """Have ``run()`` return at the end of this turn, or else the next one at once.

        Any thread may call it, and a signal handler. Connections stay as they are.
        """
        self._stopping = True
        self._wake()

    def stop_on(self, *signals: int) -> None:
        """Have these signals `stop` the loop. When it has run the former handlers are back.

        Raises:
            ValueError: this is not the main thread.
        """
        self._handle(signals, lambda _number, _frame: self.stop())

    def check_open(self) -> None:
        """Raise `framer.UsageError` if the loop is closed."""
        if self._closing:
            raise UsageError("the loop is closed")

    def close(self) -> None:
        """Close all connections and servers, and forget all callbacks; harmless a second time.

        What the sockets have not taken yet is dropped. While the loop runs this waits for the
        end of the turn. Any thread may call it.
        """
        with self._changing:
            self._closing = True
            if self._running:
                self._wake()
            else:
                self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _close(self) -> None:
        for endpoint in list(self.endpoints):
            endpoint.end(None)
            endpoint.sock.close()  # if something interrupted end() the first time
        self._signals.close()
        self._soon.clear()
        self._timers.clear()
        self.selector.close()
        self.hangups.close()
        self._wakee.close()
        self._waker.close()

    def _busy(self) -> bool:
        """Tell whether there is anything to wait for; the first timer is still to come then."""
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        return bool(self.endpoints or self._soon or self._timers)

    def _turn(self, until: float) -> None:
        """Wait, not longer than `until`, and handle all that is due."""
        self._waiting = True  # so who comes from here on wakes us
        found = self.selector.select(self._patience(until))
        self._waiting = False
        self.now = self.time()
        for key, events in found:
            if key.data is None:
                self._wakee.recv(4096)
            else:
                key.data.ready(events)
        while self._timers and self._timers[0][0] <= self.now:
            self._soon.append((heapq.heappop(self._timers)[2].run, ()))
        for _ in range(len(self._soon)):
            callback, args = self._soon.popleft()
            try:
                callback(*args)
            except Exception as exc:  # noqa: BLE001 - logged: the loop has others to serve
                log_error(exc)

    def _patience(self, until: float) -> float | None:
        """Return for how many seconds to wait at the most."""
        if self._soon or self._stopping or self._closing:
            return 0
        if self._timers:
            until = min(until, self._timers[0][0])
        return None if until == math.inf else max(until - self.time(), 0)

    def _wake(self) -> None:
        if self._waiting:
            with contextlib.suppress(OSError):  # full, which wakes as well; or just closed
                self._waker.send(b"\0")

    def _handle(self, signals: tuple[int, ...], handler: _Handler) -> None:
        """Handle signals, also one that comes just before the waiting begins."""
        wakeup = signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        self._signals.callback(signal.set_wakeup_fd, wakeup)
        for number in signals:
            former = signal.signal(number, handler)
            self._signals.callback(signal.signal, number, former or signal.SIG_DFL)

    def _defer_interrupts(self) -> None:
        """Have Ctrl-C wait for the end of the turn, unless it is handled otherwise."""
        self._interrupted = False
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._handle((signal.SIGINT,), self._interrupt)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self._interrupted:
            raise KeyboardInterrupt
        self._interrupted = True
        self.stop()
