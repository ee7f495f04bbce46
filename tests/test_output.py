"""What goes out: exactly what was pushed, in that order, lazily, and in linear time."""

from __future__ import annotations

import array
import gc
import inspect
import io
import itertools
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from framer._exceptions import UsageError
from framer._output import OutputQueue
from framer._producers import PENDING, Pending, Producer

Step = bytes | Pending | Exception


class Script:
    """What a producer is to give, step by step, and how often it was asked and closed."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.asked = 0
        self.closed = 0

    def __len__(self) -> int:
        """Make every one of them falsy, as a trap."""
        return 0

    def step(self) -> bytes | Pending:
        """Give the next step; b"" at the end."""
        self.asked += 1
        step = self.steps.pop(0) if self.steps else b""
        if isinstance(step, Exception):
            raise step
        return step

    def close(self) -> None:
        """Count."""
        self.closed += 1


class WithMore(Script):
    def more(self) -> bytes | Pending:
        """Give the next step."""
        return self.step()


class WithRead(Script):
    """A file that gives no more than was asked for, and None for PENDING."""

    def read(self, size: int, /) -> bytes | None:
        """Give the next step, cut to size."""
        step = self.step()
        if step is PENDING:
            return None
        self.steps[:0] = [step[size:]] if step[size:] else []
        return step[:size]


class WithNext(Script):
    def __iter__(self) -> Iterator[bytes | Pending]:
        return self

    def __next__(self) -> bytes | Pending:
        if not self.steps:
            self.asked += 1
            raise StopIteration
        return self.step()


SHAPES = [WithMore, WithRead, WithNext]
CHUNK_SIZE = 7


class Oracle:
    """The queue as a plain list, which cuts and copies as it pleases; a list is a producer."""

    def __init__(self, high: int, low: int) -> None:
        self.items: list[bytes | list[Step]] = []
        self.waiting = False
        self.congested = False
        self.high, self.low = high, low

    def measure(self) -> int:
        """Follow the water; return how many bytes are in memory."""
        size = sum(len(item) for item in self.items if isinstance(item, bytes))
        self.congested = size > self.high or (self.congested and size > self.low)
        return size

    def pull(self) -> None:
        """Do what asking for bytes does: put a chunk in front of the producer in front."""
        while self.items and isinstance(front := self.items[0], list) and not self.waiting:
            step = front.pop(0) if front else b""
            if isinstance(step, Pending):
                self.waiting = True
            elif step and isinstance(step, bytes):
                self.items.insert(0, step)
                self.measure()
            else:
                del self.items[0]
                if isinstance(step, Exception):
                    raise step

    def front(self) -> list[bytes]:
        """List the pieces before the first producer."""
        pieces = itertools.takewhile(lambda item: isinstance(item, bytes), self.items)
        return cast("list[bytes]", list(pieces))

    def remove(self, n: int) -> None:
        """Remove the first bytes."""
        while n:
            item = cast("bytes", self.items.pop(0))
            if rest := item[n:]:
                self.items.insert(0, rest)
            n -= len(item) - len(rest)
        self.measure()


steps = st.lists(
    st.binary(min_size=0, max_size=CHUNK_SIZE) | st.just(PENDING) | st.builds(KeyError), max_size=6
)
sizes = st.none() | st.integers(0, 40)


class QueueMachine(RuleBasedStateMachine):
    """Whatever is done to a queue, it is what the oracle says."""

    @initialize(low=st.integers(0, 20), more=st.integers(0, 20))
    def make(self, low: int, more: int) -> None:
        """Draw the water marks."""
        self.out = OutputQueue(low + more, low, CHUNK_SIZE)
        self.oracle = Oracle(low + more, low)
        self.scripts: list[Script] = []
        self.shown = 0
        self.joins = False
        self.closing = False

    def outcome(self, call: Callable[[], Any]) -> object:
        """Call, and return what it returns or the type of its error."""
        try:
            return call()
        except (KeyError, UsageError) as error:
            return type(error)

    @rule(data=st.binary(max_size=30), kind=st.sampled_from([bytes, bytearray, memoryview]))
    def push(self, data: bytes, kind: type) -> None:
        """Push bytes."""
        if self.closing:
            assert self.outcome(lambda: self.out.push(data)) is UsageError
            return
        self.out.push(kind(data))
        self.oracle.items += [data] if data else []
        self.oracle.measure()

    @rule(steps=steps, shape=st.sampled_from(SHAPES))
    def push_producer(self, steps: list[Step], shape: type[Script]) -> None:
        """Push one of any shape."""
        script = shape(*steps)
        producer = cast("Producer", script)
        if self.closing:
            assert self.outcome(lambda: self.out.push_producer(producer)) is UsageError
            assert not script.closed
            return
        self.out.push_producer(producer)
        self.scripts.append(script)
        self.oracle.items.append(list(steps))

    def front(self, *limits: int | None) -> object:
        """Have the oracle pull, if anything is wanted, and say what is in front, or the error."""
        self.shown = 0
        return [] if 0 in limits else self.outcome(self.oracle.pull) or self.oracle.front()

    @rule(max_size=sizes)
    def take(self, max_size: int | None) -> None:
        """Take bytes."""
        expected = self.front(max_size)
        if isinstance(expected, list):
            expected = b"".join(cast("list[bytes]", expected))[:max_size]
            self.oracle.remove(len(expected))
        assert self.outcome(lambda: self.out.data_to_send(max_size)) == expected

    @rule(max_count=st.integers(0, 9) | st.just(64), max_size=sizes)
    def show(self, max_count: int, max_size: int | None) -> None:
        """Look at the buffers."""
        expected = self.front(max_count, max_size)
        got = self.outcome(lambda: self.out.buffers(max_count, max_size))
        if not isinstance(expected, list):
            assert got is expected
            return
        pieces, buffers = cast("list[bytes]", expected), cast("list[memoryview]", got)
        assert all(type(buffer) is memoryview for buffer in buffers)
        assert all(buffers)
        joined, wanted = b"".join(buffers), b"".join(pieces[:max_count])[:max_size]
        assert len(buffers) <= max_count
        if self.joins:  # then a piece may be several
            assert joined.startswith(wanted)
            assert b"".join(pieces)[:max_size].startswith(joined)
        else:
            assert joined == wanted
        self.shown = len(joined)

    @rule(max_size=st.integers(1, 40))
    def show_one(self, max_size: int) -> None:
        """Look at what is next as one buffer: some of it, and some if there is any."""
        expected = self.front()
        self.joins = True
        got = self.outcome(lambda: self.out.next_buffer(max_size))
        if not isinstance(expected, list):
            assert got is expected
            return
        whole, buffer = b"".join(cast("list[bytes]", expected)), cast("memoryview", got)
        assert len(buffer) <= max_size
        assert whole.startswith(bytes(buffer))
        assert bool(buffer) == bool(whole)
        self.shown = len(buffer)

    @rule(share=st.floats(0, 1))
    def advance(self, share: float) -> None:
        """Remove what was shown, or some of it."""
        n = round(self.shown * share)
        self.out.advance(n)
        self.shown -= n
        self.oracle.remove(n)

    @rule(beyond=st.integers(1, 5))
    def advance_too_far(self, beyond: int) -> None:
        """Try to remove more than was shown."""
        with pytest.raises(ValueError, match=f": {self.shown} are left"):
            self.out.advance(self.shown + beyond)

    @rule()
    def wake(self) -> None:
        """Wake what is pending, if it is."""
        self.out.wake()
        self.oracle.waiting = False

    @rule()
    def close_when_done(self) -> None:
        """Close."""
        self.out.close_when_done()
        self.closing = True

    @precondition(lambda self: len(self.oracle.items) > 2)
    @rule()
    def discard(self) -> None:
        """Drop everything."""
        self.out.discard()
        self.oracle.items.clear()
        self.oracle.waiting = False
        self.oracle.measure()
        self.shown = 0

    @invariant()
    def state(self) -> None:
        """Compare all that can be seen."""
        oracle = self.oracle
        assert len(self.out) == oracle.measure()
        assert bool(self.out) == bool(oracle.items)
        assert self.out.congested == oracle.congested
        assert self.out.closing == self.closing
        assert self.out.done == (self.closing and not oracle.items)
        producers = sum(isinstance(item, list) for item in oracle.items)
        assert sum(not script.closed for script in self.scripts) == producers
        assert all(script.closed <= 1 for script in self.scripts)


TestQueueMachine = QueueMachine.TestCase


def drain(out: OutputQueue, max_size: int | None = None) -> bytes:
    """Take all that can be had now."""
    return b"".join(iter(lambda: out.data_to_send(max_size), b""))


def producer_of(shape: type[Script], *steps: Step) -> Any:
    """Make a producer; Any, because a checker cannot know which shape it has."""
    return shape(*steps)


def linear(work: Callable[[int], object], n: int) -> bool:
    """Whether twice the input takes less than 2.6 times the time, in one of five attempts."""

    def seconds(size: int) -> float:
        start = time.process_time()
        work(size)
        return time.process_time() - start

    return any(seconds(2 * n) < 2.6 * seconds(n) for _ in range(5))


# Pushes


def test_bytes_are_kept_without_a_copy() -> None:
    """What is pushed as bytes is the very object that goes out."""
    data = b"x" * 1000
    out = OutputQueue()
    out.push(data)
    assert out.buffers()[0].obj is data
    assert out.data_to_send() is data


@pytest.mark.parametrize("data", [bytearray(b"abc"), memoryview(bytearray(b"abc"))])
def test_a_mutable_buffer_is_copied(data: bytearray | memoryview) -> None:
    """The caller may overwrite a pushed bytearray, or the memory behind a view, at once."""
    out = OutputQueue()
    out.push(data)
    data[:] = b"XYZ"
    assert out.data_to_send() == b"abc"


def test_what_counts_is_bytes() -> None:
    """With an itemsize of 4, three items are twelve bytes."""
    out = OutputQueue()
    data = array.array("I", [1, 2, 3])
    out.push(memoryview(data))
    assert len(out) == 12
    assert out.data_to_send() == data.tobytes()


@pytest.mark.parametrize("data", ["text", 5, None])
def test_what_is_refused(data: Any) -> None:
    """What is neither bytes nor a producer is a TypeError that names it, and nothing changes."""
    out = OutputQueue()
    with pytest.raises(TypeError, match=rf"push\(\) takes bytes, not {type(data).__name__}"):
        out.push(data)
    for producer in (data, cast("Any", b"ab")):
        with pytest.raises(TypeError, match=r"data as such goes to push\(\)"):
            out.push_producer(producer)
    assert not out


@pytest.mark.parametrize("data", [b"", bytearray(), memoryview(b"")])
def test_q6_an_empty_push_sends_nothing(data: Any) -> None:
    """It ends nothing and closes nothing either."""
    out = OutputQueue()
    out.push(data)
    assert not out
    out.push(b"a")
    out.push(data)
    out.push(b"b")
    assert drain(out) == b"ab"


# Q1: order


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("max_size", [1, 2, 3, 7, None])
def test_q1_order_is_exact(shape: type[Script], max_size: int | None) -> None:
    """Producers and pushes go out first in, first out, however small the sends."""
    out = OutputQueue()
    out.push(b"ab")
    out.push_producer(producer_of(shape, b"cd", b"ef"))
    out.push(b"gh")
    out.push_producer(producer_of(shape))
    out.push_producer(producer_of(shape, b"i"))
    out.push(b"j")
    assert drain(out, max_size) == b"abcdefghij"


# Q2: the end of a producer


@pytest.mark.parametrize("shape", SHAPES)
def test_q2_an_empty_chunk_ends_it(shape: type[Script]) -> None:
    """What comes after b"" is never asked for, of an iterable neither."""
    script = producer_of(shape, b"a", b"", b"never")
    out = OutputQueue()
    out.push_producer(script)
    out.push(b"z")
    assert drain(out) == b"az"
    assert (script.asked, script.closed) == (2, 1)
    assert script.steps == [b"never"]


@pytest.mark.parametrize("shape", SHAPES)
def test_q2_a_falsy_producer_is_a_producer(shape: type[Script]) -> None:
    """Its truth is never asked; asynchat drops such a one unseen."""
    script = producer_of(shape, b"a")
    assert not script
    out = OutputQueue()
    out.push_producer(script)
    assert out
    assert drain(out) == b"a"


@pytest.mark.parametrize("step", [OSError("disk"), cast("Any", "text"), cast("Any", 5)])
@pytest.mark.parametrize("ask", [OutputQueue.data_to_send, OutputQueue.buffers])
def test_q2_an_error_surfaces_once(step: Step, ask: Callable[[OutputQueue], object]) -> None:
    """It comes out of the call that pulled; the producer is closed, the rest stays."""
    script = WithMore(b"a", step)
    out = OutputQueue()
    out.push_producer(script)
    out.push(b"z")
    assert out.data_to_send() == b"a"
    with pytest.raises((OSError, TypeError), match=r"disk|a producer gives bytes"):
        ask(out)
    assert script.closed == 1
    assert drain(out) == b"z"
    assert not out


class Unclosable(WithMore):
    def close(self) -> None:
        """Count, and fail."""
        super().close()
        raise OSError(f"close of {self.steps}")


@pytest.mark.parametrize("last", [b"", KeyError("first")])
def test_q2_an_error_in_close_surfaces_once(last: Step) -> None:
    """It comes out of the call that found the end; what is behind goes out with the next."""
    script = Unclosable(b"a", last)
    out = OutputQueue()
    out.push_producer(script)
    out.push(b"z")
    assert out.data_to_send() == b"a"
    with pytest.raises(OSError, match="close of") as caught:
        out.data_to_send()
    assert caught.value.__context__ is (last or None)
    assert drain(out) == b"z"
    assert script.closed == 1


def test_q2_discard_closes_all_even_if_some_raise() -> None:
    """Every producer is closed once, and the errors come out together."""
    scripts = [Unclosable(b"1"), WithMore(b"2"), Unclosable(b"3")]
    out = OutputQueue()
    for script in scripts:
        out.push(b"a")
        out.push_producer(script)
    with pytest.raises(ExceptionGroup) as caught:
        out.discard()
    assert len(caught.value.exceptions) == 2
    assert not out
    out.discard()
    assert [script.closed for script in scripts] == [1, 1, 1]
    assert [script.asked for script in scripts] == [0, 0, 0]


# Q3: laziness


def test_q3_a_file_of_10_gib_costs_one_chunk() -> None:
    """It is read once for each chunk that goes out, and never ahead of that."""

    class Huge:
        reads = 0

        def read(self, size: int, /) -> bytes:
            assert size == len(chunk)
            self.reads += 1
            return chunk

    chunk = bytes(65536)
    huge = Huge()
    out = OutputQueue()
    out.push(b"header")
    out.push_producer(huge)
    out.push(b"trailer")
    assert out.data_to_send() == b"header"
    assert huge.reads == 0
    for n in range(1, 100):
        assert len(out) == len(b"trailer")
        assert out.data_to_send(10000) == bytes(10000)
        assert len(out) < 65536
        assert sum(map(len, out.buffers())) == 55536
        assert huge.reads == n
        out.advance(55536)
        assert huge.reads == n
    assert not out.congested
    out.discard()


def test_q3_nothing_is_asked_before_somebody_wants_bytes() -> None:
    """Pushing, closing and looking at the state pull nothing; nor do sizes of nothing."""
    script = WithMore(b"a")
    out = OutputQueue()
    out.push_producer(script)
    out.close_when_done()
    out.wake()
    assert (len(out), bool(out), out.done, out.congested) == (0, True, False, False)
    assert out.data_to_send(0) == b""
    assert out.buffers(0) == out.buffers(9, 0) == []
    assert script.asked == 0


def test_q3_a_producer_that_has_ended_does_not_cost_a_call() -> None:
    """The call that finds ends goes on to the bytes behind them."""
    out = OutputQueue()
    for _ in range(5000):
        out.push_producer([])
    out.push(b"z")
    assert out.data_to_send() == b"z"


# Q4: PENDING


@pytest.mark.parametrize("shape", SHAPES)
def test_q4_pending(shape: type[Script]) -> None:
    """It is not asked again, and nothing overtakes it, until wake()."""
    script = producer_of(shape, b"a", PENDING, PENDING, b"b")
    out = OutputQueue()
    out.push_producer(script)
    out.push(b"z")
    assert drain(out) == b"a"
    for asked in (2, 3):
        for _ in range(2):
            assert out
            assert out.data_to_send() == b""
            assert out.buffers() == []
            assert script.asked == asked
        out.wake()
        assert script.asked == asked
    assert drain(out) == b"bz"


def test_q4_wake_while_it_is_asked_counts() -> None:
    """A wake() between the question and the PENDING is not lost, and does not poll either."""
    woken: list[int] = []

    class Hasty(WithMore):
        def more(self) -> bytes | Pending:
            out.wake()
            return super().more()

    script = Hasty(PENDING, PENDING, b"a")
    out = OutputQueue()
    out.on_ready = lambda: woken.append(script.asked)
    out.push_producer(script)
    for asked in (1, 2):
        assert out.data_to_send() == b""
        assert script.asked == asked
    assert drain(out) == b"a"
    assert woken[:3] == [0, 0, 1]


# Q5: congestion


def test_q5_hysteresis() -> None:
    """Above high water it goes up, at low water it comes down, and in between it stays."""
    out = OutputQueue(high_water=10, low_water=4)
    out.push(b"x" * 10)
    assert not out.congested
    out.push(b"x")
    assert out.congested
    out.data_to_send(6)
    assert (len(out), out.congested) == (5, True)
    out.buffers()
    out.advance(1)
    assert (len(out), out.congested) == (4, False)
    out.push(b"x" * 6)
    assert (len(out), out.congested) == (10, False)
    out.push(b"x")
    assert out.congested
    out.discard()
    assert not out.congested


@pytest.mark.parametrize(
    ("arguments", "low"), [((), 16384), ((100,), 25), ((3,), 0), ((0,), 0), ((9, 8), 8)]
)
def test_q5_low_water_is_a_quarter_unless_said(arguments: tuple[int, ...], low: int) -> None:
    """So a high water alone will do; the default of 65536 makes it 16384."""
    out = OutputQueue(*arguments)
    out.push(bytes(70000))
    out.data_to_send(70000 - low - 1)
    assert (len(out), out.congested) == (low + 1, True)
    out.data_to_send(1)
    assert (len(out), out.congested) == (low, False)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"high_water": 10, "low_water": 11}, ValueError),
        ({"high_water": -1}, ValueError),
        ({"high_water": None}, TypeError),
        ({"high_water": 1e6}, TypeError),
        ({"low_water": -1}, ValueError),
        ({"low_water": False}, TypeError),
        ({"chunk_size": 0}, ValueError),
        ({"chunk_size": True}, TypeError),
    ],
)
def test_q5_sizes_are_checked(arguments: dict[str, Any], error: type[Exception]) -> None:
    """Marks that make no sense are refused, with the name of what is wrong."""
    with pytest.raises(error, match=f"^{next(iter(arguments))}"):
        OutputQueue(**arguments)


def test_q5_the_defaults() -> None:
    """64 KiB in memory or of a file; 64 buffers, or one of 256 KiB; by position or by name."""
    signature = inspect.signature(OutputQueue)
    assert {name: p.default for name, p in signature.parameters.items()} == {
        "high_water": 65536,
        "low_water": None,
        "chunk_size": 65536,
    }
    shown = inspect.signature(OutputQueue.next_buffer).parameters["max_size"]
    assert shown.default == 256 * 1024
    out = OutputQueue()
    for _ in range(66):
        out.push(b"a")
    assert out.buffers() == [b"a"] * 64


# Q6: closing


def test_q6_push_after_close() -> None:
    """It is a UsageError, nothing changes, and a producer is not touched."""

    class Untouchable:
        def __getattribute__(self, name: str, /) -> Any:
            raise AssertionError(name)

    out = OutputQueue()
    out.push(b"a")
    out.close_when_done()
    with pytest.raises(UsageError, match=r"push\(\) comes too late"):
        out.push(b"b")
    with pytest.raises(UsageError, match=r"push_producer\(\) comes too late"):
        out.push_producer(cast("Any", Untouchable()))
    assert (out.closing, out.done, len(out)) == (True, False, 1)
    assert drain(out) == b"a"
    assert out.done


def test_q6_done_after_a_producer() -> None:
    """That it has ended shows when it is asked once more; to close twice changes nothing."""
    out = OutputQueue()
    out.push_producer([b"a"])
    out.close_when_done()
    out.close_when_done()
    assert out.data_to_send() == b"a"
    assert not out.done
    assert out.data_to_send() == b""
    assert out.done


# Q7: buffers and advance


def test_q7_buffers_do_not_remove() -> None:
    """The same bytes are shown until advance() removes them; what was shown never changes."""
    out = OutputQueue()
    out.push(b"spam")
    out.push(b"eggs")
    shown = out.buffers()
    assert shown == out.buffers() == [b"spam", b"eggs"]
    assert shown[0].readonly
    out.advance(3)
    assert out.buffers() == [b"m", b"eggs"]
    assert out.buffers(max_size=2) == [b"m", b"e"]
    assert out.buffers(max_count=1, max_size=9) == [b"m"]
    out.discard()
    assert shown == [b"spam", b"eggs"]


def test_q7_advance_past_what_was_shown() -> None:
    """It is a ValueError, and nothing changes, even if there are more bytes."""
    out = OutputQueue()
    out.push(b"abcdef")
    for left in (0, 4, 1):
        with pytest.raises(ValueError, match=f"advance by 5 bytes: {left} are left of those"):
            out.advance(5)
        if left:
            out.advance(min(left, 3))
        else:
            out.buffers(max_size=4)
    assert drain(out) == b"ef"


@pytest.mark.parametrize(("n", "error"), [(True, TypeError), (1.0, TypeError), (-1, ValueError)])
def test_q7_sizes_are_checked(n: Any, error: type[Exception]) -> None:
    """What makes no sense is refused, and nothing changes, also where there is nothing to do."""
    out = OutputQueue()
    out.push(b"abc")
    out.buffers()
    for name, call in (
        ("n", lambda: out.advance(n)),
        ("max_count", lambda: out.buffers(n)),
        ("max_size", lambda: out.buffers(0, n)),
        ("max_size", lambda: out.data_to_send(n)),
    ):
        with pytest.raises(error, match=f"^{name} must be"):
            call()
    out.advance(1)
    assert drain(out) == b"bc"


def test_q7_what_happens_in_between() -> None:
    """A push leaves what was shown; data_to_send(), discard() and buffers() of none void it."""
    out = OutputQueue()
    out.push(b"abc")
    out.buffers()
    out.push(b"def")
    out.advance(3)
    assert len(out) == 3
    for void in (lambda: out.data_to_send(1), lambda: out.buffers(0), out.discard):
        out.buffers()
        void()
        with pytest.raises(ValueError, match="0 are left"):
            out.advance(1)


# The rest of the contract


def byte_by_byte(out: OutputQueue) -> None:
    """Take it as a very slow peer does."""
    while out.data_to_send(1):
        pass


def byte_by_byte_shown(out: OutputQueue) -> None:
    """Take it as a peer does to whom everything is shown for every byte."""
    while out.buffers():
        out.advance(1)


@pytest.mark.parametrize("take", [byte_by_byte, byte_by_byte_shown])
@pytest.mark.parametrize("kind", ["one push", "small pushes", "small chunks", "small producers"])
def test_time_is_linear(kind: str, take: Callable[[OutputQueue], None]) -> None:
    """A peer that takes one byte at a time costs linear time, whatever it takes them of."""

    def work(n: int) -> None:
        out = OutputQueue()
        if kind == "one push":
            out.push(bytes(n))
        elif kind == "small chunks":
            out.push_producer([b"a"] * n)
        else:
            for _ in range(n // 2):
                out.push(b"ab") if kind == "small pushes" else out.push_producer([b"ab"])
        take(out)

    assert linear(work, 1 << 14)


def test_memory() -> None:
    """An idle queue is small, also after it was used; a tiny push costs some 10 words."""

    def cost(make: Callable[[], object]) -> float:
        tracemalloc.start()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        kept = make()
        try:
            return tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
            del kept

    def idle() -> list[OutputQueue]:
        return [OutputQueue() for _ in range(400)]

    def used() -> list[OutputQueue]:
        queues = idle()
        for n, out in enumerate(queues):
            out.push(b"%d" % n)
            out.push_producer([b"x"])
            drain(out)
            out.push(b"%d" % n)
            out.push(b"%d" % n)
            while out.buffers():
                out.advance(1)
        return queues

    def sent() -> list[OutputQueue]:
        queues = idle()
        for n, out in enumerate(queues):
            out.push(b"%d" % n)
            out.push(b"%d" % n)
            assert out.data_to_send() == b"%d" % n * 2
        return queues

    def shown() -> list[OutputQueue]:
        queues = idle()
        for n, out in enumerate(queues):
            out.push(b"%d" % n)
            out.push(b"%d" % n)
            assert out.next_buffer() == out.data_to_send()
        return queues

    def ended() -> list[OutputQueue]:
        queues = idle()
        for out in queues:
            out.push_producer([b"x"])
            while piece := out.next_buffer():
                out.advance(len(piece))
        return queues

    def backlog() -> OutputQueue:
        out = OutputQueue()
        for n in range(10000):
            out.push(b"%d" % n)
        return out

    assert cost(idle) < 250 * 400
    assert cost(used) < 250 * 400
    assert cost(sent) < 250 * 400
    assert cost(shown) < 250 * 400
    assert cost(ended) < 250 * 400
    assert cost(backlog) < 80 * 10000


def test_what_a_producer_may_do_while_it_is_asked() -> None:
    """It may push, which goes behind; asked for bytes, the queue has none; close works, too."""

    def busy() -> Iterator[bytes]:
        out.push(b"behind")
        assert out.data_to_send() == b""
        assert out.buffers() == []
        out.wake()
        assert out.data_to_send() == b""
        yield b"chunk"
        out.close_when_done()

    out = OutputQueue()
    out.push_producer(busy())
    assert drain(out) == b"chunkbehind"
    assert out.done


@pytest.mark.parametrize("last", [b"chunk", b"", PENDING, KeyError("last")])
def test_a_producer_that_discards_while_it_is_asked(last: Step) -> None:
    """Its chunk is dropped, it is closed once, after the call; what it pushed then goes out."""

    class Discards(WithMore):
        def more(self) -> bytes | Pending:
            out.discard()
            assert self.closed == 0
            out.push(b"new")
            return super().more()

    script, behind = Discards(last), WithMore(b"behind")
    out = OutputQueue()
    out.push_producer(script)
    out.push_producer(behind)
    out.push(b"behind")
    if isinstance(last, KeyError):
        with pytest.raises(KeyError, match="last"):
            out.data_to_send()
    assert drain(out) == b"new"
    assert (script.closed, behind.closed, behind.asked) == (1, 1, 0)
    assert not out


def test_close_of_a_producer_may_use_the_queue() -> None:
    """It is out of the queue by then: what it takes and pushes is in order, and it stays closed."""

    class Closes(WithMore):
        def close(self) -> None:
            super().close()
            got.append(out.data_to_send(1))
            out.push(b"closed")

    class Discards(WithMore):
        def close(self) -> None:
            super().close()
            out.discard()

    got: list[bytes] = []
    out = OutputQueue()
    script, discards = Closes(b"a"), Discards(b"b")
    out.push_producer(script)
    out.push_producer([b"next"])
    assert out.data_to_send() == b"a"
    assert drain(out) == b"extclosed"
    assert got == [b"n"]
    out.push_producer(discards)
    out.push(b"dropped")
    assert drain(out) == b"b"
    assert (script.closed, discards.closed) == (1, 1)
    assert not out


def test_on_ready() -> None:
    """It is called when there is something to do where there was nothing, and only then."""
    out = OutputQueue()
    states: list[str] = []

    def called() -> str:
        """Say in which states it was called since the last time."""
        said = ", ".join(states)
        states.clear()
        return said

    out.on_ready = lambda: states.append("done" if out.done else "more" if out else "nothing")
    out.push(b"")
    assert not called()
    out.push(b"a")
    out.push(b"b")
    out.push_producer([PENDING, b"c"])
    out.wake()
    assert called() == "more"
    assert drain(out) == b"ab"
    out.push(b"d")
    assert not called()
    out.wake()
    assert called() == "more"
    assert drain(out) == b"cd"
    out.push_producer([])
    assert called() == "more"
    out.close_when_done()
    out.close_when_done()
    assert called() == "more"
    out.discard()
    out.discard()
    assert called() == "done"


def test_names() -> None:
    """It says what is in the queue, and each state that is not the usual one."""
    out = OutputQueue(5, 1)
    assert repr(out) == "<framer.OutputQueue 0 bytes, 0 producers>"
    out.push(b"abcdef")
    out.push_producer([])
    out.close_when_done()
    assert repr(out) == "<framer.OutputQueue 6 bytes, 1 producers, congested, closing>"
    out.discard()
    assert repr(out) == "<framer.OutputQueue 0 bytes, 0 producers, closing, done>"
    assert OutputQueue.__module__ == "framer"
    with pytest.raises(AttributeError):
        out.congestd = True  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


# The producer that is next, for those who can send it in a faster way


def test_producer_is_the_one_that_is_next(tmp_path: Path) -> None:
    """It can be seen once all before it has gone out, and moved on by others than the queue."""
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    file = path.open("rb")
    out = OutputQueue(chunk_size=4)
    assert out.producer is None
    out.push(b"head")
    assert out.producer is None
    out.push_producer(file)
    assert out.producer is None
    assert out.data_to_send() == b"head"
    assert out.producer is file
    file.seek(3)  # as if the kernel had sent three bytes
    assert out.data_to_send() == b"3456"
    assert out.producer is file
    assert out.data_to_send(1) == b"7"
    assert out.producer is None  # the queue has a part of its next chunk
    assert out.data_to_send() == b"89"
    assert out.producer is file
    assert out.data_to_send() == b""
    assert file.closed
    assert out.producer is None


def test_producer_that_cannot_be_asked() -> None:
    """One that has nothing yet, or is being asked, is not to be touched."""
    out = OutputQueue()
    seen: list[object] = []

    class Peeking:
        def more(self) -> bytes | Pending:
            seen.append(out.producer)
            return PENDING if len(seen) == 1 else b""

    peeking = Peeking()
    out.push_producer(peeking)
    assert out.producer is peeking
    assert out.data_to_send() == b""
    assert out.producer is None
    out.wake()
    assert out.producer is peeking
    assert out.data_to_send() == b""
    assert seen == [None, None]
    assert out.producer is None


def test_next_buffer_joins_what_is_small() -> None:
    """As many pushes as fit; a large one is alone, and is not copied; a rest stays as it is."""
    out = OutputQueue()
    for n in range(100):
        out.push(b"%02d" % n)
    large = bytes(50)
    out.push(large)
    out.push(b"end")
    assert out.next_buffer(40) == b"".join(b"%02d" % n for n in range(20))
    assert len(out) == 253
    out.advance(39)
    assert out.next_buffer(40) == b"9"
    out.advance(1)
    assert bytes(out.next_buffer(1000)).endswith(b"99" + large + b"end")
    out = OutputQueue()
    out.push(large)
    out.push(b"end")
    assert len(out.next_buffer(40)) == 40
    out.advance(40)
    assert len(out.next_buffer(40)) == 10
    out.push(large)
    out.advance(10)
    assert out.next_buffer(40) == b"end"
    out.advance(3)
    assert out.next_buffer(50) is large
    with pytest.raises(ValueError, match="max_size"):
        out.next_buffer(0)


def test_next_buffer_stops_at_a_producer() -> None:
    """What is behind one waits for it, whether it has something or not."""
    out = OutputQueue()
    out.push(b"a")
    out.push(b"b")
    out.push_producer([b"chunk", PENDING])
    out.push(b"c")
    assert out.next_buffer() == b"ab"
    out.advance(2)
    assert out.next_buffer() == b"chunk"
    out.advance(5)
    assert out.next_buffer() == b""
    out.wake()
    assert out.next_buffer() == b"c"


def test_next_buffer_at_the_end_of_the_last_producer() -> None:
    """There is nothing behind it, neither before nor after it is known."""
    out = OutputQueue()
    out.push_producer([b"chunk"])
    assert out.next_buffer() == b"chunk"
    out.advance(5)
    assert out.next_buffer() == b""
    assert not out


def test_congestion_that_a_discard_ends_is_told() -> None:
    """Who has stopped reading for it can go on."""
    out = OutputQueue(high_water=3)
    told: list[bool] = []
    out.push(b"four")
    out.on_ready = lambda: told.append(out.congested)
    out.discard()
    assert told == [False]
    out.push(b"abc")
    out.discard()
    assert told == [False, False]  # of the push, not of the discard


def test_next_buffer_copies_each_byte_once() -> None:
    """A peer that takes one byte at a time, and pushes in between, cost the same as others."""
    out = OutputQueue()
    joined = 0
    for _ in range(300):
        out.push(b"x" * 10)
        buffer = out.next_buffer()
        if isinstance(buffer, bytes):  # and not what is left of one that was shown before
            joined += len(buffer)
        assert out.next_buffer() == buffer  # as when the socket takes nothing
        out.advance(1)
    assert len(out) == 2700
    assert joined <= 3000


def test_next_buffer_is_the_same_until_it_is_sent() -> None:
    """TLS has to offer the very bytes again that a socket did not take."""
    out = OutputQueue()
    out.push(b"<")
    out.push(b">")
    assert out.next_buffer() == b"<>"
    out.advance(2)
    out.push(b"a")
    first = out.next_buffer()
    out.push(b"b")
    assert out.next_buffer() == first == b"a"
    assert len(out.buffers()) == 2
    out.advance(1)
    assert out.next_buffer() == b"b"


# What mutants of the module taught


def test_the_smallest_sizes() -> None:
    """Of a file a byte at a time, to a peer who takes a byte at a time."""
    out = OutputQueue(chunk_size=1)
    out.push_producer(io.BytesIO(b"ab"))
    for byte in (b"a", b"b"):
        assert out.next_buffer(max_size=1) == byte
        out.advance(1)
    assert out.next_buffer(max_size=1) == b""


@pytest.mark.parametrize("size", [1.5, True, "1", None])
def test_next_buffer_checks_its_type(size: Any) -> None:
    """A size that is no int is refused also where it could pass for one."""
    out = OutputQueue()
    out.push(b"a")
    with pytest.raises(TypeError, match=r"^max_size must be an int"):
        out.next_buffer(size)


def test_the_least_is_said() -> None:
    """Who passes too little is told what the least is."""
    out = OutputQueue()
    with pytest.raises(ValueError, match=r"^max_size must be at least 1"):
        out.next_buffer(0)
    with pytest.raises(ValueError, match=r"^n must be at least 0"):
        out.advance(-1)


def test_high_water_itself_is_no_congestion() -> None:
    """However it is reached: by one push, by several, or by the chunk of a producer."""
    for pieces in ([b"abcd"], [b"ab", b"cd"], [b"a", b"b", b"cd"]):
        out = OutputQueue(4)
        for piece in pieces:
            out.push(piece)
        assert not out.congested
        out.push(b"e")
        assert out.congested
    out = OutputQueue(4)
    out.push_producer([b"abcd", b"abcde"])
    assert out.next_buffer() == b"abcd"
    assert not out.congested
    out.advance(4)
    assert out.next_buffer() == b"abcde"
    assert out.congested


def test_the_producer_is_the_one_in_front() -> None:
    """What stands behind it does not matter, be it bytes or another producer."""
    first, second = [b"a"], [b"b"]
    out = OutputQueue()
    out.push_producer(first)
    out.push_producer(second)
    assert out.producer is first
    out.push(b"c")
    assert out.producer is first


def test_there_is_no_producer_where_bytes_are_next() -> None:
    """Nor when what was shown of the queue ended just before them."""
    out = OutputQueue()
    out.push(b"a")
    out.push(b"b")
    out.push_producer([b"c"])
    assert out.data_to_send(1) == b"a"
    assert out.producer is None


def test_whoever_takes_the_last_byte_ends_congestion() -> None:
    """Be it as bytes, or by an advance past all that was shown."""
    out = OutputQueue(4)
    out.push(b"spam and eggs")
    assert out.congested
    assert out.data_to_send() == b"spam and eggs"
    assert not out.congested
    out.push(b"spam and eggs")
    assert out.next_buffer() == b"spam and eggs"
    assert out.congested
    out.advance(13)
    assert not out.congested


def test_on_ready_is_for_something_new() -> None:
    """No call for what an adapter knows already."""
    told: list[str] = []
    out = OutputQueue()
    out.on_ready = lambda: told.append("ready")
    out.push_producer([b"ab", PENDING, b"c"])
    assert told == ["ready"]
    out.wake()  # nobody waits
    assert told == ["ready"]
    out.push(b"d")
    out.push(b"e")
    assert out.data_to_send(1) == b"a"
    out.push_producer([b"f"])  # behind others
    assert told == ["ready"]
    out.close_when_done()
    out.discard()
    assert told == ["ready"] * 3
    out.discard()  # it was done before
    assert told == ["ready"] * 3


def test_no_on_ready_behind_what_is_left() -> None:
    """After a part was sent, up to the end of a push, the queue is not empty."""
    told: list[str] = []
    out = OutputQueue()
    out.push(b"a")
    out.push(b"b")
    assert out.data_to_send(1) == b"a"
    out.on_ready = lambda: told.append("ready")
    out.push_producer([b"c"])
    assert not told
    assert out.data_to_send() == b"b"


def test_buffers_end_at_their_limits() -> None:
    """No empty buffer behind what is allowed, and both limits count, also if they are equal."""
    out = OutputQueue()
    for piece in (b"a", b"b", b"c"):
        out.push(piece)
    assert out.buffers(max_size=1) == [b"a"]
    assert out.buffers(2, 2) == [b"a", b"b"]
    assert out.buffers(2) == [b"a", b"b"]


def test_what_is_left_of_a_push_is_no_copy() -> None:
    """After a partial send the rest is a view of the very bytes that were pushed."""
    data = bytes(range(100))
    out = OutputQueue()
    out.push(data)
    assert out.data_to_send(1) == data[:1]
    (rest,) = out.buffers()
    assert rest == data[1:]
    assert rest.obj is data


def test_a_push_before_a_producer_is_no_copy() -> None:
    """It comes out as the very object that went in."""
    data = bytes(range(100))
    out = OutputQueue()
    out.push(data)
    out.push_producer([b"spam"])
    assert out.data_to_send() is data


def test_a_part_of_a_push_is_no_copy() -> None:
    """Nor is what is shown of one that is larger than what may be shown."""
    data = bytes(range(100))
    out = OutputQueue()
    out.push(data)
    (part,) = out.buffers(max_size=10)
    assert part == data[:10]
    assert part.obj is data


def test_what_was_joined_is_gone_from_its_place() -> None:
    """It is sent once, also if more is pushed before its last byte is out."""
    out = OutputQueue()
    out.push(b"spam")
    out.push(b"eggs")
    assert out.next_buffer() == b"spameggs"
    out.advance(7)
    out.push(b"ham")
    assert out.next_buffer() == b"s"
    out.advance(1)
    assert out.next_buffer() == b"ham"


def test_a_push_that_is_too_large_is_shown_in_parts() -> None:
    """The first of what is left may have more bytes than may be shown."""
    out = OutputQueue()
    out.push(b"a")
    out.push(b"bcd")
    assert out.data_to_send(1) == b"a"
    for shown in (b"bc", b"d"):
        assert out.next_buffer(max_size=2) == shown
        out.advance(len(shown))
    assert not out


def test_only_what_has_ended_is_removed() -> None:
    """A producer that empties the queue while it is asked does not take the next with it."""

    class Last:
        def more(self) -> bytes:
            out.discard()
            out.push_producer([b"new"])
            return b""

    out = OutputQueue()
    out.push_producer(Last())
    assert drain(out) == b"new"
