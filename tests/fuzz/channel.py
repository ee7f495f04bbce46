"""Two channels, one stream: one gets it whole, the other in pieces, and is drained in between.

What the peer says decides what the hooks do: they answer, change the terminator, push producers,
skip what is too large, close, raise. Both have to hear the same, and to answer the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fuzz.choices import Choices

from framer import (
    PENDING,
    Channel,
    FrameTooLarge,
    FramingError,
    LengthPrefix,
    Netstring,
    Pending,
    Terminator,
)

__all__ = ["run"]

TERMINATORS: list[Terminator] = [
    b"\n",
    b"\r\n",
    (b"\n", b"\r\n"),
    0,
    1,
    3,
    None,
    LengthPrefix(1),
    Netstring(),
]
ALPHABET = b"epwtqdxs\n\r\x00\x01\x03:,12"


@dataclass(frozen=True)
class Plan:
    """What a channel does when it has a choice."""

    terminator: Terminator
    limit: int | None
    skips: bool
    stays: bool


class Obedient(Channel):
    """Does what frames say, and notes all that it hears; streams of data are joined."""

    def __init__(self, plan: Plan) -> None:
        self.terminator = plan.terminator
        self.max_frame_size = plan.limit
        self.plan = plan
        self.heard: list[object] = []
        self.dropped = False  # something that was pushed does not go out

    def connection_made(self) -> None:
        """Greet."""
        self.push(b"hello ")

    def obey(self, frame: bytes) -> None:
        """Do what the first byte says."""
        if self.output.closing:
            raise AssertionError("a hook was called after closing")
        command = COMMANDS.get(frame[:1])
        if command is not None:
            command(self, frame)

    def framing_error(self, exc: FramingError, /) -> None:
        """Note it, and skip the frame if that is possible, and the plan."""
        self.heard.append((type(exc), str(exc)))
        if self.plan.skips and isinstance(exc, FrameTooLarge):
            self.framer.skip_frame()
        else:
            super().framing_error(exc)

    def eof_received(self) -> bool | None:
        """Note it, and go on or not."""
        self.heard.append("eof")
        return self.plan.stays

    def connection_lost(self, exc: Exception | None, /) -> None:
        """Note it."""
        self.heard.append(("lost", type(exc)))


def echo(channel: Obedient, frame: bytes) -> None:
    """Answer."""
    channel.push(frame + b" ")


def produce(channel: Obedient, frame: bytes) -> None:
    """Answer with a producer that has to be woken."""

    def give() -> Iterator[bytes | Pending]:
        yield frame
        yield PENDING
        yield b"more "

    channel.push_producer(give())


def wake(channel: Obedient, _frame: bytes) -> None:
    """Wake it."""
    channel.output.wake()


def change(channel: Obedient, frame: bytes) -> None:
    """Change the terminator."""
    channel.terminator = TERMINATORS[sum(frame) % len(TERMINATORS)]


def close(channel: Obedient, _frame: bytes) -> None:
    """Say the last word."""
    channel.close_when_done()


def discard(channel: Obedient, _frame: bytes) -> None:
    """Drop all."""
    channel.dropped = True
    channel.discard()


def fail(channel: Obedient, frame: bytes) -> None:
    """Raise."""
    channel.dropped = True
    raise ValueError(frame)


COMMANDS: dict[bytes, Callable[[Obedient, bytes], None]] = {
    b"e": echo,
    b"p": produce,
    b"w": wake,
    b"t": change,
    b"q": close,
    b"d": discard,
    b"x": fail,
}


class Whole(Obedient):
    """For whole frames."""

    def frame_received(self, frame: bytes, /) -> None:
        """Note it, and obey."""
        self.heard.append(frame)
        self.obey(frame)


class Streaming(Obedient):
    """For frames as they arrive."""

    payload = b""

    def data_received(self, chunk: bytes, /) -> None:
        """Keep it."""
        assert chunk
        self.payload += chunk

    def terminator_found(self, matched: bytes | int, /) -> None:
        """Note the frame, and obey."""
        payload, self.payload = self.payload, b""
        self.heard.append((payload, matched))
        self.obey(payload)

    def framing_error(self, exc: FramingError, /) -> None:
        """What came of that frame is void."""
        self.payload = b""
        super().framing_error(exc)


def converse(channel: Obedient, chunks: list[bytes], drains: Callable[[], int]) -> bytes:
    """Do what an adapter does; send so many bytes after each chunk; return all that was sent."""
    sent: list[bytes] = []
    channel.connection_made()
    for chunk in chunks:
        channel.receive_data(chunk)
        sent.append(channel.output.data_to_send(drains()))
    channel.receive_eof()
    for _ in range(1000):
        if not (data := channel.output.data_to_send()):
            if not channel.output:
                break
            channel.output.wake()
        sent.append(data)
    else:
        raise AssertionError("the output does not end")
    channel.receive_loss()
    channel.receive_loss()
    return b"".join(sent)


def run(data: bytes) -> None:
    """Hold two conversations, and compare."""
    choices = Choices(data)
    kind = choices.pick([Whole, Streaming])
    plan = Plan(
        choices.pick(TERMINATORS), choices.pick([None, 2, 9]), choices.flag(), choices.flag()
    )
    stream = choices.word(ALPHABET, 80)
    one, other = kind(plan), kind(plan)
    at_once = converse(one, [stream] if stream else [], lambda: 0)
    in_pieces = converse(other, choices.pieces(stream), lambda: choices.number(9))
    assert one.heard == other.heard
    assert [call for call in one.heard if isinstance(call, tuple) and call[0] == "lost"] == [
        one.heard[-1]
    ]
    assert one.dropped == other.dropped
    assert in_pieces == at_once or (one.dropped and in_pieces.startswith(at_once))
