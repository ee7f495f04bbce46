"""framer's ways to take frames out of a stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bench.workloads import HEADER_END, Workload, body_size

from framer import Channel, Framer, Terminator

__all__ = ["OURS"]

Take = Callable[[Any], object]
Contender = Callable[[Workload, Sequence[bytes], Take], None]

NO_LIMIT = 1 << 30


def frames(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """Loop over Framer.frames()."""
    framer = Framer(workload.terminator, max_frame_size=NO_LIMIT)
    for chunk in chunks:
        framer.receive_data(chunk)
        for frame in framer.frames():
            take(frame)


def next_frame(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """Call Framer.next_frame() for each frame."""
    framer = Framer(workload.terminator, max_frame_size=NO_LIMIT)
    for chunk in chunks:
        framer.receive_data(chunk)
        while (frame := framer.next_frame()) is not None:
            take(frame)


def events(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """Loop over Framer.events()."""
    framer = Framer(workload.terminator, max_frame_size=NO_LIMIT)
    for chunk in chunks:
        framer.receive_data(chunk)
        for event in framer.events():
            take(event)


def channel(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """Give a Channel what came; its hook gets the frames."""

    class Taker(Channel):
        terminator: Terminator = workload.terminator
        max_frame_size = NO_LIMIT

        def frame_received(self, frame: bytes, /) -> None:
            take(frame)

    taker = Taker()
    taker.connection_made()
    for chunk in chunks:
        taker.receive_data(chunk)
    if taker.hook_error:
        raise taker.hook_error


def alternate(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """Set a delimiter and a count by turns."""
    framer = Framer(HEADER_END, max_frame_size=NO_LIMIT)
    in_body = False
    for chunk in chunks:
        framer.receive_data(chunk)
        for frame in framer.frames():
            take(frame)
            framer.terminator = HEADER_END if in_body else body_size(frame)
            in_body = not in_body


def declared(workload: Workload, chunks: Sequence[bytes], take: Take) -> None:
    """Declare the whole framing as a LengthFrom; the frame is cut in two here."""
    framer = Framer(workload.terminator, max_frame_size=NO_LIMIT)
    for chunk in chunks:
        framer.receive_data(chunk)
        for frame in framer.frames():
            end = frame.index(HEADER_END)
            take(frame[:end])
            take(frame[end + 4 :])


OURS: dict[str, list[Contender]] = {
    kind: [frames, next_frame, events, channel]
    for kind in ("lines", "u32", "netstring", "varint", "records")
}
OURS["http"] = [alternate, declared]
