"""Every check makes a property that a fuzzer can drive, and a failure that is short to read."""

# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# What a parser gives may be anything, and so may what a test makes of it.

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import get_state_machine_test

from framer.testing import (
    CheckFailed,
    ParserMachine,
    Subject,
    check_aliasing,
    check_chunking,
    check_coalescing,
    check_limit,
    check_linear,
    check_only_raises,
    check_output,
    check_prefixes,
    check_prompt,
    check_roundtrip,
    chunked,
    streams,
)

FRAMES = (b"spam\r\n", b"\r\n", b"a\rb\r\n")
STREAMS = streams(*FRAMES)


class Broken:
    """Lines with all sorts of faults: each check below sees one of them."""

    work = 0.0

    def __init__(self) -> None:
        self.rest: Any = b""
        self.size = 0
        self.line = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """Lose a CR, the second line of a chunk, and what was handed out before."""
        self.size += len(data)
        Broken.work += self.size * 1e-8
        line, found, rest = (self.rest + data.removesuffix(b"\r")).partition(b"\r\n")
        self.rest = b"" if found else line
        if rest == b"\r\n":
            raise LookupError("an empty line")
        self.line[:] = line
        return [self.line] if found else []


class Forgetful:
    """A queue that gives the beginning of what is pushed."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []

    def push(self, data: Any) -> None:
        """Keep it."""
        self.chunks.append(bytes(data))

    def data_to_send(self, max_size: int) -> bytes:
        """Give a part of it."""
        return self.chunks.pop(0)[:max_size] if self.chunks else b""


class Machine(ParserMachine):
    """Drives it."""

    streams = STREAMS

    def make(self) -> Subject:
        """Make one."""
        return Broken()


def held(strategy: st.SearchStrategy[Any], check: Callable[[Any], object]) -> Any:
    """Make a property of a check, as everybody writes them."""

    @given(strategy)
    def holds(drawn: Any) -> None:
        check(drawn)

    return holds


def line_of_size(size: int) -> bytes:
    """Make a line."""
    return b"x" * size + b"\r\n"


PROPERTIES: dict[str, Any] = {
    "chunking": held(STREAMS, lambda data: check_chunking(Broken, data)),
    "prefixes": held(STREAMS, lambda data: check_prefixes(Broken, data)),
    "aliasing": held(STREAMS, lambda data: check_aliasing(Broken, data)),
    "only_raises": held(STREAMS, lambda data: check_only_raises(Broken, data, ValueError)),
    "prompt": held(
        st.lists(st.sampled_from(FRAMES), min_size=1), lambda frames: check_prompt(Broken, frames)
    ),
    "coalescing": held(st.sampled_from(FRAMES), lambda frame: check_coalescing(Broken, frame, 9)),
    "limit": held(st.integers(1, 30), lambda limit: check_limit(Broken, line_of_size, limit)),
    "linear": held(
        st.just(b"\r\n"),
        lambda frame: check_linear(
            Broken, lambda size: frame + b"x" * size, clock=lambda: Broken.work
        ),
    ),
    "roundtrip": held(
        st.lists(st.binary(min_size=1, max_size=4), min_size=1),
        lambda messages: check_roundtrip(lambda line: line + b"\r\n", Broken, messages),
    ),
    "output": held(
        st.lists(st.integers(1, 3), min_size=1),
        lambda takes: check_output(Forgetful, [b"spam"], takes),
    ),
    "ways": held(
        chunked(b"spam\r\n\r\n"),
        lambda chunks: check_chunking(Broken, b"spam\r\n\r\n", ways=[chunks]),
    ),
    "machine": get_state_machine_test(Machine),
}


def fuzzed(target: Callable[[bytes], object]) -> str:
    """Give it bytes, as a fuzzer does, until it fails, and return how."""
    rng = random.Random(5)
    with pytest.raises(CheckFailed) as caught:
        for _ in range(400):
            target(rng.randbytes(400))
    return str(caught.value)


@pytest.mark.parametrize("name", PROPERTIES)
def test_properties_are_fuzz_targets(name: str) -> None:
    """Hypothesis' fuzz_one_input finds the fault, and the same one from the same bytes."""
    target = PROPERTIES[name].hypothesis.fuzz_one_input
    assert fuzzed(target).partition("\n\n")[0] == fuzzed(target).partition("\n\n")[0]


FAILURES: dict[str, Callable[[], object]] = {
    "chunking": lambda: check_chunking(Broken, b"spam\r\n\r\nand\r\n"),
    "prompt": lambda: check_prompt(Broken, FRAMES[:1] * 2),
    "prefixes": lambda: check_prefixes(Broken, b"spam\r\nand\r\n"),
    "coalescing": lambda: check_coalescing(Broken, b"spam\r\n", 3),
    "limit": lambda: check_limit(Broken, line_of_size, 5),
    "only_raises": lambda: check_only_raises(Broken, b"spam\r\n\r\n"),
    "aliasing": lambda: check_aliasing(Broken, b"spam\r\nand\r\n"),
    "output": lambda: check_output(Forgetful, [b"spam"], [1]),
}


@pytest.mark.parametrize("name", FAILURES)
def test_pytest_shows_the_line_of_the_test(name: str) -> None:
    """It hides the insides of the kit, for what is to be read is what the failure says."""
    with pytest.raises(CheckFailed) as caught:
        FAILURES[name]()
    shown = caught.traceback.filter(caught)
    assert {str(entry.path) for entry in shown} == {__file__}
