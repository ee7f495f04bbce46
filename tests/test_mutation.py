"""The faults that mutation tests put into the core: which there are, and where they end up."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from mutation.__main__ import EXPLAINED, core
from mutation.engine import SOURCE, Killers, Known, functions, functions_in, mutants_of
from mutation.operators import Mutant, mutants

import framer
from framer import _tls

# Where the tests run against what is installed there are none.
needs_sources = pytest.mark.skipif(not SOURCE.is_dir(), reason="mutants are made of the sources")


def made(source: str) -> list[Mutant]:
    """Make the mutants of a module."""
    return mutants("_module", source)


def changes(source: str) -> set[tuple[str, str]]:
    """Say what is changed to what."""
    return {(mutant.before, mutant.after) for mutant in made(source)}


def names_of(mutant: Mutant) -> dict[str, Any]:
    """Run a mutant, and give what it defines."""
    names: dict[str, Any] = {}
    exec(mutant.compile("mutant.py"), names)  # noqa: S102 - our own
    return names


def test_faults_of_expressions() -> None:
    """Bounds are moved, halves of conditions forgotten, slices left open, and so on."""
    assert {
        ("a < b", "a <= b"),
        ("a < b and c", "a < b"),
        ("a < b and c", "c"),
        ("x[a:b]", "x[a:]"),
        ("x[a:b]", "x[:b]"),
        ("a - 1", "a + 1"),
        ("1 in a - 1", "2"),
        ("1 in a - 1", "0"),
        ("not a", "a"),
        ("max(a, b)", "min(a, b)"),
        ("max(a, b)", "a"),
        ("f(a, b=c)", "f(a)"),
        ("lambda: a", "lambda: None"),
        ("[i for i in a if i]", "[i for i in a]"),
        ("True in (True,)", "False"),
        ("b'ab' in (b'ab',)", "b''"),
    } <= changes(
        "print(a < b and c, x[a:b], a - 1, not a, max(a, b), f(a, b=c), (lambda: a),"
        "[i for i in a if i], (True,), (b'ab',))"
    )


def test_faults_of_statements() -> None:
    """Each is forgotten, or goes another way."""
    assert {
        ("self.a = b", "nothing"),
        ("self.n += 1", "nothing"),
        ("self.n += 1", "self.n -= 1"),
        ("self.n += 1", "self.n = 1"),
        ("if a: …", "if True: …"),
        ("if a: …", "if False: …"),
        ("while a: …", "while False: …"),
        ("for b in a: …", "for b in (): …"),
        ("break", "nothing"),
        ("continue", "break"),
        ("with a: …", "if True: …"),
        ("try: …", "if True: …"),
        ("raise E from e", "raise E"),
        ("return a", "return None"),
    } <= changes(
        "def f(self):\n"
        " self.a = b\n self.n += 1\n"
        " if a:\n  pass\n"
        " while a:\n  break\n"
        " for b in a:\n  continue\n"
        " with a:\n  pass\n"
        " try:\n  raise E from e\n finally:\n  return a\n"
    )


def test_faults_of_cases() -> None:
    """A case of a match, a handler of an error, or a decorator was forgotten."""
    matches = "def f(a):\n match a:\n  case 1:\n   return 3\n  case _:\n   return 4\n"
    found = [names_of(m)["f"] for m in made(matches) if m.before.startswith("match")]
    assert [(f(1), f(2)) for f in found] == [(4, 4), (3, None)]
    handlers = "def f(a):\n try:\n  return 1 / a\n except ZeroDivisionError:\n  return 5\n"
    (f,) = (names_of(m)["f"] for m in made(handlers) if m.before.startswith("try"))
    with pytest.raises(ZeroDivisionError):
        f(0)
    assert ("@property", "nothing") in changes("class C:\n @property\n def f(self): pass\n")


def test_what_is_left_out() -> None:
    """What is for readers and checkers has no mutants, nor has what is tuning."""
    assert not made(
        '"""Words."""\n'
        "from a import b\n"
        "__all__ = ['a']\n"
        "LONG_LINE: Final = 64\n"
        "T: TypeAlias = A | B\n"
        "@final\n"
        "class C:\n    __slots__ = ('a',)\n    a: int\n"
    )
    assert ("'a b' in f('a b')", "''") not in changes("f('a b')")


def test_each_has_its_name() -> None:
    """The same change at two places of a function is two mutants, and named so."""
    source = "def f(a):\n return [a < 1, a < 1]\n"
    names = [mutant.name for mutant in made(source)]
    assert len(names) == len(set(names))
    assert {"f: a < 1 → a <= 1", "f: a < 1 (2) → a <= 1"} <= set(names)


def test_a_mutant_has_one_fault() -> None:
    """Compiled, it does what it says; and the others are not changed by that."""
    (less,) = (m for m in made("def f(a):\n    return a < 1\n") if m.after == "a <= 1")
    assert names_of(less)["f"](1)
    source = "def f(a):\n    if a:\n        return 1\n    return 2\n"
    first, *_ = found = [m for m in made(source) if m.before.startswith("if")]
    assert [names_of(m)["f"](0) for m in found] == [1, 2]
    assert names_of(first)["f"](0) == 1


@needs_sources
def test_code_is_exchanged() -> None:
    """The function that a mutant changes is found: where it is used, and in the compiled mutant."""
    path = str(SOURCE / "_tls.py")
    known = functions(path)
    within = [mutant for mutant in mutants_of("_tls") if mutant.code is not None]
    assert within
    for mutant in within:
        assert mutant.code in known
        assert mutant.code in functions_in(mutant.compile(path))
    assert {f.__qualname__ for f in known.values()} >= {"TlsRequest.more", "TlsRequest.finish"}
    assert framer.Channel.start_tls.__globals__["TlsRequest"] is _tls.TlsRequest


def test_where_no_test_comes_by_a_mutant_lives(request: pytest.FixtureRequest) -> None:
    """Nothing to run is nothing that fails."""
    (mutant, *_) = made("def f(a):\n return a < 1\n")
    killers = Killers({request.node.nodeid: Known(0.1, frozenset({5}))})
    items = killers.callers(mutant, [request.node])
    assert items == []
    assert killers.run(request.session, items) == ""


@needs_sources
def test_the_core_has_tests() -> None:
    """Every module of the core is mutated, and has tests that are to notice."""
    assert {"_framer", "_batches", "_reader", "_output", "_channel", "_tls"} <= core().keys()
    assert all(core().values())


@needs_sources
def test_explanations() -> None:
    """Each says which function of which module it is about, and why."""
    groups = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))
    assert groups.keys() <= core().keys()
    for group in (group for some in groups.values() for group in some):
        assert group.keys() == {"function", "reason", "mutants"}
        assert group["reason"]
        assert group["mutants"]
        assert all(" → " in change for change in group["mutants"])
