"""The fuzz targets, without a fuzzer: each over its kept corpus, so that none of them rots.

What `make fuzz` finds is kept in the corpus once it is mended, and holds here from then on.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from fuzz.choices import Choices
from fuzz.targets import CORPUS, TARGETS, corpus

from framer import Channel, Framer, OutputQueue
from framer_adapters.asynchat import async_chat
from framer_adapters.asyncore import dispatcher

MUTATIONS = 40
"""How many damaged inputs a target gets besides."""


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Damage an input as a fuzzer does: change, remove, insert or repeat some bytes."""
    at = rng.randint(0, len(data))
    until = rng.randint(at, min(len(data), at + 8))
    return data[:at] + rng.choice([b"", rng.randbytes(3), data[at:until] * 2]) + data[until:]


@pytest.mark.parametrize("name", TARGETS)
def test_corpus(name: str) -> None:
    """No input that is kept breaks its target."""
    for data in corpus(name):
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_mutations(name: str) -> None:
    """Nor do inputs that are near to those, the same in every run."""
    rng = random.Random(name)
    kept = corpus(name)
    for _ in range(MUTATIONS):
        TARGETS[name](mutate(rng.choice(kept), rng))


def test_each_target_has_a_corpus() -> None:
    """No target without a corpus, no corpus without a target, none of them empty."""
    assert {path.stem for path in CORPUS.glob("*.txt")} == set(TARGETS)
    assert all(corpus(name) for name in TARGETS)


# Faults that a target has to find in its corpus: what it cannot see, it does not hold.


def lose_a_byte(self: Any, data: Any) -> None:
    """Be a framer that drops the last byte of a chunk, if it has more than one."""
    RECEIVE(self, bytes(data)[:-1] if len(data) > 1 else data)


def take_too_much(self: Any, max_size: int | None = None) -> bytes:
    """Be a queue that removes one byte more than it gives."""
    data = TAKE(self, max_size)
    TAKE(self, 1 if len(data) > 3 else 0)
    return data


def hear_twice(self: Any, data: Any) -> None:
    """Be a channel that is told of short chunks twice."""
    HEAR(self, data)
    if len(data) == 1:
        HEAR(self, data)


def push_less(self: Any, data: Any) -> None:
    """Be a queue that drops the first byte."""
    PUSH(self, data[1:])


def forget_input(self: Any) -> None:
    """Be a channel that is to forget everything, and does not forget what was to go out."""
    self.ac_in_buffer = b""
    self.incoming.clear()


def connect_early(self: Any) -> None:
    """Be one that has its connection before it hears of it, and not after."""
    self.connected = True
    CONNECT(self)


RECEIVE = Framer.receive_data
TAKE = OutputQueue.data_to_send
HEAR = Channel.receive_data
PUSH = OutputQueue.push
CONNECT = dispatcher.handle_connect_event


@pytest.mark.parametrize(
    ("name", "broken", "method", "fault"),
    [
        ("streams", Framer, "receive_data", lose_a_byte),
        ("programs", Framer, "receive_data", lose_a_byte),
        ("twins", Framer, "receive_data", lose_a_byte),
        ("output", OutputQueue, "data_to_send", take_too_much),
        ("channel", Channel, "receive_data", hear_twice),
        ("connection", OutputQueue, "push", push_less),
        ("dropins", async_chat, "discard_buffers", forget_input),
        ("dropins", dispatcher, "handle_connect_event", connect_early),
    ],
)
def test_each_target_finds_a_fault(
    name: str, broken: type, method: str, fault: Callable[..., object], monkeypatch: Any
) -> None:
    """A target over its corpus is not vacuous: it fails when framer is wrong."""
    monkeypatch.setattr(broken, method, fault)
    with pytest.raises(Exception):  # noqa: B017 - an assertion, or what follows from the fault
        for data in corpus(name):
            TARGETS[name](data)


def test_choices_read_bytes_one_by_one() -> None:
    """Each byte is a decision; at the end each decision is the first of its options."""
    choices = Choices(bytes([7, 1, 2, 3, 65, 66, 67, 0, 1]))
    assert choices.number(4) == 2
    assert choices.flag()
    assert choices.pick("abc") == "c"
    assert choices.chunk(9) == b"ABC"
    assert choices
    assert choices.word(b"xyz", 9) == b""
    assert choices.pieces(b"spam") == [b"sp", b"am"]
    assert not choices
    assert (choices.number(9), choices.flag(), choices.pick("abc")) == (0, False, "a")
    assert choices.chunk(9) == b""
    assert choices.pieces(b"spam") == [b"spam"]
