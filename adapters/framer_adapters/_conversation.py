"""What to do next with a channel and its connection, decided in one place and without I/O.

An adapter sends what the queue gives now, and then asks for the next `Step`::

      begin() ──▶ send all there is ──▶ next() ──┬─▶ CLOSE   all has been said: sign off
                    ▲                            ├─▶ TLS     shake hands, then receive_tls()
                    │                            ├─▶ READ    wait for the peer
                    │                            └─▶ REST    wait until the queue is ready
                    └──── receive(data) ◀──────────────┘

An adapter with a task for each direction asks in the one whether it `reads`,
and in the other what is next; one that does a thing at a time does what it is told.

- Nothing is read while there is too much to send, nor while TLS is to start:
  what comes then belongs to the handshake. Nor after the end.
- When a send fails, what had come in before is still delivered, and then comes the error:
  a socket says once that it was reset, and afterwards looks as if the peer had ended properly.
- Who has said the last word leaves the peer time to read it, unless that has ended, too,
  or a hook has raised: see `framer_adapters._common.LINGER`.
"""

from __future__ import annotations

import enum

from framer import Channel

__all__ = ["Conversation", "Step"]


class Step(enum.Enum):
    """What comes next."""

    CLOSE = enum.auto()
    TLS = enum.auto()
    READ = enum.auto()
    REST = enum.auto()


class Conversation:
    """A channel, and what is known of its connection.

    Attributes:
        channel: the channel.
        output: its queue.
        ended: whether the peer has sent its last byte.
        unsent: why nothing can be sent any more, or None.
    """

    __slots__ = ("channel", "ended", "output", "unsent")

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.output = channel.output
        self.ended = False
        self.unsent: Exception | None = None

    def begin(self) -> None:
        """The connection is there, or TLS is, if that is what was asked for."""
        if self.channel.tls_request is not None:
            self.channel.receive_tls()
        elif not self.channel.closing:
            self.channel.connection_made()

    @property
    def reads(self) -> bool:
        """Whether the channel takes what the peer sends."""
        return not (self.ended or self.output.congested or self.channel.tls_request is not None)

    @property
    def lingers(self) -> bool:
        """Whether the peer may still have to read, and may still send."""
        return not self.ended and self.channel.hook_error is None

    def receive(self, data: bytes) -> None:
        """Hand over what came in; b"" is the end.

        Raises:
            Exception: `unsent`, if that is why there is an end.
        """
        if data:
            self.channel.receive_data(data)
        elif self.unsent is not None:
            raise self.unsent
        else:
            self.ended = True
            self.channel.receive_eof()

    def next(self) -> Step:
        """Tell what to do, now that the queue has nothing to give."""
        request = self.channel.tls_request
        if self.output.done:
            return Step.CLOSE
        if request is not None and request.ready:
            return Step.TLS
        return Step.READ if self.reads else Step.REST
