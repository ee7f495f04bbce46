"""Random programs of calls on a framer, against the model of test_framer_programs.py.

The model holds the bytes that were not delivered yet, and nothing of chunks or batches.
Hypothesis draws programs of forty calls; here they grow as long as they find something new.
"""

from __future__ import annotations

from typing import Any

from fuzz.choices import Choices
from test_framer_programs import TERMINATORS, Programs

__all__ = ["run"]

ALPHABET = b"\r\n\1\2\3ab;:,123"
FLOODS = [b"aab" * 9, b"\r\n" * 20, b"a\n" * 30, b"1:a,2:bb," * 5, b"2;ab\n" * 5, b"\1a\2bb" * 9]
CALLS = 400


def run(data: bytes) -> None:
    """Do what the bytes say, and look after each call."""
    choices = Choices(data)
    machine: Any = Programs()
    machine.start(choices.pick(TERMINATORS))
    for _ in range(CALLS):
        if not choices:
            return
        step(machine, choices)
        machine.nothing_is_lost()


def step(machine: Any, choices: Choices) -> None:
    """Make one call, if it is one that the model knows the answer to now."""
    whole = not (machine.streamed or machine.broken)
    match choices.number(11):
        case 0 | 1 | 2 if not machine.ended:
            chunk = choices.pick(FLOODS) if choices.number(9) == 9 else choices.word(ALPHABET, 12)
            machine.receive(chunk, choices.flag())
        case 3 if not choices.number(7):
            machine.receive_eof()
        case 4 if not machine.in_body():
            machine.push_back(choices.word(ALPHABET, 12))
        case 5 if whole:
            machine.loop_over_frames(1 + choices.number(11))
        case 6 if whole:
            machine.next_frame()
        case 7 if whole:
            machine.change_terminator_in_a_loop(1 + choices.number(5), choices.pick(TERMINATORS))
        case 8 | 9 if not machine.broken:
            machine.next_event()
        case 10:
            machine.set_terminator(choices.pick(TERMINATORS))
        case 11:
            machine.take_buffered()
        case _:
            pass
