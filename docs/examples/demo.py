"""See what framer does, in a minute: `make demo`.

1. Real protocol traffic (data/README.md) is framed whole, then byte by byte, then cut at random.
   The frames must be the same every time, and put together again they must be the stream.
2. An SMTP server without I/O answers what a real client once sent, cut in as many ways.
3. The same server answers a real client over TCP.

The exit status is 0 if all of that held. Colours and lines come from rich where it is installed
and somebody looks; otherwise the report is plain text.
"""

from __future__ import annotations

import importlib.util
import os
import random
import smtplib
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

from captures import CAPTURES, Capture, Piece, load
from smtp_server import Envelope, SmtpChannel

from framer import Channel
from framer_adapters import blocking

RANDOM_CUTTINGS = 40
SAMPLES_SHOWN = 2
SAMPLE_WIDTH = 56
DIALOG_WIDTH = 76
TIMEOUT = 10.0  # seconds, for everything that waits

Row = tuple[str, ...]


class Mismatch(Exception):
    """Two ways of cutting the same bytes gave different results, or a byte is missing."""


# Cutting a stream into pieces.


def bytewise(data: bytes) -> list[bytes]:
    """Cut `data` into its bytes."""
    return [data[i : i + 1] for i in range(len(data))]


def at_random(data: bytes, seed: int) -> list[bytes]:
    """Cut `data` at up to 64 places that `seed` chooses."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    places = {rng.randrange(len(data) + 1) for _ in range(rng.randint(1, 64))}
    ends = sorted(places | {0, len(data)})
    return [data[start:end] for start, end in pairwise(ends)]


def cuttings(data: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Yield every way in which a stream is cut here, and what to call it."""
    yield "byte by byte", bytewise(data)
    for seed in range(RANDOM_CUTTINGS):
        yield f"random cuts, seed {seed}", at_random(data, seed)


# 1. Captures.


@dataclass(frozen=True, slots=True)
class Result:
    """What came out of one capture."""

    capture: Capture
    pieces: list[Piece]
    cuttings: int


def check(capture: Capture) -> Result:
    """Frame `capture` in every way there is; raise Mismatch unless all of them agree."""
    data = capture.data
    whole = capture.reader().read([data])
    if b"".join(piece.wire for piece in whole) != data:
        raise Mismatch(f"{capture.name}: the frames do not add up to the stream")
    tried = 1
    for name, pieces in cuttings(data):
        if capture.reader().read(pieces) != whole:
            raise Mismatch(f"{capture.name}: other frames with {name}")
        tried += 1
    return Result(capture, whole, tried)


def result_row(result: Result) -> Row:
    """Put a result into a line of the table."""
    return (
        result.capture.name,
        f"{len(result.capture.data):,}",
        result.capture.framing,
        f"{len(result.pieces):,}",
        f"{max(len(piece.payload) for piece in result.pieces):,}",
        f"{result.cuttings} of {result.cuttings}",
    )


def sample_rows(result: Result) -> Iterator[Row]:
    """Yield the first frame of each kind, as long as there is room."""
    first_of_kind = {piece.kind: piece for piece in reversed(result.pieces)}
    for piece in sorted(first_of_kind.values(), key=result.pieces.index)[:SAMPLES_SHOWN]:
        yield (result.capture.name, piece.kind, f"{len(piece.payload):,}", excerpt(piece.payload))


def excerpt(payload: bytes, width: int = SAMPLE_WIDTH) -> str:
    """Show the beginning of a payload."""
    text = ascii(payload.decode("latin-1"))[1:-1]
    return text if len(text) <= width else text[: width - 3] + "..."


# 2. A Channel without a socket.


def answer(pieces: Sequence[bytes], deliver: Callable[[Envelope], object]) -> bytes:
    """Give the SMTP server what a client sent, cut as it is, and return all it says."""
    channel = SmtpChannel(deliver)
    channel.connection_made()
    for data in pieces:
        channel.receive_data(data)
    return channel.output.data_to_send()


def replay() -> str:
    """Answer the captured client in every way there is, and return the answer."""
    data = load("smtp.client")
    inbox: list[Envelope] = []
    whole = answer([data], inbox.append)
    tried = 1
    for name, pieces in cuttings(data):
        again: list[Envelope] = []
        if (answer(pieces, again.append), again) != (whole, inbox):
            raise Mismatch(f"SMTP server: another answer with {name}")
        tried += 1
    codes = " ".join(line[:3].decode() for line in whole.splitlines() if line[3:4] == b" ")
    recorded = load("smtp.server").splitlines()
    if codes != " ".join(line[:3].decode() for line in recorded if line[3:4] == b" "):
        raise Mismatch(f"SMTP server: {codes} is not what the real one answered")
    return f"{codes}  (the codes of the real server, under {tried} cuttings)"


# 3. A Channel over a socket.


class Talkative(SmtpChannel):
    """An SMTP server that notes down what is said."""

    def __init__(self, deliver: Callable[[Envelope], object], log: list[str]) -> None:
        super().__init__(deliver)
        self.log = log

    def frame_received(self, frame: bytes) -> None:
        """Note what the client said before it is answered."""
        self.log.append(f"C: {excerpt(frame, DIALOG_WIDTH)}")
        super().frame_received(frame)

    def reply(self, code: int, *lines: bytes) -> None:
        """Note the answer."""
        self.log.append(f"S: {code} {excerpt(b' / '.join(lines), DIALOG_WIDTH)}")
        super().reply(code, *lines)


def serve_one(listener: socket.socket, channel: Channel) -> None:
    """Accept one connection, and run a channel over it."""
    listener.settimeout(TIMEOUT)
    connection, _ = listener.accept()
    blocking.run_channel(channel, connection, idle_timeout=TIMEOUT)


def converse() -> list[str]:
    """Let smtplib send a message to the server over TCP, and return what was said."""
    log: list[str] = []
    inbox: list[Envelope] = []
    text = "Subject: dots\r\n\r\n.one\r\n..two\r\n.\r\nthe end\r\n"
    recipients = ["bob@mail.example", "nobody@mail.example"]
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        server = pool.submit(serve_one, listener, Talkative(inbox.append, log))
        host, port = listener.getsockname()
        with smtplib.SMTP(host, port, "client.example", TIMEOUT) as client:
            refused = client.sendmail("alice@client.example", recipients, text)
        server.result(TIMEOUT)
    sent = Envelope(b"alice@client.example", (b"bob@mail.example",), text.encode().rstrip())
    if inbox != [sent] or list(refused) != ["nobody@mail.example"]:
        raise Mismatch(f"SMTP over TCP: {inbox} arrived, {refused} was refused")
    return log


# The report.


def somebody_looks() -> bool:
    """Say whether the report may have colours: on a terminal, with rich, and without NO_COLOR."""
    wanted = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return wanted and importlib.util.find_spec("rich") is not None


def print_rich(title: str, header: Row, rows: Sequence[Row]) -> None:
    """Print a table with rich. Columns whose title starts with # hold numbers."""
    from rich import box  # noqa: PLC0415 - rich is optional
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for column in header:
        is_number = column.startswith("#")
        table.add_column(column.removeprefix("#"), justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def print_plain(title: str, header: Row, rows: Sequence[Row]) -> None:
    """Print a table as plain text. Columns whose title starts with # hold numbers."""
    titles = tuple(column.removeprefix("#") for column in header)
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    print(title)
    for row in (titles, tuple("-" * width for width in widths), *rows):
        cells = (
            cell.rjust(width) if column.startswith("#") else cell.ljust(width)
            for column, cell, width in zip(header, row, widths, strict=True)
        )
        print("  " + "  ".join(cells).rstrip())
    print()


def report() -> None:
    """Do everything and print it. Raises Mismatch as soon as something differs."""
    print_table = print_rich if somebody_looks() else print_plain
    results = [check(capture) for capture in CAPTURES]
    print_table(
        "Real traffic, framed",
        ("capture", "#bytes", "framing", "#frames", "#longest", "identical"),
        [result_row(result) for result in results],
    )
    print_table(
        "Some of the frames",
        ("capture", "kind", "#bytes", "payload"),
        [row for result in results for row in sample_rows(result)],
    )
    print("An SMTP server without a socket answers a recorded client:")
    print(f"  {replay()}\n")
    print("The same server and smtplib over TCP on 127.0.0.1:")
    for line in converse():
        print(f"  {line}")
    total = sum(len(result.capture.data) for result in results)
    tried = sum(result.cuttings for result in results)
    print(f"\nEvery frame the same in {tried} readings; all of {total:,} bytes accounted for.")


def main() -> int:
    """Print the report and return the exit status."""
    try:
        report()
    except Mismatch as exc:
        print(f"demo: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
