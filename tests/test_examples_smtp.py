"""The SMTP server of docs/examples: alone, and with smtplib and raw sockets under every adapter.

What is held here above all: a message stays one message, whatever is in it, and nothing that was
said in plain text is taken for something said under TLS.
"""

import smtplib
import socket
import ssl
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import programs
import pytest
import trustme

sys.path.insert(0, str(programs.EXAMPLES))

import captures
import smtp_server
from serving import ADAPTERS
from smtp_server import Envelope, SmtpChannel

Talk = tuple[bytes, list[Envelope], bool]

HELLO = b"EHLO c\r\n"
ENVELOPE = b"MAIL FROM:<a@c>\r\nRCPT TO:<b@s>\r\nDATA\r\n"
FORGED = b"MAIL FROM:<boss@c>\r\nRCPT TO:<b@s>\r\nDATA\r\nforged\r\n.\r\n"

# What some server or other once took for the end of a message, or of a line.
NO_ENDS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\r\n.\r\r\n",
    b"\n.\n\r\n",
    b"\r\n\n.\r\n",
]


def codes(output: bytes) -> list[int]:
    """Return the codes of SMTP replies, one a reply."""
    return [int(line[:3]) for line in output.splitlines() if line[3:4] == b" "]


def talk(pieces: list[bytes], *, tls: ssl.SSLContext | None = None, eof: bool = False) -> Talk:
    """Say `pieces` to an SMTP server; return its answers, its post, and whether it hung up."""
    inbox: list[Envelope] = []
    channel = SmtpChannel(inbox.append, tls=tls)
    output = programs.converse(channel, pieces, eof=eof)
    return output, inbox, channel.closed


# Without I/O: commands.


def test_it_answers_like_the_real_server() -> None:
    """Given what swaks sent to Exim, the example answers with Exim's codes, and has the message."""
    output, [envelope], closed = talk([captures.load("smtp.client")])
    assert codes(output) == codes(captures.load("smtp.server"))
    assert codes(output) == [220, 250, 250, 250, 550, 250, 354, 250, 221]
    assert closed
    assert envelope.sender == b"alice@client.example"
    assert envelope.recipients == (b"bob@mail.example", b"carol@mail.example")
    assert b"\r\n.\r\n.hidden files" in envelope.message


def test_it_answers_the_same_however_the_commands_arrive() -> None:
    """Every cut in two and the bytes one by one give one answer and one message."""
    programs.check_cuttings(talk, captures.load("smtp.client"), most=2)


def test_small_conversation_however_it_arrives() -> None:
    """Every cut in three of two messages, the second of which is empty."""
    stream = HELLO + ENVELOPE + b"..one\r\n.\r\n" + ENVELOPE + b".\r\nQUIT\r\nignored"
    output, inbox, closed = programs.check_cuttings(talk, stream)
    assert codes(output) == [220, 250] + [250, 250, 354, 250] * 2 + [221]
    assert [envelope.message for envelope in inbox] == [b".one", b""]
    assert closed


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        (b"XYZZY\r\n", 500),
        (b"\r\n", 500),
        (b"NOOP\nQUIT\r\n", 500),
        (b"NOOP\rQUIT\r\n", 500),
        (b"\nNOOP\r\n", 500),
        (b"NOOP \nQUIT\r\n", 500),
        (b"NOOP \rQUIT\r\n", 500),
        (b"EHLO\r\n", 501),
        (b"EHLO  \r\n", 501),
        (b"DATA\r\n", 503),
        (b"MAIL FROM:<a@c>\r\n", 503),
        (b"RCPT TO:<b@s>\r\n", 503),
        (HELLO + b"MAIL FROM:<a@c>\r\nDATA\r\n", 503),
        (HELLO + b"MAIL FROM:<a@c>\r\nMAIL FROM:<a@c>\r\n", 503),
        (HELLO + b"MAIL FROM:<a@c>\r\nRSET\r\nRCPT TO:<b@s>\r\n", 503),
        (HELLO + b"MAIL FROM:<a@c>\r\n" + HELLO + b"RCPT TO:<b@s>\r\n", 503),
        (HELLO + b"MAIL TO:<a@c>\r\n", 501),
        (HELLO + b"MAIL FROM:a@c\r\n", 501),
        (HELLO + b"MAIL FROM:<a@c> a\x01\r\n", 501),
        (HELLO + b"MAIL FROM:<>\r\nRCPT TO:<>\r\n", 501),
        (HELLO + b"MAIL FROM:<>\r\nRCPT FROM:<b@s>\r\n", 501),
        (HELLO + b"MAIL FROM:<>\r\nRCPT TO:<b@s> NOTIFY=NEVER\r\n", 555),
        (HELLO + b"MAIL FROM:<>\r\nRCPT TO:<nobody@s>\r\n", 550),
        (HELLO + b"MAIL FROM:<>\r\nRCPT TO:<b@s>\r\nDATA now\r\n", 501),
        (HELLO + b"MAIL FROM:<>\r\n" + b"RCPT TO:<b@s>\r\n" * 101, 452),
        (HELLO + b"MAIL FROM:<a@c> SIZE=1048576 BODY=8BITMIME\r\n", 250),
        (HELLO + b"mail from: <a@c> body=7bit\r\n", 250),
        (HELLO + b"MAIL FROM:<a@c> SIZE=1048577\r\n", 552),
        (HELLO + b"MAIL FROM:<a@c> SIZE=%s\r\n" % (b"9" * 900), 552),
        (HELLO + b"MAIL FROM:<a@c> SIZE=-1\r\n", 555),
        (HELLO + b"MAIL FROM:<a@c> BODY=BINARYMIME\r\n", 555),
        (HELLO + b"MAIL FROM:<a@c> RET=HDRS\r\n", 555),
        (b"noop\r\n", 250),
        (b"vrfy b\r\n", 252),
        (b"helo c\r\n", 250),
        (b"quit\r\n", 221),
        (b"STARTTLS\r\n", 502),
    ],
)
def test_commands(commands: bytes, expected: int) -> None:
    """Commands out of order or out of shape are refused; case does not matter."""
    output, inbox, _ = talk([commands])
    assert codes(output)[-1] == expected
    assert not inbox


def test_extensions() -> None:
    """EHLO says what can be done; HELO does not."""
    output, _, _ = talk([b"HELO c\r\nEHLO c\r\n"])
    assert output.splitlines()[1:] == [
        b"250 mail.example greets c",
        b"250-mail.example greets c",
        b"250-8BITMIME",
        b"250-PIPELINING",
        b"250 SIZE 1048576",
    ]


def test_commands_that_are_too_long() -> None:
    """A command over the limit is answered and dropped, and the next one is a command."""
    longest = b"NOOP " + b"x" * (smtp_server.COMMAND_SIZE - 5)
    for stream in (longest + b"x\r\nNOOP\r\n", longest * 9 + b"\r\nNOOP\r\n"):
        output, _, closed = programs.check_cuttings(talk, stream, most=1)
        assert (codes(output), closed) == ([220, 500, 250], False)
    assert codes(talk([longest + b"\r\n"])[0]) == [220, 250]


def test_messages_that_are_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message over the limit is answered and dropped; what comes behind it is a command."""
    monkeypatch.setattr(smtp_server, "MESSAGE_SIZE", 8)
    most = HELLO + ENVELOPE + b"12345678\r\n.\r\nNOOP\r\n"
    assert codes(programs.check_cuttings(talk, most, most=2)[0])[-3:] == [354, 250, 250]
    more = HELLO + ENVELOPE + b"12345678\r\n9\r\n.\r\nDATA\r\n" + ENVELOPE + b"ok\r\n.\r\n"
    output, [envelope], closed = programs.check_cuttings(talk, more, most=2)
    assert codes(output) == [220, 250, 250, 250, 354, 552, 503, 250, 250, 354, 250]
    assert envelope.message == b"ok"
    assert not closed


def test_endless_message() -> None:
    """However long it goes on, none of it is kept."""
    inbox: list[Envelope] = []
    channel = SmtpChannel(inbox.append)
    channel.connection_made()
    channel.receive_data(HELLO + ENVELOPE)
    for _ in range(3 * (smtp_server.MESSAGE_SIZE >> 16)):
        channel.receive_data(b"no end\r\n" * (1 << 13))
    assert channel.framer.buffered < 8
    channel.receive_data(b".\r\nQUIT\r\n")
    assert codes(channel.output.data_to_send()) == [220, 250, 250, 250, 354, 552, 221]
    assert not inbox


@pytest.mark.parametrize("end", [b"", b"NOOP", b"DATA\r\nhalf a message\r\n"])
def test_client_that_leaves(end: bytes) -> None:
    """Half a command or half a message is none, and gets no answer."""
    before = HELLO + b"MAIL FROM:<a@c>\r\nRCPT TO:<b@s>\r\n"
    output, inbox, closed = talk([before + end], eof=True)
    assert codes(output)[:4] == [220, 250, 250, 250]
    assert codes(output)[4:] == ([354] if b"DATA" in end else [])
    assert not inbox
    assert closed


# Without I/O: messages.


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b""),
        (b"..\r\n.\r\n", b"."),
        (b"...\r\n..a\r\na.\r\n.\r\n", b"..\r\n.a\r\na."),
        (b"\xff\x80\0\r\n.\r\n", b"\xff\x80\0"),
    ],
)
def test_messages(sent: bytes, message: bytes) -> None:
    """The dots that the client put in are taken out; every byte but CRLF . CRLF may be in one."""
    _, [envelope], _ = talk([HELLO + ENVELOPE + sent])
    assert envelope == Envelope(b"a@c", (b"b@s",), message)


@pytest.mark.parametrize("no_end", NO_ENDS)
def test_smuggling(no_end: bytes) -> None:
    """What is not CRLF . CRLF ends no message, so what is behind it is no command."""
    stream = HELLO + ENVELOPE + b"hi" + no_end + FORGED + b"QUIT\r\n"
    output, [envelope], _ = programs.check_cuttings(talk, stream, most=2)
    assert codes(output) == [220, 250, 250, 250, 354, 250, 221]
    assert envelope.sender == b"a@c"
    assert envelope.message.endswith(FORGED.removesuffix(b"\r\n.\r\n"))


# Without I/O: STARTTLS.


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Whom the client trusts."""
    return trustme.CA()


@pytest.fixture(scope="module")
def certificate(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the server's certificate and key."""
    path = tmp_path_factory.mktemp("certificate") / "server.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """Trust it."""
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=authority.cert_pem.bytes().decode())
    return context


def test_starttls(trusting: ssl.SSLContext) -> None:
    """It is offered until it is there; then all that was said before is forgotten."""
    inbox: list[Envelope] = []
    channel = SmtpChannel(inbox.append, tls=trusting)
    channel.connection_made()
    channel.receive_data(
        HELLO + b"STARTTLS now\r\nMAIL FROM:<a@c>\r\nRCPT TO:<b@s>\r\nSTARTTLS\r\n"
    )
    output = channel.output.data_to_send()
    assert codes(output) == [220, 250, 501, 250, 250, 220]
    assert b"250 STARTTLS\r\n" in output
    assert channel.tls_request is not None
    assert channel.tls_request.ready or not channel.output.data_to_send()
    channel.receive_tls()
    channel.receive_data(b"DATA\r\nMAIL FROM:<a@c>\r\n" + HELLO + b"STARTTLS\r\n")
    output = channel.output.data_to_send()
    assert codes(output) == [503, 503, 250, 502]
    assert b"STARTTLS" not in output
    assert not inbox


def test_starttls_with_commands_behind_it(trusting: ssl.SSLContext) -> None:
    """Where they came in one read with it, they are refused, and TLS is not even begun."""
    for injected in (b"N", b"NOOP\r\n", HELLO + ENVELOPE + b"forged\r\n.\r\n"):
        output, inbox, closed = talk([HELLO + b"STARTTLS\r\n" + injected], tls=trusting)
        assert codes(output) == [220, 250, 554]
        assert closed
        assert not inbox


def test_starttls_however_it_is_cut(trusting: ssl.SSLContext) -> None:
    """Up to STARTTLS cuts make no difference; what comes in a later read is the handshake's."""

    def look(pieces: list[bytes]) -> Talk:
        return talk(pieces, tls=trusting)

    output, _, closed = programs.check_cuttings(look, HELLO + b"STARTTLS\r\n")
    assert (codes(output), closed) == ([220, 250, 220], False)


# Under the adapters.


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs, and what it prints."""

    program: programs.Program

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return "127.0.0.1", self.program.port

    def printed(self) -> str:
        """Return the next line that it prints, one a message."""
        return self.program.output.readline().decode().rstrip("\n")


@pytest.fixture(scope="module", params=ADAPTERS)
def adapter(request: pytest.FixtureRequest) -> str:
    """The name of an adapter."""
    return str(request.param)


@pytest.fixture(scope="module")
def server(adapter: str, certificate: Path) -> Iterator[Server]:
    """A server that offers STARTTLS and runs under the adapter."""
    command = ["smtp_server.py", "--adapter", adapter, "--certificate", str(certificate)]
    with programs.serving(*command) as program:
        yield Server(program)


# What a reader would write for TLS from the start: only the context that serve() gets differs.
OVER_TLS = """
import functools, ssl, sys
import serving, smtp_server

context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(sys.argv.pop(1))
serving.serve = functools.partial(serving.serve, tls=context)
serving.main(lambda: smtp_server.SmtpChannel(smtp_server.show), "SMTP over TLS")
"""


@pytest.fixture(scope="module")
def tls_server(adapter: str, certificate: Path) -> Iterator[Server]:
    """A server that speaks TLS from the start and runs under the adapter."""
    with programs.serving("-c", OVER_TLS, certificate, "--adapter", adapter) as program:
        yield Server(program)


def send_mail(client: smtplib.SMTP, server: Server) -> None:
    """Send two messages by a client, and see that they arrive."""
    text = "Subject: dots\r\n\r\n.one\r\n..two\r\n.\r\nthe end\r\n"
    to = ["b@mail.example", "nobody@mail.example"]
    assert list(client.sendmail("a@client.example", to, text)) == [to[1]]
    arrived = (b"b@mail.example",), text.encode().removesuffix(b"\r\n")
    assert server.printed() == f"from b'a@client.example' to {arrived[0]!r}: {arrived[1]!r}"
    eight_bit = b"Subject: \xc3\xa4\r\n\r\n" + bytes(range(128, 256)) + b"\r\n"
    client.sendmail("a@client.example", to[:1], eight_bit, mail_options=["BODY=8BITMIME"])
    assert server.printed().endswith(repr(eight_bit.removesuffix(b"\r\n")))


def test_smtplib(server: Server) -> None:
    """Mail arrives, in plain text."""
    with smtplib.SMTP(*server.address, "c", programs.TIMEOUT) as client:
        send_mail(client, server)
        assert client.has_extn("STARTTLS")
        assert client.has_extn("PIPELINING")
        assert client.esmtp_features["size"] == "1048576"


def test_smtplib_with_starttls(server: Server, trusting: ssl.SSLContext) -> None:
    """Mail arrives over TLS that was asked for after EHLO."""
    with smtplib.SMTP(*server.address, "c", programs.TIMEOUT) as client:
        client.ehlo()
        assert client.has_extn("STARTTLS")
        assert client.starttls(context=trusting)[0] == 220
        assert isinstance(client.sock, ssl.SSLSocket)
        assert client.docmd("MAIL FROM:<a@c>")[0] == 503
        send_mail(client, server)
        assert not client.has_extn("STARTTLS")
        assert client.docmd("STARTTLS")[0] == 502


def test_smtplib_over_tls(tls_server: Server, trusting: ssl.SSLContext) -> None:
    """Mail arrives over TLS from the start, which does not offer TLS again."""
    with smtplib.SMTP_SSL(
        *tls_server.address, "c", timeout=programs.TIMEOUT, context=trusting
    ) as client:
        send_mail(client, tls_server)
        assert not client.has_extn("STARTTLS")


def test_curl(server: Server, authority: trustme.CA, tmp_path: Path) -> None:
    """curl, which insists on STARTTLS and trusts nobody else, sends a file with dots in it."""
    curl = programs.tool("curl", "curl")
    trusted = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(trusted))
    url = f"smtp://127.0.0.1:{server.program.port}/c"
    encrypted = ["--ssl-reqd", "--cacert", str(trusted)]
    mail = ["--mail-from", "<a@c>", "--mail-rcpt", "<b@s>", "--upload-file", "-"]
    data = b"Subject: x\r\n\r\n.\r\n..\r\nthe end\r\n"
    done = programs.run(curl, "-sS", url, *encrypted, *mail, data=data)
    assert (done.returncode, done.stderr) == (0, b"")
    message = data.removesuffix(b"\r\n")
    assert server.printed() == f"from b'a@c' to (b'b@s',): {message!r}"


def test_messages_too_large(server: Server) -> None:
    """One that says so is refused before it is sent, one that does not when it is through."""
    large = b"x" * 998 + b"\r\n"
    large *= 1100
    with smtplib.SMTP(*server.address, "c", programs.TIMEOUT) as client:
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            client.sendmail("a@c", ["b@s"], large)
        assert refused.value.smtp_code == 552
        client.helo()
        client.esmtp_features.clear()
        client.does_esmtp = False
        with pytest.raises(smtplib.SMTPDataError) as too_large:
            client.sendmail("a@c", ["b@s"], large)
        assert too_large.value.smtp_code == 552
        send_mail(client, server)


def said(server: Server, *pieces: bytes) -> Iterator[bytes]:
    """Send each piece once what came before was answered, and yield the answers as they come."""
    with socket.create_connection(server.address, programs.TIMEOUT) as connection:
        yield connection.recv(1 << 16)
        for piece in pieces:
            connection.sendall(piece)
            yield connection.recv(1 << 16)
        yield b"".join(iter(lambda: connection.recv(1 << 16), b""))


def test_pipelining(server: Server) -> None:
    """A whole session in one send is answered in order, and to its end."""
    session = HELLO + b"x" * 2000 + b"\r\n" + (ENVELOPE + b"hi\r\n.\r\n") * 3 + b"QUIT\r\n"
    output = b"".join(said(server, session))
    assert codes(output) == [220, 250, 500] + [250, 250, 354, 250] * 3 + [221]
    assert [server.printed() for _ in range(3)] == ["from b'a@c' to (b'b@s',): b'hi'"] * 3


def test_smuggling_over_a_socket(server: Server) -> None:
    """Each variant stays one message; were one not, the next line printed would be the forged."""
    for no_end in NO_ENDS:
        session = HELLO + ENVELOPE + b"hi" + no_end + FORGED + b"QUIT\r\n"
        assert codes(b"".join(said(server, session))) == [220, 250, 250, 250, 354, 250, 221]
        message = captures.unstuffed(b"hi" + no_end + FORGED.removesuffix(b"\r\n.\r\n"))
        assert server.printed() == f"from b'a@c' to (b'b@s',): {message!r}"


def test_injected_commands(server: Server) -> None:
    """What comes with STARTTLS in plain text is refused, and the connection closed."""
    *_, last, end = said(server, HELLO, b"STARTTLS\r\n" + HELLO + ENVELOPE)
    assert codes(last + end) == [554]
    assert still_serves(server)


def test_plain_text_for_a_handshake(server: Server) -> None:
    """What comes in plain text after STARTTLS was answered is no command, and no handshake."""
    hello, begin = (HELLO, b"STARTTLS\r\n")
    replies = said(server, hello, begin, HELLO + ENVELOPE)
    assert [codes(next(replies)) for _ in range(3)] == [[220], [250], [220]]
    try:
        rest = b"".join(replies)
    except ConnectionError:
        rest = b""
    assert not codes(rest)
    assert still_serves(server)


def still_serves(server: Server) -> bool:
    """Say whether another client is served."""
    return codes(b"".join(said(server, b"QUIT\r\n"))) == [220, 221]
