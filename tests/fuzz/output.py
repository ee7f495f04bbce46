"""Random programs of calls on an OutputQueue, against the oracle of test_output.py."""

from __future__ import annotations

from typing import Any

from fuzz.choices import Choices
from test_output import CHUNK_SIZE, SHAPES, QueueMachine, Step

from framer import PENDING

__all__ = ["run"]

CALLS = 400
KINDS = [bytes, bytearray, memoryview]
SIZES = [None, *range(41)]


def run(data: bytes) -> None:
    """Do what the bytes say, and compare all that can be seen after each call."""
    choices = Choices(data)
    machine: Any = QueueMachine()
    machine.make(choices.number(20), choices.number(20))
    for _ in range(CALLS):
        if not choices:
            return
        step(machine, choices)
        machine.state()


def step(machine: Any, choices: Choices) -> None:
    """Make one call."""
    match choices.number(11):
        case 0 | 1 | 2:
            machine.push(choices.chunk(30), choices.pick(KINDS))
        case 3 | 4:
            steps = [pick_step(choices) for _ in range(choices.number(6))]
            machine.push_producer(steps, choices.pick(SHAPES))
        case 5:
            machine.take(choices.pick(SIZES))
        case 6:
            machine.show(choices.pick([*range(10), 64]), choices.pick(SIZES))
        case 7:
            machine.show_one(1 + choices.number(39))
        case 8:
            machine.advance(choices.number(20) / 20)
        case 9:
            machine.advance_too_far(1 + choices.number(4))
        case 10:
            machine.wake()
        case _ if choices.number(9) == 9:
            machine.close_when_done()
        case _ if len(machine.oracle.items) > 2:
            machine.discard()
        case _:
            pass


def pick_step(choices: Choices) -> Step:
    """Decide what a producer gives next."""
    match choices.number(5):
        case 0:
            return PENDING
        case 1:
            return KeyError()
        case _:
            return choices.chunk(CHUNK_SIZE)
