"""What events are compared by: contents where they have some, and a copy of what can change."""

# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# What a parser gives may be anything, and so may what a test makes of it.

import array
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest

from framer.testing._values import Plain, fields_of, value_of


class Loose:
    """Has a dictionary, and compares by identity."""

    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)


class Tight:
    """Has slots, one of which is empty."""

    __slots__ = ("a", "missing")

    def __init__(self, a: object) -> None:
        self.a = a


class Tighter(Tight):
    """Adds to them, in the short form of one."""

    __slots__ = "b"  # noqa: PLC0205 - a form that classes may have

    def __init__(self, a: object, b: object) -> None:
        super().__init__(a)
        self.b = b


class Open(Tight):
    """Has a dictionary besides."""

    __slots__ = ("__dict__", "__weakref__")


@dataclass
class Own:
    """Compares by its fields."""

    a: object


@dataclass(frozen=True, slots=True)
class Frozen:
    """The same, and nobody can set one."""

    a: object


class Uncopied(Own):
    """Refuses to be copied."""

    def __copy__(self) -> None:
        raise TypeError("there is one of it")


class Colour(Enum):
    """Compares by identity, and there is one of each."""

    RED = 1


@pytest.mark.parametrize("thing", [b"a", "b", 1, True, None, 1.5, Own(1), Colour.RED, len, Loose])
def test_what_is_its_own_value(thing: object) -> None:
    """What compares by its contents, or is there once, is left alone."""
    assert value_of(thing) is thing


def test_not_a_number_is_the_same() -> None:
    """A parser of numbers may give NaN, which is not even equal to itself."""
    assert value_of([float("nan")]) == value_of([float("nan")])


def test_objects_compare_by_their_attributes() -> None:
    """Whether these are in a dictionary or in slots; their type counts, too."""
    assert value_of(Loose(a=[1])) == value_of(Loose(a=[1])) != value_of(Loose(a=[2]))
    assert value_of(Tighter(1, 2)) == value_of(Tighter(1, 2)) != value_of(Tighter(1, 3))
    assert value_of(Tight(1)) != value_of(Loose(a=1))
    assert fields_of(Open(1)) == {"a": 1}
    assert repr(value_of(Tighter(1, b"x"))) == "Tighter(a=1, b=b'x')"


def test_errors_compare_by_their_arguments() -> None:
    """So do exceptions that are events."""
    assert value_of(ValueError("a")) == value_of(ValueError("a")) != value_of(ValueError("b"))


def test_objects_without_attributes() -> None:
    """They are what they print, but for where they are in memory; or of their type."""
    assert value_of(object()) == value_of(object())
    assert value_of(iter([])) == value_of(iter([]))
    assert value_of(Loose()) == value_of(Loose())


def test_what_can_change_is_copied() -> None:
    """A value stays what it was when the event came out."""
    cases: list[tuple[Any, Callable[[Any], object]]] = [
        (bytearray(b"a"), lambda event: event.clear()),
        ([1], lambda event: event.clear()),
        ({"a": [1]}, lambda event: event["a"].clear()),
        ((1, [2]), lambda event: event[1].clear()),
        (Loose(a=1), lambda event: vars(event).pop("a")),
        ({1}, lambda event: event.clear()),
        (deque([1]), lambda event: event.clear()),
        (array.array("H", [1, 2]), lambda event: event.pop()),
        (Own([1]), lambda event: event.a.clear()),
        (Own({"a": {1}}), lambda event: event.a.clear()),
        (Frozen(bytearray(b"a")), lambda event: event.a.clear()),
        ([Own([1])], lambda event: event[0].a.clear()),
    ]
    for event, change in cases:
        value, again = value_of(event), value_of(event)
        change(event)
        assert value == again != value_of(event)
    assert value_of(memoryview(b"a")) == b"a"


def test_arrays_compare_by_what_is_in_them() -> None:
    """And by the kind of it: the same bytes may be other numbers."""
    assert value_of(array.array("B", b"ab")) == value_of(array.array("B", b"ab"))
    assert value_of(array.array("B", b"ab")) != value_of(array.array("b", b"ab"))


def test_a_copy_is_of_the_same_kind() -> None:
    """So that it prints as it did, and compares as its class has it."""
    value = value_of(Own([1]))
    assert type(value) is Own
    assert value == Own([1])


def test_what_cannot_be_copied() -> None:
    """It stands for itself."""
    event = Uncopied([1])
    assert value_of(event) is event


def test_what_refers_to_itself() -> None:
    """It has an end, and is still the same as its like."""
    rings: list[list[Any]] = [[], []]
    for ring in rings:
        ring.append(ring)
    assert value_of(rings[0]) == value_of(rings[1])
    assert isinstance(value_of(Loose(me=rings[0])), Plain)
