"""What leads from which state to which, found by trying everything out.

No arrow here is written down anywhere.
A channel is put through every short sequence of calls that an adapter or a program can make;
a scanner is given bytes one by one, good ones and bad ones, and its progress is watched;
a framer is given every short stream of a few telling bytes.
What was seen to happen is the diagram. An arrow that is missing cannot happen in so few steps,
and one that is there has happened.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise, product
from typing import Final

from framer import (
    Channel,
    EndOfStream,
    Framer,
    FrameTooLarge,
    FramingError,
    LengthFrom,
    LengthPrefix,
    Netstring,
    Terminator,
    TerminatorFound,
    VarintPrefix,
)
from framer._lengths import Body, Heading
from framer._reader import NO_LIMIT, scanner_for
from framer._scanners import Malformed, TooLarge


@dataclass(frozen=True, slots=True)
class Arrow:
    """From a state to a state."""

    start: str
    end: str


@dataclass(slots=True)
class Diagram:
    """States, from the first to the last; and why each arrow is taken, in the order seen."""

    states: Sequence[str]
    reasons: dict[Arrow, dict[str, None]] = field(default_factory=dict[Arrow, dict[str, None]])

    def add(self, start: str, end: str, reason: str) -> None:
        """Take note of an arrow."""
        self.reasons.setdefault(Arrow(start, end), {})[reason] = None

    @property
    def arrows(self) -> list[Arrow]:
        """The arrows, from top to bottom; those that stay where they are left out."""
        order = list(self.states)
        arrows = [arrow for arrow in self.reasons if arrow.start != arrow.end]
        return sorted(arrows, key=lambda arrow: (order.index(arrow.start), order.index(arrow.end)))


# The life of a channel


class Subject(Channel):
    """A channel that does what it is told by the bytes, and says which hooks were called."""

    terminator: Terminator = LengthPrefix(1)
    max_frame_size = 8

    def __init__(self) -> None:
        self.called: list[str] = []
        self.stays = False

    def connection_made(self) -> None:
        """Note it."""
        self.called.append("connection_made")

    def frame_received(self, frame: bytes, /) -> None:
        """Note it, and raise if told so."""
        self.called.append("frame_received")
        if frame == b"raise":
            raise RuntimeError

    def framing_error(self, exc: FramingError, /) -> None:
        """Note it, and do what all channels do."""
        self.called.append("framing_error")
        super().framing_error(exc)

    def eof_received(self) -> bool:
        """Note it."""
        self.called.append("eof_received")
        return self.stays

    def connection_lost(self, exc: Exception | None, /) -> None:
        """Note it."""
        self.called.append("connection_lost")


def _stay(channel: Subject) -> None:
    channel.stays = True
    channel.receive_eof()


def _send_all(channel: Subject) -> None:
    while channel.output.data_to_send():
        pass


def _push(channel: Subject) -> None:
    if not channel.closing:
        channel.push(b"answer")


CALLS: Final[dict[str, Callable[[Subject], object]]] = {
    "push()": _push,
    "all is sent": _send_all,
    "receive_data() of a frame": lambda channel: channel.receive_data(b"\x02hi"),
    "a hook raises": lambda channel: channel.receive_data(b"\x05raise"),
    "receive_data() of a broken frame": lambda channel: channel.receive_data(b"\xff"),
    "receive_eof()": lambda channel: channel.receive_eof(),
    "receive_eof(), eof_received() returns True": _stay,
    "close_when_done()": lambda channel: channel.close_when_done(),
    "discard()": lambda channel: channel.discard(),
    "receive_loss()": lambda channel: channel.receive_loss(),
}

CHANNEL_STATES: Final = ("open", "closing", "done", "closed")


def channel_state(channel: Channel) -> str:
    """Name the state of a channel, from what it says of itself."""
    if channel.closed:
        return "closed"
    if channel.output.done:
        return "done"
    return "closing" if channel.closing else "open"


def channel_diagram(depth: int = 3) -> Diagram:
    """Try all sequences of *depth* calls."""
    diagram = Diagram(CHANNEL_STATES)
    for calls in product(CALLS, repeat=depth):
        channel = Subject()
        channel.connection_made()
        for call in calls:
            before = channel_state(channel)
            channel.called.clear()
            try:
                CALLS[call](channel)
            except RuntimeError:  # UsageError: receive_data() after receive_eof()
                break
            hooks = "".join(f", {hook}()" for hook in channel.called)
            diagram.add(before, channel_state(channel), f"{call}{hooks}")
    return diagram


# The way through a frame

PROGRESS: Final = {
    type(None): "between frames",
    Heading: "in the header",
    tuple: "in a delimiter, maybe",
    int: "in the payload",
    Body: "in the payload",
}
BROKEN: Final = "broken"


def scanner_diagram(terminators: Sequence[Terminator], streams: Sequence[bytes]) -> Diagram:
    """Give the bytes of each stream to the scanner of each terminator, one by one."""
    seen = Diagram([*dict.fromkeys(PROGRESS.values()), BROKEN])
    for terminator, stream in product(terminators, streams):
        for start, end, reason in _scan(terminator, stream):
            seen.add(start, end, reason)
    used = {state for arrow in seen.reasons for state in (arrow.start, arrow.end)}
    return Diagram([state for state in seen.states if state in used], seen.reasons)


def _scan(terminator: Terminator, stream: bytes) -> Iterator[tuple[str, str, str]]:
    """Do what the framer does with a scanner, and tell of each step."""
    scanner = scanner_for(terminator)
    buffer, progress = b"", None
    for byte in stream:
        buffer += bytes([byte])
        while True:
            allowed = 8 if scanner.limited else NO_LIMIT
            found, offset, after = scanner.pull(buffer, 0, progress, allowed)
            buffer = buffer[offset:]
            broken = isinstance(found, (Malformed, TooLarge))
            yield (
                PROGRESS[type(progress)],
                BROKEN if broken else PROGRESS[type(after)],
                _reason(found),
            )
            progress = after
            if broken:
                return
            if found is None:
                break


def _reason(found: object) -> str:
    match found:
        case None:
            return "more bytes are needed"
        case bytes():
            return "payload" if found else "bytes that are no payload, or not yet"
        case TerminatorFound():
            return "TerminatorFound"
        case _:
            return type(found).__name__


STREAMS: Final = (
    *(b"\x02hi\x00\x02hi", b"\x01x", b"\xff", b"\x80\x80\x80"),
    *(b"2:hi,0:,", b"2:hi;", b"02:", b"9:", b"1\r\nx\r\n0\r\n\r\n", b"x\r\n", b"1\r\nx!", b"9\r\n"),
)


def length_diagram() -> Diagram:
    """Draw the way through a frame that announces its length."""
    return scanner_diagram(
        [
            LengthPrefix(1),
            VarintPrefix(max_bytes=2),
            Netstring(),
            LengthFrom(b"\r\n", int, footer=b"\r\n"),
        ],
        STREAMS,
    )


def delimiter_diagram() -> Diagram:
    """Draw the way through a frame that ends at a delimiter."""
    return scanner_diagram([b"\r\n", (b"\n", b"\r\n")], [b"a\r\n\r\n", b"a\rb\r\r\n"])


DIAGRAMS: Final[dict[str, Callable[[], Diagram]]] = {
    "channel": channel_diagram,
    "delimiter": delimiter_diagram,
    "length": length_diagram,
}


# What may follow what

TELLING: Final[dict[Terminator, bytes]] = {
    b"\n": b"a\n",
    b"\r\n": b"a\r\n",
    (b"\n", b"\r\n"): b"a\r\n",
    2: b"a",
    None: b"a",
    LengthPrefix(1): b"\x00\x01\x02",
    VarintPrefix(max_bytes=2): b"\x00\x01\x80",
    Netstring(): b"02:,",
    LengthFrom(b"\n", int, footer=b"\n"): b"12\n",
}
"""Of each terminator the bytes that it treats in different ways."""

START: Final = "the start"


@cache
def followers(most: int = 6) -> dict[str, set[str]]:
    """Tell which events and errors were seen to follow which, in all streams up to a length."""
    seen: dict[str, set[str]] = {}
    for terminator, telling in TELLING.items():
        for size in range(most + 1):
            for stream in product(telling, repeat=size):
                names = [START, *_happenings(terminator, bytes(stream))]
                for before, after in pairwise(names):
                    seen.setdefault(before, set()).add(after)
    return seen


def _happenings(terminator: Terminator, stream: bytes) -> Iterator[str]:
    """Give the bytes one by one, and name what comes out."""
    framer = Framer(terminator, max_frame_size=1)
    for chunk in [*(bytes([byte]) for byte in stream), None]:
        if chunk is None:
            framer.receive_eof()
        else:
            framer.receive_data(chunk)
        while True:
            try:
                event = framer.next_event()
            except FrameTooLarge as error:
                yield type(error).__name__
                framer.skip_frame()
                continue
            except FramingError as error:
                yield type(error).__name__
                return
            if event is None:
                break
            yield type(event).__name__
            if isinstance(event, EndOfStream):
                return


EVENTS: Final = (
    *("Data", "TerminatorFound", "EndOfStream"),
    *("FrameTooLarge", "MalformedFrame", "IncompleteFrame"),
)


def followers_table() -> str:
    """Write it as a table: what came before in the rows, what may follow in the columns."""
    seen = followers()
    head = "".join(f'<th scope="col"><code>{name}</code></th>' for name in EVENTS)
    rows: list[str] = []
    for before in [START, *EVENTS]:
        cells = "".join(
            '<td class="yes">yes</td>' if after in seen.get(before, ()) else "<td></td>"
            for after in EVENTS
        )
        name = before if before == START else f"<code>{before}</code>"
        rows.append(f'<tr><th scope="row">after {name}</th>{cells}</tr>')
    return (
        '<div class="table-wrapper"><table class="docutils followers"><thead><tr><th></th>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


# The picture

WIDTH: Final = 420
BOX: Final = (170, 40)  # width and height of a state
STEP: Final = 96  # from one state to the next
TOP: Final = 12
RADIUS: Final = 10


def to_svg(diagram: Diagram, title: str) -> str:
    """Draw the states in a column, and the arrows, by number, beside it.

    It takes its colours from the page, and so is legible in light and dark.
    """
    states = list(diagram.states)
    height = TOP * 2 + STEP * (len(states) - 1) + BOX[1]
    drawn = [_box(state, index) for index, state in enumerate(states)]
    head = f"head-{states[1].replace(' ', '-')}"  # no two on a page may have the same
    for number, arrow in enumerate(diagram.arrows, 1):
        drawn.append(_arrow(number, head, states.index(arrow.start), states.index(arrow.end)))
    name = html.escape(title)
    marker = (
        f'<marker id="{head}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0 0 10 5 0 10z" class="head"/></marker>'
    )
    return (
        f'<svg class="states" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{name}" '
        f'xmlns="http://www.w3.org/2000/svg"><defs>{marker}</defs>{"".join(drawn)}</svg>'
    )


def _box(state: str, index: int) -> str:
    x, y = (WIDTH - BOX[0]) / 2, TOP + STEP * index
    return (
        f'<rect x="{x:g}" y="{y}" width="{BOX[0]}" height="{BOX[1]}" rx="6" class="state"/>'
        f'<text x="{WIDTH / 2:g}" y="{y + BOX[1] / 2 + 5:g}">{html.escape(state)}</text>'
    )


def _arrow(number: int, head: str, start: int, end: int) -> str:
    """Draw an arrow: straight to the next state, on the right further down, on the left back."""
    step = end - start
    middle = WIDTH / 2
    if step == 1:
        top, bottom = TOP + STEP * start + BOX[1], TOP + STEP * end
        return _line(number, head, f"M{middle:g} {top}V{bottom}", middle, (top + bottom) / 2 - 3)
    side = 1 if step > 0 else -1
    # Arrows leave low and come in high, so that those of one side do not meet at a box.
    edge = middle + side * BOX[0] / 2
    y1 = TOP + STEP * start + BOX[1] * (0.5 + 0.1 * side * abs(step))
    y2 = TOP + STEP * end + BOX[1] * (0.5 - 0.1 * side * abs(step))
    reach = edge + side * (26 + 30 * (abs(step) - (side > 0)))
    path = f"M{edge:g} {y1:g}C{reach:g} {y1:g} {reach:g} {y2:g} {edge:g} {y2:g}"
    return _line(number, head, path, edge + 0.75 * (reach - edge), (y1 + y2) / 2)


def _line(number: int, head: str, path: str, x: float, y: float) -> str:
    return (
        f'<path d="{path}" class="arrow" marker-end="url(#{head})"/>'
        f'<circle cx="{x:g}" cy="{y:g}" r="{RADIUS}" class="number"/>'
        f'<text x="{x:g}" y="{y + 4:g}" class="number">{number}</text>'
    )


def to_table(diagram: Diagram) -> str:
    """Write down what each arrow is taken for."""
    rows: list[str] = []
    for number, arrow in enumerate(diagram.arrows, 1):
        reasons = "".join(f"<li>{_code(reason)}</li>" for reason in diagram.reasons[arrow])
        rows.append(
            f"<tr><td>{number}</td><td>{html.escape(arrow.start)} → {html.escape(arrow.end)}</td>"
            f"<td><ul>{reasons}</ul></td></tr>"
        )
    return (
        '<div class="table-wrapper"><table class="docutils arrows"><thead><tr><th>#</th>'
        f"<th>from → to</th><th>when</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _code(reason: str) -> str:
    words = (
        f"<code>{html.escape(word)}</code>" if "()" in word else html.escape(word)
        for word in reason.split(" ")
    )
    return " ".join(words)
