"""Two framers, one program of calls, the same bytes: one gets them whole, the other in pieces.

Whatever the program does, both have to answer the same: frames, events, errors with each number
in them, bytes that are buffered or taken. No model is needed for that, so everything may be done:
limits that change, frames that are skipped, terminators of all kinds, the end at any moment.
"""

from __future__ import annotations

from typing import Any

from fuzz.choices import Choices
from oracle import KINDS, number

from framer import (
    Data,
    Framer,
    FramerError,
    FramingError,
    LengthFrom,
    Netstring,
    Terminator,
    TerminatorFound,
)

__all__ = ["run"]

TERMINATORS: list[Terminator] = [
    *(terminator for terminator, _ in KINDS),
    b"aaab",
    (b"ab", b"ba", b"c"),
    LengthFrom((b";", b"::"), number, footer=b"\r\n"),
    Netstring(),
]
ALPHABET = b"ab\r\n;:,-0123c\x00\x01\x02\x80\xff"
LIMITS = [None, 0, 1, 2, 4, 7, 30]
CALLS = 300


class Twins:
    """Two framers that have to agree."""

    def __init__(self, terminator: Terminator, limit: int | None) -> None:
        self.both = [Framer(terminator, max_frame_size=limit) for _ in range(2)]

    def agree(self, method: str, *args: Any) -> Any:
        """Have both do the same, and return what came of it."""
        one, other = (outcome(framer, method, args) for framer in self.both)
        assert one == other, (method, args)
        return one

    def receive(self, data: bytes, pieces: list[bytes]) -> None:
        """Bytes arrive, or come too late."""
        whole, cut = self.both
        answers = [outcome(whole, "receive_data", (data,))] if data else []
        for piece in pieces:
            buffer = bytearray(piece)
            answer = outcome(cut, "receive_data", (buffer,))
            buffer[:] = b"X" * len(buffer)
            assert answer == answers[0]


def outcome(framer: Framer, method: str, args: tuple[Any, ...]) -> object:
    """Call one of the functions here, a method or a setter; return what it gives or raises."""
    try:
        if method in {"terminator", "max_frame_size"}:
            setattr(framer, method, *args)
            return None
        if method in {"take_frames", "take_events"}:
            return {"take_frames": take_frames, "take_events": take_events}[method](framer, *args)
        value = getattr(framer, method)
        return value(*args) if callable(value) else value
    except FramerError as error:
        return said(error)


def said(error: FramerError) -> tuple[object, ...]:
    """What an error says, its attributes and all."""
    return type(error), str(error), vars(error) if isinstance(error, FramingError) else None


def take_frames(framer: Framer, most: int) -> list[object]:
    """Loop over frames, up to so many, or to an error."""
    taken: list[object] = []
    try:
        for frame in framer.frames():
            taken.append(frame)
            if len(taken) == most:
                break
    except FramerError as error:
        taken.append(said(error))
    return taken


def take_events(framer: Framer, most: int) -> list[object]:
    """Loop over events, up to so many frames, or to an error; what is adjacent is joined."""
    taken: list[object] = []
    payload = b""
    try:
        for event in framer.events():
            if isinstance(event, Data):
                payload += event.chunk
                continue
            taken += [payload, event]
            payload = b""
            most -= isinstance(event, TerminatorFound)
            if not most:
                break
    except FramerError as error:
        taken += [payload, said(error)]
        payload = b""
    return [*taken, payload]


def run(data: bytes) -> None:
    """Do what the bytes say, with both."""
    choices = Choices(data)
    twins = Twins(choices.pick(TERMINATORS), choices.pick(LIMITS))
    for _ in range(CALLS):
        if not choices:
            break
        step(twins, choices)
        twins.agree("buffered")
    twins.agree("receive_eof")
    twins.agree("take_events", -1)
    twins.agree("take_buffered")


def step(twins: Twins, choices: Choices) -> None:
    """Make one call."""
    match choices.number(11):
        case 0 | 1 | 2 | 3:
            flag = choices.flag()
            data = choices.chunk(20) if flag else choices.word(ALPHABET, 20)
            twins.receive(data, choices.pieces(data))
        case 4:
            twins.agree("take_frames", choices.number(5) - 1)
        case 5:
            twins.agree("take_events", choices.number(5) - 1)
        case 6:
            twins.agree("next_frame")
        case 7:
            twins.agree("terminator", choices.pick(TERMINATORS))
        case 8:
            twins.agree("max_frame_size", choices.pick(LIMITS))
        case 9:
            twins.agree("skip_frame")
        case 10:
            taken = twins.agree("take_buffered")
            if choices.flag():
                twins.agree("push_back", taken)
        case _:
            if choices.number(7) == 7:
                twins.agree("receive_eof")
