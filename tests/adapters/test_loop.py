"""The loop of `selectors`: timers, callbacks, how long it runs, signals, and closing."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable

import pytest
from loops import Clock, Reader, turn

from framer import UsageError
from framer_adapters._loop import Loop

PATIENCE = 20.0  # seconds until a test has failed; none takes them


# Callbacks


def test_nothing_to_wait_for(loop: Loop) -> None:
    """It returns at once, also from waiting for what cannot come true."""
    loop.run()
    assert not loop.run_until(lambda: False)
    assert loop.run_until(lambda: True)


def test_call_soon(loop: Loop) -> None:
    """In their order; what they add themselves comes a turn later."""
    called: list[object] = []

    def again(name: str) -> None:
        called.append(name)
        loop.call_soon(called.append, name * 2)

    loop.call_soon(again, "a")
    loop.call_soon(again, "b")
    turn(loop)
    assert called == ["a", "b"]
    loop.run()
    assert called == ["a", "b", "aa", "bb"]


def test_call_later(loop: Loop, clock: Clock) -> None:
    """In the order of their times, equal ones in that of the calls; a time past is now."""
    called: list[object] = []
    for delay, name in ((2, "c"), (1, "a"), (1, "b"), (-1, "now"), (3, "never")):
        timer = loop.call_later(delay, called.append, name)
    timer.cancel()
    timer.cancel()
    turn(loop)
    assert called == ["now"]
    clock.now += 1
    turn(loop)
    assert called == ["now", "a", "b"]
    clock.now += 1
    loop.run()
    assert called == ["now", "a", "b", "c"]


def test_a_timer_that_comes_at_once_does_not_keep_others_waiting(loop: Loop) -> None:
    """A callback that calls itself again with no delay is called once a turn."""
    called: list[object] = []

    def again() -> None:
        called.append(loop)
        loop.call_later(0, again)

    again()
    turn(loop, 3)
    assert len(called) == 4


def test_a_timer_that_another_one_cancels(loop: Loop) -> None:
    """Both are due; the first cancels the second, and itself, which is too late."""
    called: list[object] = []

    def first() -> None:
        one.cancel()
        two.cancel()

    one = loop.call_later(0, first)
    two = loop.call_later(0, called.append, "two")
    loop.run()
    assert called == []


def test_cancelled_timers_leave_nothing_behind(loop: Loop) -> None:
    """Neither memory nor a reason to wait, though their time is far."""
    keep = loop.call_later(2000, print)
    for _ in range(10_000):
        loop.call_later(1000, print).cancel()
        assert len(loop._timers) <= 67
    keep.cancel()
    assert not loop.run_until(lambda: False)


def test_callbacks_that_raise(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    """They are logged, and the loop goes on."""
    called: list[object] = []

    def fail() -> None:
        raise ZeroDivisionError

    loop.call_soon(fail)
    loop.call_later(0, fail)
    loop.call_soon(called.append, "then")
    loop.run()
    assert called == ["then"]
    assert caplog.text.count("ZeroDivisionError") >= 2


def test_what_is_no_exception_comes_out(loop: Loop) -> None:
    """The loop can be run again, and goes on where it was."""
    called: list[object] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    loop.call_soon(interrupt)
    loop.call_soon(called.append, "then")
    with pytest.raises(KeyboardInterrupt):
        loop.run()
    loop.run()
    assert called == ["then"]


# How long it runs


def test_run_until(loop: Loop, clock: Clock) -> None:
    """A condition, a time, or nothing left."""
    called: list[object] = []
    later = loop.call_later(1000, print)
    loop.call_soon(called.append, "soon")
    assert loop.run_until(lambda: called)
    assert not loop.run_until(lambda: False, 0)

    def wait() -> bool:
        clock.now += 1
        return False

    begun = clock.now
    loop.call_later(1, loop.call_later, 1, print)
    assert not loop.run_until(wait, 2.5)
    assert clock.now - begun == 4
    later.cancel()


def test_waiting_takes_real_time() -> None:
    """With the clock of the system, until a timer, or the timeout."""
    called: list[object] = []
    with Loop() as loop:
        begun = loop.time()
        loop.call_later(0.01, called.append, "a")
        loop.run()
        assert called == ["a"]
        assert loop.time() - begun >= 0.01
        loop.call_later(1000, print)
        assert not loop.run_until(lambda: False, 0.01)
        assert loop.time() - begun < PATIENCE


def test_a_loop_in_a_loop(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    """A hook cannot run the loop that runs it."""
    loop.call_soon(loop.run)
    loop.run()
    assert "the loop is running already" in caplog.text


def test_stop(loop: Loop) -> None:
    """The turn is finished first. Before run() it has the next one return at once, once."""
    called: list[object] = []
    loop.call_soon(loop.stop)
    loop.call_soon(called.append, "a")
    loop.call_later(1000, print)
    loop.run()
    assert called == ["a"]
    loop.call_soon(called.append, "b")
    loop.stop()
    assert not loop.run_until(lambda: False)
    assert called == ["a"]
    assert loop.run_until(lambda: "b" in called)


@pytest.mark.parametrize("how", ["stop", "call_soon", "close"])
def test_from_another_thread(how: str) -> None:
    """stop(), call_soon() and close() wake a loop that waits."""
    with Loop() as loop:
        loop.call_later(1000, print)
        action: dict[str, Callable[[], object]] = {
            "stop": loop.stop,
            "call_soon": lambda: loop.call_soon(loop.stop),
            "close": loop.close,
        }
        thread = threading.Thread(target=loop.run)
        thread.start()
        while not loop._waiting:  # which it soon does, for ever
            pass
        action[how]()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert loop.run_until(lambda: loop, 0)


def test_many_wake_one(loop: Loop) -> None:
    """What wakes the loop may be full: it is awake then."""
    loop._waiting = True
    for _ in range(10_000):
        loop._wake()
    loop.call_later(1000, print)
    turn(loop, 200)
    assert not loop.selector.select(0)


def test_stop_on_a_signal(loop: Loop) -> None:
    """A clean stop; then the former handlers are back, and the wake-up descriptor."""
    heard: list[int] = []

    def former(number: int, _frame: object) -> None:
        heard.append(number)

    old = signal.signal(signal.SIGUSR1, former)
    try:
        loop.stop_on(signal.SIGUSR1, signal.SIGUSR2)
        loop.call_later(1000, print)
        threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        loop.run()
        assert heard == []
        assert signal.getsignal(signal.SIGUSR1) is former
        assert signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL
        assert signal.set_wakeup_fd(-1) == -1
        os.kill(os.getpid(), signal.SIGUSR1)
        assert heard == [signal.SIGUSR1]
        loop.stop_on(signal.SIGUSR1)
        loop.close()
        assert signal.getsignal(signal.SIGUSR1) is former
    finally:
        signal.signal(signal.SIGUSR1, old)


def test_signals_are_for_the_main_thread(loop: Loop) -> None:
    """ValueError, as signal.signal() has it."""
    errors: list[BaseException] = []

    def other() -> None:
        try:
            loop.stop_on(signal.SIGUSR1)
        except ValueError as exc:
            errors.append(exc)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert len(errors) == 1


def test_interrupted_by_the_keyboard(loop: Loop) -> None:
    """Ctrl-C lets the turn be finished, and then comes out; the loop can be run again."""
    left, right = socket.socketpair()
    reader = Reader(loop, right)
    called: list[object] = []
    loop.call_soon(signal.raise_signal, signal.SIGINT)
    loop.call_soon(called.append, "then")
    with pytest.raises(KeyboardInterrupt):
        loop.run()
    assert called == ["then"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    left.close()
    loop.run()
    assert reader.ended == [None]


def test_interrupted_twice(loop: Loop) -> None:
    """Who insists need not wait for the end of the turn."""
    called: list[object] = []

    def insist() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        called.append("not reached")

    loop.call_soon(insist)
    with pytest.raises(KeyboardInterrupt):
        loop.run()
    loop.run()
    assert called == []


def test_interrupted_while_it_waits(loop: Loop) -> None:
    """It waits no longer."""
    loop.call_later(1000, print)
    threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        loop.run()


# Closing


def test_close(loop: Loop) -> None:
    """Endpoints and timers are gone; once is enough, and nothing more can be added."""
    left, right = socket.socketpair()
    reader = Reader(loop, right)
    loop.call_later(1000, print)
    loop.check_open()
    loop.close()
    loop.close()
    assert reader.ended == [None]
    assert right.fileno() == -1
    assert not loop._timers
    left.close()
    loop.call_soon(print)
    loop.run()
    with pytest.raises(UsageError, match="closed"):
        loop.check_open()


def test_close_in_a_callback(loop: Loop) -> None:
    """At the end of the turn."""
    called: list[object] = []
    left, right = socket.socketpair()
    reader = Reader(loop, right)
    loop.call_soon(loop.close)
    loop.call_soon(lambda: called.append(right.fileno() >= 0))
    loop.run()
    left.close()
    assert called == [True]
    assert reader.ended == [None]


def test_close_after_an_interrupted_end(loop: Loop) -> None:
    """What something interrupted before it had closed its socket is closed all the same."""
    left, right = socket.socketpair()

    class Interrupted(Reader):
        def end(self, error: Exception | None, /) -> None:
            self.ended.append(error)

    reader = Interrupted(loop, right)
    loop.close()
    left.close()
    assert reader.ended == [None]
    assert right.fileno() == -1
