"""A small SMTP server that never touches a socket.

The whole conversation is a `Channel`: bytes go in through `receive_data`, replies pile up in
`output`, and what carries them (a socket, a test, a file) is somebody else's business.
`channel_over_socket.py` carries it over TCP, and every adapter of framer runs it as it is.

Pipelining (RFC 2920) costs nothing: however many commands one read brings, each is answered in
turn, and the answers go out together. A message ends at CRLF . CRLF and nowhere else: a bare LF
is data, which is what keeps SMTP smuggling out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from captures import unstuffed

from framer import Channel, FrameTooLarge, FramingError

CRLF: Final = b"\r\n"
END_OF_MESSAGE: Final = b"\r\n.\r\n"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message as it was handed in, and what the client said about it."""

    sender: bytes
    recipients: tuple[bytes, ...]
    message: bytes


class SmtpChannel(Channel):
    """One SMTP session. Each message that is accepted goes to `deliver`."""

    terminator = CRLF
    max_frame_size = 1 << 20

    def __init__(
        self, deliver: Callable[[Envelope], object], host: bytes = b"mail.example"
    ) -> None:
        super().__init__()
        self.deliver = deliver
        self.host = host
        self.sender: bytes | None = None
        self.recipients: list[bytes] = []
        self.commands: Final[dict[bytes, Callable[[bytes], None]]] = {
            b"EHLO": self.hello,
            b"HELO": self.hello,
            b"MAIL": self.mail,
            b"RCPT": self.recipient,
            b"DATA": self.data,
            b"RSET": self.reset,
            b"NOOP": self.nothing,
            b"QUIT": self.quit,
        }

    # What framer calls.

    def connection_made(self) -> None:
        """Greet: in SMTP the server speaks first."""
        self.reply(220, self.host + b" ESMTP")

    def frame_received(self, frame: bytes) -> None:
        """Take a command, or the message that follows DATA."""
        if self.terminator == END_OF_MESSAGE:
            self.message(frame[len(CRLF) :])
            return
        verb, _, argument = frame.partition(b" ")
        command = self.commands.get(verb.upper())
        if command is None:
            self.reply(500, b"unknown command")
        else:
            command(argument.strip())

    def framing_error(self, exc: FramingError) -> None:
        """Say what was wrong, then hang up."""
        if isinstance(exc, FrameTooLarge):
            self.reply(552, b"more than %d bytes" % exc.max_frame_size)
        self.close_when_done()

    # What the commands do.

    def hello(self, argument: bytes) -> None:
        """Answer EHLO and HELO: name what this server can do."""
        self.reply(250, self.host + b" greets " + argument, b"8BITMIME", b"PIPELINING")

    def mail(self, argument: bytes) -> None:
        """Begin a message."""
        self.sender = address(argument)
        self.recipients = []
        self.reply(250, b"sender ok")

    def recipient(self, argument: bytes) -> None:
        """Add a recipient, unless it is nobody."""
        mailbox = address(argument)
        if self.sender is None:
            self.reply(503, b"MAIL first")
        elif mailbox.startswith(b"nobody@"):
            self.reply(550, b"no such user here")
        else:
            self.recipients.append(mailbox)
            self.reply(250, b"recipient ok")

    def data(self, _argument: bytes) -> None:
        """Ask for the message, and let it end where messages end from the very next byte on.

        The CRLF that ended DATA is pushed back: it is the first half of the terminator of a
        message without a single line.
        """
        if not self.recipients:
            self.reply(503, b"RCPT first")
            return
        self.reply(354, b"end with a dot on a line by itself")
        self.terminator = END_OF_MESSAGE
        self.framer.push_back(CRLF)

    def message(self, stuffed: bytes) -> None:
        """Hand the message over and go back to commands."""
        self.terminator = CRLF
        self.deliver(Envelope(self.sender or b"", tuple(self.recipients), unstuffed(stuffed)))
        self.forget()
        self.reply(250, b"message accepted")

    def reset(self, _argument: bytes) -> None:
        """Forget the message that was begun."""
        self.forget()
        self.reply(250, b"forgotten")

    def nothing(self, _argument: bytes) -> None:
        """Show that somebody is here."""
        self.reply(250, b"ok")

    def quit(self, _argument: bytes) -> None:
        """Say goodbye; the connection is closed once that has been sent."""
        self.reply(221, self.host + b" closing connection")
        self.close_when_done()

    def forget(self) -> None:
        """Be ready for the next message."""
        self.sender = None
        self.recipients = []

    def reply(self, code: int, *lines: bytes) -> None:
        """Send a reply of one line or several: all but the last have a hyphen behind the code."""
        *first, last = lines
        for line in first:
            self.push(b"%d-%s\r\n" % (code, line))
        self.push(b"%d %s\r\n" % (code, last))


def address(argument: bytes) -> bytes:
    """Return the address in `FROM:<address> SIZE=...` or `TO:<address>`."""
    return argument.partition(b"<")[2].partition(b">")[0]
