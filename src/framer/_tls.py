"""The change to TLS in the middle of a conversation, as far as it goes without I/O.

What was pushed before `Channel.start_tls` goes out as it is, what is pushed after it encrypted.
So the request stands in the output queue, between the two, as a producer that has nothing yet::

    ┌──────────────┬────────────┬────────────────┐
    │ b"220 ready" │ TlsRequest │ b"250 again"   │
    └──────────────┴────────────┴────────────────┘
      in plain text   ▲            encrypted
                      └── when the queue asks for it, all before it has been taken: it is `ready`
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from framer._exceptions import UsageError
from framer._framer import Framer
from framer._producers import PENDING, Pending

__all__ = ["Leftover", "TlsRequest"]

Leftover: TypeAlias = Literal["refuse", "discard"]
"""What to do with plain text that is left in the buffer when TLS is to start."""


class TlsRequest:
    r"""What ``start_tls`` asks of an adapter: shake hands, now that the plain text is through.

    >>> framer = Framer(b"\r\n")
    >>> framer.receive_data(b"STARTTLS\r\nRCPT TO:<evil@example.org>\r\n")
    >>> framer.next_frame()
    b'STARTTLS'
    >>> TlsRequest(framer, "an ssl.SSLContext")
    Traceback (most recent call last):
        ...
    framer.UsageError: start_tls() with 28 bytes of plain text left in the buffer: ...

    Args:
        framer: that of the stream in plain text.
        context: an ``ssl.SSLContext``; framer does not look into it.
        server_side: which side of the handshake to take. None: what the context is made for.
        server_hostname: the name to hold the certificate of the peer against.
            None: the host that the adapter connected to.
        leftover: bytes that came in plain text behind the frame that asked for TLS
            could be anybody's (CVE-2011-0411). They are refused, or with ``"discard"`` dropped.

    Raises:
        UsageError: there are such bytes, and they stay where they are.
            Close the connection; or if they are known to mean no harm, say ``"discard"``.
        ValueError: `leftover` is neither ``"refuse"`` nor ``"discard"``.

    Attributes:
        ready: whether all that is to go out before has been taken from the queue.
    """

    __slots__ = ("_done", "context", "ready", "server_hostname", "server_side")

    def __init__(
        self,
        framer: Framer,
        context: object,
        *,
        server_side: bool | None = None,
        server_hostname: str | None = None,
        leftover: Leftover = "refuse",
    ) -> None:
        if leftover not in {"refuse", "discard"}:
            raise ValueError(f"leftover={leftover!r} is neither 'refuse' nor 'discard'")
        if leftover == "discard":
            framer.take_buffered()
        elif framer.buffered:
            raise UsageError(
                f"start_tls() with {framer.buffered} bytes of plain text left in the buffer: "
                "they may be an attacker's; close the connection, or drop them with "
                "leftover='discard'"
            )
        self.context: Final = context
        self.server_side: Final = server_side
        self.server_hostname: Final = server_hostname
        self.ready: bool = False
        self._done = False

    def more(self) -> bytes | Pending:
        """Let nothing pass until `finish`; it is a `Producer`."""
        self.ready = True
        return b"" if self._done else PENDING

    def finish(self) -> None:
        """TLS is there: let pass what was pushed behind; wake the queue afterwards."""
        self._done = True
