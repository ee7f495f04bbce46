"""One conversation: which hooks are called, in which order, and how it ends."""

from __future__ import annotations

import gc
import itertools
import tracemalloc
from collections.abc import Iterator
from typing import Any, ClassVar, TypeAlias, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framer._channel import Channel
from framer._exceptions import (
    FrameTooLarge,
    FramingError,
    IncompleteFrame,
    MalformedFrame,
    UsageError,
)
from framer._framer import Framer
from framer._output import OutputQueue
from framer._producers import PENDING, Pending
from framer._terminators import (
    ANY_NEWLINE,
    LengthFrom,
    LengthPrefix,
    Netstring,
    Terminator,
    VarintPrefix,
)

Call: TypeAlias = tuple[str, object]


class Recorder(Channel):
    """A channel that takes note of every hook."""

    terminator: Terminator = b"\r\n"

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def connection_made(self) -> None:
        """Take note."""
        self.calls.append(("made", None))

    def framing_error(self, exc: FramingError, /) -> None:
        """Take note, and close."""
        self.calls.append(("error", str(exc)))
        super().framing_error(exc)

    def eof_received(self) -> bool | None:
        """Take note."""
        self.calls.append(("eof", None))
        return super().eof_received()

    def connection_lost(self, exc: BaseException | None, /) -> None:
        """Take note."""
        self.calls.append(("lost", exc))

    def feed(self, *chunks: bytes) -> list[Call]:
        """Receive, and return the calls that were made meanwhile."""
        before = len(self.calls)
        for chunk in chunks:
            self.receive_data(chunk)
        return self.calls[before:]


class Whole(Recorder):
    """It takes whole frames, and each may be a command."""

    def frame_received(self, frame: bytes, /) -> None:
        """Take note, then do as told."""
        self.calls.append(("frame", frame))
        command = getattr(self, f"do_{frame.decode('latin-1')}", None)
        if command is not None:
            command()

    def do_quit(self) -> None:
        """Close when done."""
        self.push(b"bye")
        self.close_when_done()

    def do_abort(self) -> None:
        """Discard."""
        self.push(b"bye")
        self.discard()

    def do_count(self) -> None:
        """Change the terminator."""
        self.terminator = 3

    def do_boom(self) -> None:
        """Fail."""
        raise KeyError("boom")


class Streaming(Recorder):
    """It takes frames as they arrive; neighbouring chunks are noted as one."""

    def data_received(self, chunk: bytes, /) -> None:
        """Take note, joined."""
        assert chunk
        if self.calls and self.calls[-1][0] == "data":
            chunk = cast("bytes", self.calls.pop()[1]) + chunk
        self.calls.append(("data", chunk))

    def terminator_found(self, matched: bytes | int, /) -> None:
        """Take note, and switch to counts after a payload of two dots."""
        switch = self.calls[-1] == ("data", b"..")
        self.calls.append(("end", matched))
        if switch:
            self.terminator = 3


def run(channel: Recorder, chunks: Iterator[bytes], *, eof: bool = True) -> list[Call]:
    """Do what an adapter does, and return all calls."""
    channel.connection_made()
    channel.receive_data(b"")  # a terminator of 0 needs no byte
    for chunk in chunks:
        if channel.closing:
            break
        channel.receive_data(chunk)
    if eof:
        channel.receive_eof()
    channel.receive_loss()
    return channel.calls


def cut(data: bytes, places: list[int]) -> Iterator[bytes]:
    """Cut the data at the places, wherever they are."""
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return (data[start:end] for start, end in itertools.pairwise(ends))


def length_of(header: bytes) -> int:
    """Read a decimal."""
    return int(header)


TERMINATORS: list[Terminator] = [
    b"\r\n",
    b"aab",
    (b"a\r", b"b\n"),
    ANY_NEWLINE,
    2,
    0,
    None,
    LengthPrefix(1),
    VarintPrefix(2),
    Netstring(),
    LengthFrom(b"\n", length_of, footer=b"."),
]

streams = st.lists(
    st.sampled_from([b"a", b"b", b"\r", b"\n", b"\r\n", b"1:a,", b"2\nab.", b"\1", b"\2"])
    | st.sampled_from([b"..\r\n", b"count\r\n", b"quit\r\n", b"abort\r\n"])
    | st.binary(max_size=3),
    max_size=20,
).map(b"".join)


@given(
    data=streams,
    places=st.lists(st.integers(0, 100), max_size=10),
    terminator=st.sampled_from(TERMINATORS),
    max_frame_size=st.integers(0, 12),
    kind=st.sampled_from([Whole, Streaming]),
    eof=st.booleans(),
)
def test_chunking_never_matters(
    *,
    data: bytes,
    places: list[int],
    terminator: Terminator,
    max_frame_size: int,
    kind: type[Recorder],
    eof: bool,
) -> None:
    """The same bytes, cut anywhere, give the same calls of hooks, with the same arguments."""

    def outcome(chunks: Iterator[bytes]) -> tuple[list[Call], bytes]:
        channel = kind()
        channel.terminator = terminator
        channel.max_frame_size = max_frame_size
        return run(channel, chunks, eof=eof), channel.output.data_to_send()

    whole = outcome(iter([data]))
    assert outcome(cut(data, places)) == whole
    assert outcome(data[n : n + 1] for n in range(len(data))) == whole
    assert [name for name, _ in whole[0]].count("lost") == 1


# Frames


def test_frames() -> None:
    """Each whole frame is one call, as soon as its last byte is there."""
    channel = Whole()
    assert channel.feed(b"a\r\n\r\nb") == [("frame", b"a"), ("frame", b"")]
    assert channel.feed(b"c\r") == []
    assert channel.feed(b"\n") == [("frame", b"bc")]
    assert channel.feed(b"") == []


def test_streaming() -> None:
    """Payload comes as it arrives, then what ended the frame."""
    channel = Streaming()
    assert channel.feed(b"ab\r") == [("data", b"ab")]
    channel.calls.clear()
    assert channel.feed(b"c\r\n\r\n") == [("data", b"\rc"), ("end", b"\r\n"), ("end", b"\r\n")]


def test_streaming_without_an_interest_in_terminators() -> None:
    """A class that has data_received() alone need not define the other one."""

    class Dump(Channel):
        terminator = None

        def data_received(self, chunk: bytes, /) -> None:
            self.push(chunk)

    channel = Dump()
    channel.receive_data(b"ab")
    channel.receive_eof()
    assert channel.output.data_to_send() == b"ab"
    assert channel.output.done


def test_both_ways_to_receive_are_refused() -> None:
    """It is a TypeError when the class is defined, and says what to remove."""

    def hook(self: object, argument: object) -> None:
        raise AssertionError

    for name in ("data_received", "terminator_found"):
        with pytest.raises(TypeError, match=r"Both has frame_received\(\).*remove the one"):
            type("Both", (Whole,), {name: hook})


def test_a_hook_may_come_from_a_mixin() -> None:
    """What counts is what an instance has, wherever in its bases it is."""

    class Upper:
        def data_received(self: Any, chunk: bytes) -> None:
            self.push(chunk.upper())

    class Shout(Upper, Channel):
        pass

    channel = Shout()
    channel.receive_data(b"ab")
    assert channel.output.data_to_send() == b"AB"
    with pytest.raises(TypeError, match="Both has"):
        type("Both", (Upper, Whole), {})


def test_no_way_to_receive() -> None:
    """A class without frame_received() fails at the first frame, and says what to define."""

    class Nothing(Channel):
        pass

    class NoData(Channel):
        def terminator_found(self, matched: bytes | int, /) -> None:
            raise AssertionError

    for kind, missing in ((Nothing, "frame_received"), (NoData, "data_received")):
        channel = kind()
        channel.connection_made()
        channel.receive_data(b"a\n")
        assert isinstance(channel.hook_error, NotImplementedError)
        assert f"{kind.__name__} has" in str(channel.hook_error)
        assert missing in str(channel.hook_error)
        assert channel.closed


# Settings


def test_settings_in_the_class() -> None:
    """A channel starts with them, and a subclass inherits them; the defaults are Framer's."""

    class Small(Channel):
        terminator: Terminator = 5
        max_frame_size: int | None = None

    class Smaller(Small):
        max_frame_size = 7

    for _ in range(2):  # to make a channel changes nothing
        for kind, settings in (
            (Channel, (b"\n", 65536)),
            (Small, (5, None)),
            (Smaller, (5, 7)),
        ):
            framer = kind().framer
            assert (kind.terminator, kind.max_frame_size) == settings
            assert (framer.terminator, framer.max_frame_size) == settings


def test_settings_in_a_mixin() -> None:
    """They work like those of the class, and the mixin is left alone."""

    class Nul:
        terminator: Terminator = b"\0"

    class Mixed(Nul, Whole):
        pass

    channel = Mixed()
    assert channel.feed(b"a\0") == [("frame", b"a")]
    channel.terminator = b";"
    assert channel.feed(b"a;") == [("frame", b"a")]
    assert vars(Nul)["terminator"] == Mixed.terminator == b"\0"


def test_settings_changed_in_the_class() -> None:
    """Assigned to the class, they are for channels made from then on, and of subclasses."""

    class Base(Whole):
        terminator = b"1"

    class Derived(Base):
        pass

    old = Derived()
    Base.terminator = b"2"
    new = Derived()
    assert (old.terminator, new.terminator, Derived.terminator) == (b"1", b"2", b"2")
    new.terminator = b"3"
    assert new.feed(b"a3") == [("frame", b"a")]
    assert Derived.terminator == b"2"


def test_settings_of_one_channel() -> None:
    """Set in an __init__, which need not call that of Channel, they are nobody else's."""

    class Configured(Whole):
        def __init__(self, terminator: Terminator, *, limit: int) -> None:  # pyright: ignore[reportMissingSuperCall]
            self.terminator = terminator
            self.max_frame_size = limit
            self.push(b"hello")

    channel, other = Configured(b";", limit=2), Configured(b",", limit=9)
    assert (channel.framer.terminator, channel.framer.max_frame_size) == (b";", 2)
    assert (other.framer.terminator, other.framer.max_frame_size) == (b",", 9)
    assert Configured.terminator == b"\r\n"
    assert channel.output.data_to_send() == b"hello"
    with pytest.raises(TypeError, match="argument"):
        cast("Any", Channel)(1)  # without an __init__ there are none


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("terminator", b"", ValueError),
        ("terminator", "\n", TypeError),
        ("max_frame_size", -1, ValueError),
        ("max_frame_size", 1.5, TypeError),
    ],
)
def test_settings_that_make_no_sense(name: str, value: object, error: type[Exception]) -> None:
    """The framer refuses them: when a channel is made, or at the assignment."""
    with pytest.raises(error):
        type("Wrong", (Channel,), {name: value})()
    channel = Channel()
    before = getattr(channel, name)
    with pytest.raises(error):
        setattr(channel, name, value)
    assert getattr(channel, name) == before


def test_framer_and_output_can_be_replaced() -> None:
    """A subclass may make its own, with other limits."""

    class Own(Whole):
        def __init__(self) -> None:
            super().__init__()
            self.framer = Framer(b";")
            self.output = OutputQueue(10, 5)

    channel = Own()
    assert channel.feed(b"a;") == [("frame", b"a")]
    assert channel.terminator == b";"
    channel.push(bytes(11))
    assert channel.output.congested


def test_a_new_terminator_is_obeyed_by_the_next_byte() -> None:
    """Set in a hook, it applies straight behind the frame that was delivered."""
    channel = Whole()
    assert channel.feed(b"count\r\nabcdef\r") == [
        ("frame", b"count"),
        ("frame", b"abc"),
        ("frame", b"def"),
    ]
    assert channel.framer.buffered == 1
    assert channel.terminator == 3
    assert Whole.terminator == b"\r\n"
    streaming = Streaming()
    assert streaming.feed(b"..\r\nabcd") == [
        ("data", b".."),
        ("end", b"\r\n"),
        ("data", b"abc"),
        ("end", 3),
        ("data", b"d"),
    ]


def test_a_hook_may_use_the_framer() -> None:
    """It may take what is buffered, or push it back, in the middle of a read."""

    class Upgrade(Whole):
        def do_upgrade(self) -> None:
            self.rest = self.framer.take_buffered()

        def do_again(self) -> None:
            self.framer.push_back(b"x\r\n")

    channel = Upgrade()
    assert channel.feed(b"upgrade\r\n\x16\x03\r\n") == [("frame", b"upgrade")]
    assert channel.rest == b"\x16\x03\r\n"
    assert channel.feed(b"again\r\ny\r\n") == [
        ("frame", b"again"),
        ("frame", b"x"),
        ("frame", b"y"),
    ]


def test_what_a_hook_gives_to_the_framer_is_delivered() -> None:
    """In the same read, also behind a frame after which nothing was left."""

    class Echo(Whole):
        def do_more(self) -> None:
            self.framer.receive_data(b"this\r\n")

    channel = Echo()
    for _ in range(8):
        channel.feed(b"one line at a time\r\n")
    assert channel.feed(b"more\r\n") == [("frame", b"more"), ("frame", b"this")]


# Closing


@pytest.mark.parametrize("command", [b"quit", b"abort", b"direct"])
def test_nothing_is_delivered_after_closing(command: bytes) -> None:
    """What came behind QUIT can still be taken; what comes later is dropped, and costs nothing."""

    class Direct(Whole):
        def do_direct(self) -> None:
            self.output.close_when_done()

    channel = Direct()
    assert channel.feed(command + b"\r\nDELE x\r\nDELE y\r\n") == [("frame", command)]
    assert (channel.closing, channel.closed) == (True, False)
    assert channel.output.data_to_send() == (b"bye" if command == b"quit" else b"")
    assert channel.output.done
    assert channel.feed(*[b"a\r\n" * 1000] * 10) == []
    channel.receive_eof()
    assert channel.calls == [("frame", command)]
    assert channel.framer.take_buffered() == b"DELE x\r\nDELE y\r\n"


def test_no_event_after_closing() -> None:
    """It is the same when streaming."""

    class Once(Streaming):
        def terminator_found(self, matched: bytes | int, /) -> None:
            super().terminator_found(matched)
            self.close_when_done()

    channel = Once()
    assert channel.feed(b"a\r\nb\r\n") == [("data", b"a"), ("end", b"\r\n")]
    assert channel.framer.take_buffered() == b"b\r\n"


def test_output_goes_to_the_queue() -> None:
    """Data and producers, in order; after closing it is a UsageError, as there."""
    channel = Channel()
    channel.push(b"a")
    channel.push_producer([b"b"])
    channel.push(bytearray(b"c"))
    channel.close_when_done()
    channel.close_when_done()
    assert b"".join(iter(channel.output.data_to_send, b"")) == b"abc"
    with pytest.raises(UsageError, match="look at closing"):
        channel.push(b"a")
    with pytest.raises(UsageError, match="look at closing"):
        channel.push_producer([b"a"])


def test_a_last_word_in_place_of_the_rest() -> None:
    """To discard the output alone leaves the channel open for it."""
    channel = Whole()
    channel.push(b"a long answer")
    channel.output.discard()
    channel.push(b"sorry")
    channel.close_when_done()
    assert channel.output.data_to_send() == b"sorry"
    assert channel.output.done


# Hooks that raise


def lost(channel: Recorder) -> list[object]:
    """List what connection_lost() got."""
    return [argument for name, argument in channel.calls if name == "lost"]


class Closable:
    """A producer that counts how often it is closed."""

    def __init__(self) -> None:
        self.closed = 0

    def more(self) -> Pending:
        """Have nothing yet."""
        return PENDING

    def close(self) -> None:
        """Count."""
        self.closed += 1


def test_a_hook_that_raises_closes_its_channel() -> None:
    """Output is dropped, connection_lost() gets the error once, and the adapter can log it."""
    channel, other, producer = Whole(), Whole(), Closable()
    channel.push(b"never sent")
    channel.push_producer(producer)
    channel.feed(b"boom\r\nrest\r\n")
    error = channel.hook_error
    assert isinstance(error, KeyError)
    assert channel.calls == [("frame", b"boom"), ("lost", error)]
    assert (channel.closing, channel.closed, channel.output.done) == (True, True, True)
    assert producer.closed == 1
    assert channel.framer.take_buffered() == b"rest\r\n"
    assert channel.feed(b"a\r\n") == []
    channel.receive_eof()
    channel.receive_loss(OSError())
    assert lost(channel) == [error]
    assert other.feed(b"a\r\n") == [("frame", b"a")]


@pytest.mark.parametrize(
    "hook", ["data_received", "terminator_found", "framing_error", "eof_received"]
)
def test_any_hook_that_raises(hook: str) -> None:
    """It is the same for each of them, and for framing errors of the hook's own making."""
    error = MalformedFrame("made by the hook", 0, 0)

    def fail(self: Recorder, *_: object) -> None:
        raise error

    channel = type("Failing", (Streaming,), {hook: fail, "max_frame_size": 9})()
    channel.receive_data(b"abc\r\n" + (bytes(10) if hook == "framing_error" else b""))
    channel.receive_eof()
    assert channel.hook_error is error
    assert lost(channel) == [error]
    assert channel.closed


def test_what_the_framer_calls_may_raise() -> None:
    """An error of length_of() that is no ValueError is the program's: as if a hook had raised."""

    def broken(header: bytes) -> int:
        raise KeyError(header)

    channel = Whole()
    channel.terminator = LengthFrom(b"\n", broken)
    channel.feed(b"1\na")
    assert isinstance(channel.hook_error, KeyError)
    assert lost(channel) == [channel.hook_error]


@pytest.mark.parametrize("base", [Whole, Streaming])
def test_a_hook_with_a_framer_of_its_own(base: type[Recorder]) -> None:
    """What that framer says of its own stream is an error of the hook, and not of ours."""

    class Nested(base):  # type: ignore[misc, valid-type]  # of two kinds
        def inner(self, *_: object) -> None:
            framer = Framer(max_frame_size=1)
            framer.receive_data(b"too long")
            framer.next_frame()

        if base is Whole:
            frame_received = inner
        else:
            terminator_found = inner

    channel = Nested()
    channel.receive_data(b"a\r\nb\r\n")
    assert isinstance(channel.hook_error, FrameTooLarge)
    assert "error" not in dict(channel.calls)


def test_keyboard_interrupt_goes_on() -> None:
    """What is no Exception comes out of receive_data(), after connection_lost()."""

    class Interrupted(Whole):
        def do_interrupt(self) -> None:
            raise KeyboardInterrupt

    channel = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        channel.feed(b"interrupt\r\n")
    assert lost(channel) == [channel.hook_error]
    assert isinstance(channel.hook_error, KeyboardInterrupt)


def test_connection_lost_that_raises() -> None:
    """It comes out of the call that led to it, and connection_lost() is not called again."""

    class Bad(Whole):
        def connection_lost(self, exc: BaseException | None, /) -> None:
            super().connection_lost(exc)
            raise OSError("bad")

    channel = Bad()
    with pytest.raises(OSError, match="bad") as caught:
        channel.feed(b"boom\r\n")
    assert isinstance(caught.value.__context__, KeyError)
    channel.receive_loss()
    assert len(lost(channel)) == 1
    channel = Bad()
    with pytest.raises(OSError, match="bad"):
        channel.receive_loss()
    channel.receive_loss()
    assert lost(channel) == [None]


@pytest.mark.parametrize("error", [None, ConnectionResetError()])
def test_loss(error: Exception | None) -> None:
    """It drops the output and is passed on once, with its reason; no hook has failed."""
    channel, producer = Whole(), Closable()
    channel.push_producer(producer)
    channel.push(b"abc")
    channel.receive_loss(error)
    channel.receive_loss()
    assert channel.calls == [("lost", error)]
    assert channel.hook_error is None
    assert producer.closed == 1
    assert (channel.closed, channel.closing, channel.output.done) == (True, True, True)


def test_loss_in_a_hook() -> None:
    """An adapter that sends at once may find the connection gone while a hook runs."""
    channel = Whole()
    channel.output.on_ready = channel.receive_loss
    assert channel.feed(b"quit\r\nb\r\n") == [("frame", b"quit"), ("lost", None)]
    assert channel.framer.take_buffered() == b"b\r\n"


def test_loss_with_a_producer_that_cannot_be_closed() -> None:
    """Its error comes out, but connection_lost() is called, and the channel is closed."""

    class Unclosable(Closable):
        def close(self) -> None:
            raise OSError("stuck")

    channel = Whole()
    channel.push_producer(Unclosable())
    with pytest.raises(OSError, match="stuck"):
        channel.receive_loss()
    assert lost(channel) == [None]
    assert (channel.closed, channel.output.done) == (True, True)


@pytest.mark.parametrize("method", ["receive_data", "receive_eof", "receive_tls"])
def test_hooks_cannot_receive(method: str) -> None:
    """A hook inside a hook would break their order: a UsageError that names push_back()."""

    class Reentrant(Whole):
        def do_reenter(self) -> None:
            try:
                getattr(self, method)(*[b"x\r\n"][: method == "receive_data"])
            except UsageError as error:
                self.calls.append(("refused", str(error)))

    channel = Reentrant()
    calls = channel.feed(b"reenter\r\na\r\n")
    assert [name for name, _ in calls] == ["frame", "refused", "frame"]
    assert "push_back()" in str(calls[1][1])
    assert channel.feed(b"b\r\n") == [("frame", b"b")]


# Framing errors


class Limited(Whole):
    """Frames of up to 4 bytes, and a memory of errors."""

    max_frame_size = 4
    errors: ClassVar[list[FramingError]]

    def __init__(self) -> None:
        super().__init__()
        self.caught: list[FramingError] = []

    def framing_error(self, exc: FramingError, /) -> None:
        """Take note, and do nothing else."""
        self.calls.append(("error", type(exc)))
        self.caught.append(exc)


def test_a_framing_error_closes_by_default() -> None:
    """Nothing is pushed, but what was goes out; nothing more is delivered."""

    class Default(Channel):
        max_frame_size = 4

        def frame_received(self, frame: bytes, /) -> None:
            self.push(frame)

    channel = Default()
    channel.receive_data(b"a\nabcde\nb\n")
    assert (channel.closing, channel.closed) == (True, False)
    assert channel.hook_error is None
    assert channel.output.data_to_send() == b"a"
    assert channel.output.done
    assert channel.framer.take_buffered() == b"abcde\nb\n"


def test_a_framing_error_that_is_not_handled_closes() -> None:
    """A hook that neither closes nor recovers is called once; its last word still goes out."""

    class Polite(Limited):
        def framing_error(self, exc: FramingError, /) -> None:
            super().framing_error(exc)
            self.push(b"500 line too long\r\n")

    channel = Polite()
    assert channel.feed(b"a\r\nabcde\r\nb\r\n") == [("frame", b"a"), ("error", FrameTooLarge)]
    assert (channel.closing, channel.closed) == (True, False)
    assert channel.output.data_to_send() == b"500 line too long\r\n"
    assert channel.feed(b"c\r\n") == []
    channel.receive_loss()
    assert lost(channel) == [None]


class Skipping(Limited):
    def framing_error(self, exc: FramingError, /) -> None:
        """Skip the frame."""
        super().framing_error(exc)
        self.framer.skip_frame()


@pytest.mark.parametrize("size", [1, 3, 100])
def test_skipping_frames(size: int) -> None:
    """After skip_frame() delivery goes on, however many frames are too large, however cut."""
    data = b"a\r\nabcde\r\nabcdef\r\nb\r\nabcdefg\r\n\r\n"
    channel = Skipping()
    calls = channel.feed(*(data[n : n + size] for n in range(0, len(data), size)))
    assert calls == [
        ("frame", b"a"),
        ("error", FrameTooLarge),
        ("error", FrameTooLarge),
        ("frame", b"b"),
        ("error", FrameTooLarge),
        ("frame", b""),
    ]
    assert not channel.closing
    assert [exc.frame_start for exc in channel.caught] == [3, 10, 21]


def test_skipping_when_streaming() -> None:
    """The limit's worth of payload has been delivered; the rest of that frame is not."""

    class Skip(Streaming):
        max_frame_size = 4

        def framing_error(self, exc: FramingError, /) -> None:
            self.calls.append(("error", type(exc)))
            self.framer.skip_frame()

    channel = Skip()
    assert channel.feed(b"abcdefg\r\nh\r\n") == [
        ("data", b"abcd"),
        ("error", FrameTooLarge),
        ("data", b"h"),
        ("end", b"\r\n"),
    ]


def test_another_terminator_after_a_framing_error() -> None:
    """A hook may also recover by reading on in another way."""

    class Resort(Limited):
        def framing_error(self, exc: FramingError, /) -> None:
            super().framing_error(exc)
            self.terminator = 2

    channel = Resort()
    assert channel.feed(b"abcde\r\n") == [
        ("error", FrameTooLarge),
        ("frame", b"ab"),
        ("frame", b"cd"),
        ("frame", b"e\r"),
    ]
    assert not channel.closing


def test_malformed() -> None:
    """It cannot be recovered from, and is told once."""
    channel = Limited()
    channel.terminator = Netstring()
    assert channel.feed(b"1:a,x1:b,", b"1:c,") == [("frame", b"a"), ("error", MalformedFrame)]
    assert channel.closing


# The end of the stream


def test_eof() -> None:
    """It is told once, after all frames; by default the channel closes when done."""
    channel = Whole()
    channel.push(b"before")
    channel.receive_data(b"a\r\n")
    channel.receive_eof()
    channel.receive_eof()
    assert channel.calls == [("frame", b"a"), ("eof", None)]
    assert (channel.closing, channel.closed, channel.output.done) == (True, False, False)
    assert channel.output.data_to_send() == b"before"
    assert channel.output.done


def test_eof_half_open() -> None:
    """If eof_received() returns true, the channel goes on sending, until it closes itself."""

    class HalfOpen(Whole):
        def eof_received(self) -> bool:
            super().eof_received()
            return True

    channel = HalfOpen()
    channel.receive_eof()
    channel.receive_eof()
    assert channel.calls == [("eof", None)]
    assert not channel.closing
    with pytest.raises(UsageError, match="receive_data"):
        channel.receive_data(b"a\r\n")
    channel.push(b"more")
    channel.close_when_done()
    assert channel.output.data_to_send() == b"more"


@pytest.mark.parametrize("kind", [Whole, Streaming])
def test_eof_ends_the_last_frame(kind: type[Recorder]) -> None:
    """With None as terminator it is complete at the end, and comes before eof_received()."""
    channel = kind()
    channel.terminator = None
    channel.receive_data(b"abc")
    channel.receive_eof()
    names = [name for name, _ in channel.calls]
    assert names == (["frame", "eof"] if kind is Whole else ["data", "end", "eof"])
    assert channel.calls[0][1] == b"abc"


def test_eof_inside_a_frame() -> None:
    """framing_error() gets IncompleteFrame, the channel closes; eof_received() is not called."""
    channel = Limited()
    channel.feed(b"a\r\nbc")
    channel.receive_eof()
    assert channel.calls == [("frame", b"a"), ("error", IncompleteFrame)]
    (error,) = channel.caught
    assert isinstance(error, IncompleteFrame)
    assert error.partial == b"bc"
    assert channel.closing


def test_eof_inside_a_frame_that_is_taken() -> None:
    """A hook that takes the rest has recovered; then eof_received() comes."""

    class Lenient(Limited):
        def framing_error(self, exc: FramingError, /) -> None:
            super().framing_error(exc)
            self.calls.append(("rest", self.framer.take_buffered()))

    channel = Lenient()
    channel.feed(b"bc")
    channel.receive_eof()
    assert channel.calls == [("error", IncompleteFrame), ("rest", b"bc"), ("eof", None)]
    assert channel.closing


# What an adapter sees


def test_data_that_is_no_data() -> None:
    """A mistake of the adapter comes out of the call, and does not touch the conversation."""
    channel = Whole()
    with pytest.raises(TypeError):
        channel.receive_data(cast("Any", "text"))
    assert not channel.closing
    assert channel.feed(b"a\r\n") == [("frame", b"a")]


class Upgrading(Whole):
    """It has a command for TLS."""

    def do_tls(self) -> None:
        """Say so, ask for it, and have more to say afterwards."""
        self.push(b"go")
        self.start_tls("context", server_side=True, server_hostname="a.example")
        self.push(b"secret")

    def tls_started(self) -> None:
        """Take note."""
        self.calls.append(("tls", None))


def test_start_tls() -> None:
    """What was pushed before goes out first; then comes the handshake, the hook, and the rest."""
    channel = Upgrading()
    assert channel.tls_request is None
    assert channel.feed(b"tls\r\n") == [("frame", b"tls")]
    request = channel.tls_request
    assert request is not None
    assert (request.context, request.server_side) == ("context", True)
    assert request.server_hostname == "a.example"
    assert (channel.output.data_to_send(), request.ready) == (b"go", False)
    assert (channel.output.data_to_send(), request.ready) == (b"", True)
    assert channel.output
    with pytest.raises(UsageError, match="shake hands first"):
        channel.receive_data(b"plain\r\n")
    ready: list[bool] = []
    channel.output.on_ready = lambda: ready.append(True)
    channel.receive_tls()
    assert ready == [True]
    assert channel.tls_request is None
    assert channel.calls[1:] == [("tls", None)]
    assert channel.output.data_to_send() == b"secret"
    assert channel.feed(b"more\r\n") == [("frame", b"more")]
    channel.receive_tls()  # nobody asked
    assert channel.calls[-1] == ("frame", b"more")


@pytest.mark.parametrize("cut_at", range(6))
def test_start_tls_refuses_plain_text_behind_it(cut_at: int) -> None:
    """However it was cut, the hook that would take it over fails, and nothing is changed."""
    stream = b"tls\r\nx\r\n"
    channel = Upgrading()
    channel.receive_data(stream[:cut_at])
    if cut_at == 5:
        with pytest.raises(UsageError, match="shake hands first"):
            channel.receive_data(stream[5:])
        assert channel.framer.buffered == 0
        return
    channel.receive_data(stream[cut_at:])
    assert isinstance(channel.hook_error, UsageError)
    assert channel.tls_request is None
    assert channel.framer.take_buffered() == b"x\r\n"


def test_start_tls_twice() -> None:
    """One handshake at a time."""
    channel = Upgrading()
    channel.receive_data(b"tls\r\n")
    with pytest.raises(UsageError, match="again, before tls_started"):
        channel.start_tls("context")
    assert channel.output.data_to_send() == b"go"


def test_start_tls_too_late() -> None:
    """A channel that closes has no use for it."""
    channel = Upgrading()
    channel.close_when_done()
    with pytest.raises(UsageError, match="the channel is closing"):
        channel.start_tls("context")
    assert channel.output.done


def test_start_tls_and_close() -> None:
    """What was pushed behind it still goes out; the hook is not called any more."""
    channel = Upgrading()
    channel.receive_data(b"tls\r\n")
    channel.close_when_done()
    assert channel.output.data_to_send() == b"go"
    assert channel.output.data_to_send() == b""
    assert not channel.output.done
    channel.receive_tls()
    assert channel.output.data_to_send() == b"secret"
    assert channel.output.done
    assert ("tls", None) not in channel.calls


def test_start_tls_and_loss() -> None:
    """A handshake that fails is a connection that is lost; what comes later is dropped."""
    channel = Upgrading()
    channel.receive_data(b"tls\r\n")
    error = ConnectionError("bad certificate")
    channel.receive_loss(error)
    channel.receive_data(b"late\r\n")
    channel.receive_tls()
    assert channel.calls == [("frame", b"tls"), ("lost", error)]


def test_tls_started_that_raises() -> None:
    """It is a hook as any other."""

    class Failing(Upgrading):
        def tls_started(self) -> None:
            raise KeyError("boom")

    channel = Failing()
    channel.receive_data(b"tls\r\n")
    channel.receive_tls()
    assert isinstance(channel.hook_error, KeyError)
    assert channel.calls[-1] == ("lost", channel.hook_error)


def test_tls_started_does_nothing_by_default() -> None:
    """A server has nothing to do there."""
    channel = Whole()
    channel.start_tls("context")
    channel.receive_tls()
    assert channel.calls == []
    assert channel.hook_error is None


def test_what_one_read_brought_is_handled_whole() -> None:
    """All answers are in the queue when receive_data() returns, for one send (A8)."""
    channel = type("Echo", (Channel,), {"frame_received": Channel.push})()
    channel.receive_data(b"a\n" * 1000)
    assert channel.output.data_to_send() == b"a" * 1000


def test_on_ready_tells_of_pushes_from_elsewhere() -> None:
    """A channel that pushes to others wakes their adapters."""

    class Chat(Channel):
        peers: ClassVar[list[Channel]] = []

        def frame_received(self, frame: bytes, /) -> None:
            for peer in self.peers:
                if not peer.closing:
                    peer.push(frame)

    ready: list[int] = []
    for n in range(3):
        peer = Chat()
        peer.output.on_ready = lambda n=n: ready.append(n)
        Chat.peers.append(peer)
    Chat.peers[1].close_when_done()
    assert ready == [1]
    Chat.peers[2].receive_data(b"hello\n")
    assert ready == [1, 0, 2]


def test_memory() -> None:
    """An idle channel, with its framer and its queue, costs under 600 bytes, used or not."""

    class Slotted(Channel):
        __slots__ = ()

        def frame_received(self, frame: bytes, /) -> None:
            self.push(frame)

    class Plain(Slotted):
        pass

    for kind in (Slotted, Plain):
        kind()
        gc.collect()
        tracemalloc.start()
        channels = [kind() for _ in range(1000)]
        fresh = tracemalloc.get_traced_memory()[0]
        for channel in channels:
            channel.receive_data(b"hello\n")
            assert channel.output.data_to_send() == b"hello"
        used = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert fresh < 600 * len(channels)
        assert used < 600 * len(channels)


def test_names() -> None:
    """The class is public where users import it; a subclass may use any private name."""
    assert Channel.__module__ == "framer"

    class Greedy(Whole):
        def __init__(self) -> None:
            super().__init__()
            self._closed = self._ended = self._delivering = self._streams = True

        def _run(self) -> None:
            raise AssertionError

        _deliver = _deliver_frames = _deliver_events = _run

    assert Greedy().feed(b"a\r\n") == [("frame", b"a")]


# What mutants of the module taught


def test_base_class_wants_whole_frames() -> None:
    """A channel without hooks says which is missing."""
    channel = Channel()
    channel.connection_made()
    channel.receive_data(b"a\n")
    assert isinstance(channel.hook_error, NotImplementedError)
    assert "has to define frame_received()" in str(channel.hook_error)


def test_options_of_a_subclass_go_on() -> None:
    """What a class statement says besides is for the next class in line."""

    class Registered:
        names: ClassVar[list[str]] = []

        def __init_subclass__(cls, *, name: str = "", **kwargs: object) -> None:
            super().__init_subclass__(**kwargs)
            Registered.names.append(name)

    class Named(Channel, Registered, name="here"):
        pass

    assert Registered.names == ["here"]
    assert issubclass(Named, Channel)


def test_default_of_framing_error_closes() -> None:
    """An override that calls it has closed the channel, whatever it does to the frame."""

    class Careful(Channel):
        max_frame_size = 2

        def framing_error(self, exc: FramingError, /) -> None:
            super().framing_error(exc)
            self.framer.skip_frame()
            seen.append(self.closing)

    seen: list[bool] = []
    channel = Careful()
    channel.receive_data(b"long\n")
    assert seen == [True]


def test_nothing_is_delivered_after_the_last_word() -> None:
    """A channel that skips the frame and closes gets no other."""

    class Last(Channel):
        max_frame_size = 2

        def frame_received(self, frame: bytes, /) -> None:
            raise AssertionError(frame)

        def framing_error(self, exc: FramingError, /) -> None:
            self.framer.skip_frame()
            self.close_when_done()

    channel = Last()
    channel.receive_data(b"long\nok\n")
    assert channel.hook_error is None
    assert channel.closing


@pytest.mark.parametrize("method", ["receive_data", "receive_eof", "receive_tls"])
@pytest.mark.parametrize("hook", ["frame_received", "eof_received", "tls_started"])
def test_no_hook_may_call_what_is_for_the_adapter(method: str, hook: str) -> None:
    """Whichever hook it is, and the error says which method it was."""

    class Confused(Channel):
        pass

    def call(channel: Any, *_: object) -> None:
        arguments = [b"x"] if method == "receive_data" else []
        getattr(channel, method)(*arguments)

    setattr(Confused, hook, call)
    channel = Confused()
    if hook == "frame_received":
        channel.receive_data(b"a\n")
    elif hook == "eof_received":
        channel.receive_eof()
    else:
        channel.start_tls(None)
        channel.receive_tls()
    assert isinstance(channel.hook_error, UsageError)
    assert str(channel.hook_error).startswith(f"{method}() is for the adapter")


@pytest.mark.parametrize("hook", ["frame_received", "eof_received"])
def test_an_interrupt_is_noted_and_goes_on(hook: str) -> None:
    """It closes the channel, comes out, and leaves it so that the adapter can go on."""

    class Interrupted(Channel):
        lost = 0

        def connection_lost(self, exc: Exception | None, /) -> None:
            self.lost += 1

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    setattr(Interrupted, hook, interrupt)
    channel = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        channel.receive_data(b"a\n") if hook == "frame_received" else channel.receive_eof()
    assert isinstance(channel.hook_error, KeyboardInterrupt)
    assert channel.lost == 1
    channel.receive_data(b"b\n")
    channel.receive_eof()
    assert channel.lost == 1


def test_no_data_is_no_handshake() -> None:
    """While TLS is being started, a call with nothing does nothing."""
    channel = Channel()
    channel.start_tls(None)
    channel.receive_data(b"")
    assert channel.hook_error is None


def test_arguments_of_start_tls_are_passed_on() -> None:
    """Each of them reaches the request."""
    channel = Channel()
    channel.framer.receive_data(b"plain")
    channel.start_tls("context", server_side=True, server_hostname="a.example", leftover="discard")
    request = channel.tls_request
    assert request is not None
    assert request.context == "context"
    assert request.server_side is True
    assert request.server_hostname == "a.example"
    assert channel.framer.buffered == 0
