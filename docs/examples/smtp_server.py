"""An SMTP server (RFC 5321) that never touches a socket.

The whole conversation is a `Channel`: bytes go in through `receive_data`, replies pile up in
`output`, and what carries them (an adapter, a test, a file) is somebody else's business.

    python smtp_server.py --port 2525           # --adapter blocking, selectors, trio, anyio
    python smtp_server.py --port 2525 --certificate server.pem      # with STARTTLS

What makes it more than a loop over lines:

- **A message ends at CRLF . CRLF** and nowhere else, as a command ends at CRLF and nowhere else.
  A bare LF or CR is a byte like any other. Servers that thought otherwise took one message for
  two, the second of them forged: SMTP smuggling (CVE-2023-51764 and its kin).
  A command with a bare one in it is refused. (So should be a message, by whoever passes it on
  to servers of others, as this one does not.)
- **Pipelining** (RFC 2920) costs nothing: however many commands one read brings, each is answered
  in turn, and the answers go out together.
- **STARTTLS** (RFC 3207): commands that came behind it in plain text could be anybody's
  (CVE-2011-0411), so they are refused and the connection is closed. When TLS is there, all that
  was said before is forgotten.
- **Whatever is too long** is answered and dropped as it comes, and the conversation goes on.

The terminator is the state: while it is END_OF_MESSAGE the next frame is a message, else a command.
"""

from __future__ import annotations

import argparse
import re
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import serving
from captures import CRLF, END_OF_MESSAGE, unstuffed

from framer import Channel, FrameTooLarge, FramingError

COMMAND_SIZE: Final = 1024  # bytes; RFC 5321 demands 512, and somewhat more for extensions
MESSAGE_SIZE: Final = 1 << 20  # bytes, as they are on the wire
MAX_RECIPIENTS: Final = 100

# FROM:<address> or TO:<address>, and what extensions put behind it.
PATH: Final = re.compile(rb"(FROM|TO): ?<([^<>\s]*)>((?: [!-~]+)*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message as it was handed in, and what the client said about it."""

    sender: bytes
    recipients: tuple[bytes, ...]
    message: bytes


class SmtpChannel(Channel):
    """One SMTP session. Each message that is accepted goes to `deliver`.

    Args:
        deliver: what to do with an `Envelope`.
        host: the name of this server.
        tls: the context for STARTTLS. None: it is not offered, as where TLS is there already.
    """

    terminator = CRLF
    max_frame_size = COMMAND_SIZE

    def __init__(
        self,
        deliver: Callable[[Envelope], object],
        host: bytes = b"mail.example",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.deliver = deliver
        self.host = host
        self.tls = tls
        self.client: bytes | None = None  # what it called itself
        self.sender: bytes | None = None  # None: no message was begun
        self.recipients: list[bytes] = []
        self.commands: Final[dict[bytes, Callable[[bytes], None]]] = {
            b"EHLO": self.extended_hello,
            b"HELO": self.hello,
            b"STARTTLS": self.start_encryption,
            b"MAIL": self.mail,
            b"RCPT": self.recipient,
            b"DATA": self.data,
            b"RSET": self.reset,
            b"NOOP": self.nothing,
            b"VRFY": self.verify,
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
        if b"\n" in frame or b"\r" in frame:
            self.reply(500, b"a command ends at CRLF, and has no CR or LF in it")
        elif command is None:
            self.reply(500, b"unknown command")
        else:
            command(argument.strip(b" "))

    def framing_error(self, exc: FramingError) -> None:
        """Drop what is too long, say so, and go on.

        For a message this answer comes before its end, which does no harm: the client looks
        for it when it is through. A client that leaves half way gets none.
        """
        if not isinstance(exc, FrameTooLarge):
            return
        self.framer.skip_frame()  # up to what ends it, which is still the terminator of this frame
        if self.terminator == END_OF_MESSAGE:
            self.end_of_message()
            self.reply(552, b"a message has at most %d bytes" % MESSAGE_SIZE)
        else:
            self.reply(500, b"a command has at most %d bytes" % COMMAND_SIZE)

    def tls_started(self) -> None:
        """Forget all that was said in plain text, and do not offer TLS within TLS."""
        self.tls = None
        self.client = None
        self.forget()

    # What the commands do.

    def hello(self, argument: bytes) -> None:
        """Answer HELO."""
        self.introduce(argument)

    def extended_hello(self, argument: bytes) -> None:
        """Answer EHLO: name what this server can do."""
        offer = [b"8BITMIME", b"PIPELINING", b"SIZE %d" % MESSAGE_SIZE]
        if self.tls is not None:
            offer.append(b"STARTTLS")
        self.introduce(argument, *offer)

    def introduce(self, client: bytes, *extensions: bytes) -> None:
        """Take the name of the client, and begin anew."""
        if not client:
            self.reply(501, b"and who are you?")
            return
        self.client = client
        self.forget()
        self.reply(250, self.host + b" greets " + client, *extensions)

    def start_encryption(self, argument: bytes) -> None:
        """Change to TLS, unless something came in plain text behind the command."""
        if argument:
            self.reply(501, b"STARTTLS has no arguments")
        elif self.tls is None:
            self.reply(502, b"not offered")
        elif self.framer.buffered:
            self.reply(554, b"what comes behind STARTTLS has to be encrypted")
            self.close_when_done()
        else:
            self.reply(220, b"go ahead")
            self.start_tls(self.tls, server_side=True)

    def mail(self, argument: bytes) -> None:
        """Begin a message."""
        found = PATH.fullmatch(argument)
        if self.client is None:
            self.reply(503, b"EHLO first")
        elif self.sender is not None:
            self.reply(503, b"a message was begun already")
        elif found is None or found[1].upper() != b"FROM":
            self.reply(501, b"it is MAIL FROM:<address>")
        elif refusal := refused_parameter(found[3].split()):
            self.reply(*refusal)
        else:
            self.sender = found[2]
            self.reply(250, b"sender ok")

    def recipient(self, argument: bytes) -> None:
        """Add a recipient, unless it is nobody."""
        found = PATH.fullmatch(argument)
        if self.sender is None:
            self.reply(503, b"MAIL first")
        elif found is None or found[1].upper() != b"TO" or not found[2]:
            self.reply(501, b"it is RCPT TO:<address>")
        elif found[3]:
            self.reply(555, b"no parameters are known here")
        elif found[2].startswith(b"nobody@"):
            self.reply(550, b"no such user here")
        elif len(self.recipients) == MAX_RECIPIENTS:
            self.reply(452, b"too many recipients")
        else:
            self.recipients.append(found[2])
            self.reply(250, b"recipient ok")

    def data(self, argument: bytes) -> None:
        """Ask for the message, and let it end where messages end from the very next byte on.

        The CRLF that ended DATA is pushed back: it is the first half of the terminator of a
        message without a single line.
        """
        if argument:
            self.reply(501, b"DATA has no arguments")
        elif not self.recipients:
            self.reply(503, b"RCPT first")
        else:
            self.reply(354, b"end with a dot on a line by itself")
            self.terminator = END_OF_MESSAGE
            self.max_frame_size = len(CRLF) + MESSAGE_SIZE
            self.framer.push_back(CRLF)

    def message(self, stuffed: bytes) -> None:
        """Hand the message over."""
        envelope = Envelope(self.sender or b"", tuple(self.recipients), unstuffed(stuffed))
        self.end_of_message()
        self.deliver(envelope)
        self.reply(250, b"message accepted")

    def end_of_message(self) -> None:
        """Go back to commands."""
        self.terminator = CRLF
        self.max_frame_size = COMMAND_SIZE
        self.forget()

    def reset(self, _argument: bytes) -> None:
        """Forget the message that was begun."""
        self.forget()
        self.reply(250, b"forgotten")

    def nothing(self, _argument: bytes) -> None:
        """Show that somebody is here."""
        self.reply(250, b"ok")

    def verify(self, _argument: bytes) -> None:
        """Tell nobody who has a mailbox."""
        self.reply(252, b"send some mail and see")

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


def refused_parameter(parameters: list[bytes]) -> tuple[int, bytes] | None:
    """Return what to answer to a parameter of MAIL that cannot be met, None if all can."""
    for parameter in parameters:
        name, _, value = parameter.upper().partition(b"=")
        if name == b"SIZE" and value.isdigit():
            if len(value) > 20 or int(value) > MESSAGE_SIZE:
                return 552, b"a message has at most %d bytes" % MESSAGE_SIZE
        elif not (name == b"BODY" and value in {b"7BIT", b"8BITMIME"}):
            return 555, b"unknown parameter"
    return None


def show(envelope: Envelope) -> None:
    """Print a message."""
    print(f"from {envelope.sender!r} to {envelope.recipients!r}: {envelope.message!r}", flush=True)


def main() -> None:
    """Serve as the command line says, and print each message."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--certificate")
    options, sys.argv[1:] = parser.parse_known_args()
    tls = None
    if options.certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(options.certificate)
    serving.main(
        lambda: SmtpChannel(show, tls=tls),
        "Print the mail that comes by SMTP. "
        "With --certificate FILE (a PEM with the key in it) STARTTLS is offered.",
    )


if __name__ == "__main__":
    main()
