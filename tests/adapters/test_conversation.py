"""What is next in a conversation, step by step, and with nothing but a channel."""

from __future__ import annotations

import pytest

from framer import PENDING, Channel, Framer
from framer_adapters._conversation import Conversation, Step


class Talker(Channel):
    """Does what it is told, and says what it hears."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def connection_made(self) -> None:
        """Note it."""
        self.heard.append("made")

    def frame_received(self, frame: bytes) -> None:
        """Do it."""
        self.heard.append(frame)
        if frame == b"quit":
            self.close_when_done()
        elif frame == b"tls":
            self.start_tls(object())
        elif frame == b"much":
            self.push(bytes(100_000))
        elif frame == b"later":
            self.push_producer([PENDING])
        elif frame == b"raise":
            raise ZeroDivisionError

    def tls_started(self) -> None:
        """Note it."""
        self.heard.append("tls")

    def eof_received(self) -> bool:
        """Go on."""
        self.heard.append("eof")
        return True


@pytest.fixture
def talk() -> Conversation:
    """A conversation that has begun."""
    talk = Conversation(Talker())
    talk.begin()
    return talk


def heard(talk: Conversation) -> list[object]:
    """Say what the channel has heard."""
    assert isinstance(talk.channel, Talker)
    return talk.channel.heard


def send(talk: Conversation) -> None:
    """Send all there is."""
    while talk.output.data_to_send():
        pass


def test_reading(talk: Conversation) -> None:
    """By and large one waits for the peer."""
    assert talk.next() is Step.READ
    talk.receive(b"spam\n")
    assert talk.next() is Step.READ
    assert talk.reads
    assert talk.lingers
    assert heard(talk) == ["made", b"spam"]


def test_too_much_to_send(talk: Conversation) -> None:
    """Nothing is read until it has gone."""
    talk.receive(b"much\n")
    assert not talk.reads
    assert talk.next() is Step.REST
    send(talk)
    assert talk.next() is Step.READ


def test_a_producer_that_has_nothing(talk: Conversation) -> None:
    """One goes on reading; but when the peer has ended there is nothing to do but rest."""
    talk.receive(b"later\n")
    send(talk)
    assert talk.next() is Step.READ
    talk.receive(b"")
    assert talk.ended
    assert not talk.lingers
    assert talk.next() is Step.REST
    assert heard(talk)[-1] == "eof"


def test_tls(talk: Conversation) -> None:
    """It comes when all before it has been sent; nothing is read meanwhile."""
    talk.channel.push(b"go ahead\n")
    talk.receive(b"tls\n")
    assert talk.next() is Step.REST
    send(talk)
    assert talk.next() is Step.TLS
    talk.begin()
    assert talk.next() is Step.READ
    assert heard(talk) == ["made", b"tls", "tls"]


def test_the_end(talk: Conversation) -> None:
    """When all has been said; whoever raises has nothing more to say."""
    talk.channel.push(b"bye\n")
    talk.receive(b"quit\n")
    send(talk)
    assert talk.next() is Step.CLOSE
    assert talk.lingers
    talk = Conversation(Talker())
    talk.receive(b"raise\n")
    assert talk.next() is Step.CLOSE
    assert not talk.lingers


def test_a_channel_that_is_closed_before_it_begins() -> None:
    """No hook is called."""
    talk = Conversation(Talker())
    talk.channel.discard()
    talk.begin()
    assert heard(talk) == []
    assert talk.next() is Step.CLOSE


def test_a_loss_that_a_send_has_seen(talk: Conversation) -> None:
    """What had come in is delivered; then the end is none."""
    talk.unsent = ConnectionResetError()
    talk.receive(b"spam\n")
    with pytest.raises(ConnectionResetError):
        talk.receive(b"")
    assert heard(talk) == ["made", b"spam"]
    assert not talk.ended


def test_it_keeps_nothing_of_its_own() -> None:
    """What a channel and its queue know is asked of them."""
    assert isinstance(Conversation(Talker()).channel.framer, Framer)
    assert set(Conversation.__slots__) == {"channel", "ended", "output", "unsent"}
