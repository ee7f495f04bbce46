"""The peers: what each of them does to a server, and what it demands of it.

    kind        does                                                    demands
    ────────────────────────────────────────────────────────────────────────────────────────────
    polite      sends lines in odd pieces, ends, reads to the end       all of them back, in order
    sipper      the same, and reads little at a time, now and then      the same
    dripper     the same, a byte now and then                           the same
    resetter    the same, but resets in the middle                      a beginning of them back
    vanisher    closes at once, or with a line that it does not read    nothing
    silent      says nothing                                            to be closed, when idle
    loris       half a line, and no more                                to be closed, when idle
    babbler     sends a line that is too long, or only garbage          to be closed
    flooder     sends and never reads                                   to be stopped, or closed
    lodger      sends a line now and then, until it is told to leave    all of them back, in order

What comes back is compared byte for byte, as it comes: an echo is what was sent.
All that is random is drawn from a seed; a peer's own doings do not depend on the clock.
"""

from __future__ import annotations

import random
import socket
import struct

__all__ = ["KINDS", "Client", "Outcome"]

KINDS = {
    "polite": 40,
    "sipper": 8,
    "dripper": 8,
    "resetter": 14,
    "vanisher": 8,
    "silent": 4,
    "loris": 6,
    "babbler": 8,
    "flooder": 4,
}
"""How often each kind comes, of a hundred; lodgers come when there is room for no more of these."""

ENDED_BY_SERVER = {"silent", "loris", "babbler"}

FLOOD_LIMIT = 16 << 20
"""More than all buffers of two kernels' sides and of the server together."""

PATIENCE = 60.0
"""For how many seconds of nothing a peer that is owed something waits."""

Outcome = str
"""What became of a peer: "" if all was as it should be, else what was not."""


class Client:
    """One peer, driven by whoever has the selector: `ready`, and `tick` now and then."""

    def __init__(
        self, kind: str, address: tuple[str, int], line: int, seed: int, now: float
    ) -> None:
        self.kind = kind
        self.random = random.Random(seed)
        self.outcome: Outcome | None = None
        self.verified = 0  # bytes that came back as they should
        self.sock = socket.socket()
        if kind in {"sipper", "flooder"}:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.connect_ex(address)
        self.line = line
        self.unsent = b""
        self.owed = bytearray()  # what was sent in whole lines, and has not come back
        self.tail = b""  # of a line that was not sent to its end
        self.sent = 0
        most = {"dripper": 2, "sipper": 20}.get(kind, 40)
        self.lines_left = 1 << 30 if kind == "lodger" else self.random.randint(1, most)
        self.half_closed = False
        self.resets = False  # in the end
        self.heard = now  # when the last byte came or went
        self.next_read = self.next_send = now
        self.resets_after = self.random.randint(0, 20_000)

    # What it wants to do now

    def wants_read(self, now: float) -> bool:
        """Whether to be told that there is something to read."""
        return self.kind not in {"flooder", "vanisher"} and now >= self.next_read

    def wants_write(self, now: float) -> bool:
        """Whether to be told that there is room to send."""
        return not self.half_closed and now >= self.next_send

    def tick(self, now: float) -> None:
        """See whether it has waited for too long, or has had enough."""
        if self.outcome is not None:
            return
        if now - self.heard > PATIENCE:
            self.fail("nothing happened for too long", reset=True)
        elif self.kind == "flooder" and self.sent and now - self.heard > 1:
            self.end(reset=True)  # it was stopped, as it should be

    def leave(self) -> None:
        """End with the line that is being sent."""
        self.lines_left = 0
        self.next_send = 0.0

    # What happens

    def read(self, now: float) -> None:
        """Read, and compare."""
        try:
            data = self.sock.recv(self.random.randint(1, 4000) if self.kind == "sipper" else 65536)
        except BlockingIOError:
            return
        except OSError as exc:
            self.lost(exc)
            return
        self.heard = now
        if self.kind == "sipper":
            self.next_read = now + self.random.random() / 20
        if not data:
            self.closed()
        elif self.kind != "babbler" and not self.owed.startswith(data):
            self.fail(f"what came back is not what was sent: {data[:40]!r}", reset=True)
        else:
            del self.owed[: len(data)]
            self.verified += len(data)

    def write(self, now: float) -> None:
        """Send what there is to send, or end."""
        if not self.unsent and not self._more():
            return
        size = {"dripper": 1, "flooder": 65536}.get(self.kind) or self.random.randint(1, 4000)
        try:
            sent = self.sock.send(self.unsent[:size])
        except BlockingIOError:
            return
        except OSError as exc:
            self.lost(exc)
            return
        self.heard = now
        self._note(self.unsent[:sent])
        self.unsent = self.unsent[sent:]
        if self.kind == "dripper":
            self.next_send = now + self.random.random() / 5
        if self.kind == "lodger" and not self.unsent:
            self.next_send = now + 1 + 3 * self.random.random()
        if self.kind == "resetter" and self.sent > self.resets_after:
            self.end(reset=True)
        elif self.kind == "flooder" and self.sent > FLOOD_LIMIT:
            self.fail("a flood was not stopped", reset=True)

    def _note(self, data: bytes) -> None:
        """Remember what is owed for it: whole lines."""
        self.sent += len(data)
        if self.kind == "flooder":
            return
        whole, newline, self.tail = (self.tail + data).rpartition(b"\n")
        self.owed += whole + newline

    def _more(self) -> bool:
        """Make up what is next; false if there is nothing more to say."""
        draw = self.random
        match self.kind:
            case "silent":
                self.half_closed = True  # in that it wants no more
                return False
            case "vanisher":
                if draw.random() < 0.5:
                    self._try_to_send(b"spam\n")
                self.end(reset=draw.random() < 0.5)
                return False
            case "loris":
                self.half_closed = bool(self.sent)
                self.unsent = b"" if self.sent else b"GET / HTT"
            case "babbler":
                self.half_closed = self.sent > 3 * self.line
                self.unsent = b"" if self.half_closed else self._garbage()
            case "flooder":
                self.unsent = (b"x" * 99 + b"\n") * 700
            case _:
                if not self.lines_left:
                    self._half_close()
                    return False
                self.lines_left -= 1
                size = draw.choice([0, 1, 10, 100, self.line if self.kind != "dripper" else 5])
                self.unsent = draw.randbytes(size).replace(b"\n", b"-") + b"\n"
        return bool(self.unsent)

    def _garbage(self) -> bytes:
        return self.random.randbytes(self.line).replace(b"\n", b"-")

    def _try_to_send(self, data: bytes) -> None:
        try:
            self.sock.send(data)
        except OSError:
            self.sent = 0  # it could not be connected so soon, which is as good

    def _half_close(self) -> None:
        self.half_closed = True
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as exc:
            self.lost(exc)

    # How it ends

    def closed(self) -> None:
        """The server has ended the conversation."""
        if self.kind in ENDED_BY_SERVER:
            self.end()
        elif not self.half_closed or self.owed:
            self.fail(f"the server ended with {len(self.owed)} bytes owed")
        else:
            self.end()

    def lost(self, exc: OSError) -> None:
        """The connection is reset; a flooder's because it has taken nothing for too long."""
        if self.kind in ENDED_BY_SERVER or (self.kind == "flooder" and self.sent):
            self.end()
        else:
            self.fail(f"{exc!r} with {len(self.owed)} bytes owed")

    def fail(self, why: str, *, reset: bool = False) -> None:
        """It did not go as it should have."""
        self.end(reset=reset)
        self.outcome = f"{self.kind}: {why} (after {self.sent} bytes sent, {self.verified} back)"

    def end(self, *, reset: bool = False) -> None:
        """Be content, and have nothing more to do but to `close`."""
        self.outcome = self.outcome or ""
        self.resets = reset

    def close(self) -> None:
        """Close the socket, now that no selector knows it."""
        if self.resets:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
