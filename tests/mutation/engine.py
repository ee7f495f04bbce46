"""How mutants are tried: in forks of a process that has done all that they have in common.

To start Python, pytest and hypothesis takes longer than most tests do.
So this process loads what the tests load; a fork of it collects the tests, runs them once
to see which of them run which lines, and forks once more for each mutant.
There the mutant is put in by exchanging the code of one function, and those tests are run,
the ones that have killed its neighbours first. Nothing is imported anew, no file is changed.

What is outside of functions has run by then, and so may have some of those within:
a scanner that a module makes for all was made by the code without a fault.
So such mutants, if they live, are tried again, from the beginning:
in a fork that imports the mutant in the place of the module, and runs all tests.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from itertools import zip_longest
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Literal, TypeAlias

import coverage
import pytest
from mutation.operators import Mutant, mutants

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "src" / "framer"

# Those that measure time are slow, and might kill a mutant for what else the machine has to do.
OPTIONS = ("-q", "-x", "-s", "-p", "no:cacheprovider", "-k", "not time_is_linear")

SPARE = 1.0
"""Seconds of CPU that a test may take beyond five times what it takes without a mutant."""

PATIENCE = 120.0
"""Seconds by the clock after which a mutant is taken to wait for ever."""

MEMORY = 4 << 30
"""Bytes that they may take, for there are loops that append for ever."""

FORK = multiprocessing.get_context("fork")

Outcome: TypeAlias = Literal["killed", "timeout", "survived"]
Key: TypeAlias = tuple[str, int]
"""A function: its qualified name, and its first line."""


@dataclass(frozen=True, slots=True)
class Known:
    """What was seen of a test when there was no mutant."""

    seconds: float
    lines: frozenset[int]  # of the module that ran


Said: TypeAlias = str | dict[str, Known] | tuple[int, Outcome | None, str]
"""The test that fails with no mutant; what was seen of the tests; what came of which mutant.

None for one that is to be tried from the beginning.
"""


@dataclass(frozen=True, slots=True)
class Group:
    """Mutants of one module, and the tests that are to kill them."""

    mutants: list[Mutant]
    tests: list[str]
    profile: str  # of hypothesis
    jobs: int

    @property
    def path(self) -> str:
        """The file that is mutated."""
        return path_of(self.mutants[0].module)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a mutant; the killer is the test that failed."""

    mutant: Mutant
    outcome: Outcome
    killer: str = ""


class TestsFailError(Exception):
    """The tests fail with no mutant at all."""


def path_of(module: str) -> str:
    """Say where a module is."""
    return str(SOURCE / f"{module}.py")


def mutants_of(module: str) -> list[Mutant]:
    """Make all mutants of a module."""
    return mutants(module, Path(path_of(module)).read_text(encoding="utf-8"))


def prepare(tests: list[str]) -> None:
    """Load what these tests load, but for framer and themselves."""
    reader, writer = FORK.Pipe(duplex=False)
    process = FORK.Process(target=loaded, args=(tests, writer))
    process.start()
    writer.close()
    names: list[str] = reader.recv()
    process.join()
    for name in names:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def loaded(tests: list[str], writer: Connection) -> None:
    """Tell what is loaded when tests are collected."""
    be_quiet()
    collect(tests, "mutation", None)
    names: list[str] = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        own = file.startswith(str(ROOT)) and "site-packages" not in file
        if name != "__main__" and not own and file:
            names.append(name)
    writer.send(names)


def try_group(group: Group) -> Iterator[Verdict]:
    """Try all mutants of a group."""
    if not (group.mutants and group.tests):
        yield from (Verdict(mutant, "survived") for mutant in group.mutants)
        return
    reader, writer = FORK.Pipe(duplex=False)
    process = FORK.Process(target=try_late, args=(group, writer))
    process.start()
    writer.close()
    early: list[Mutant] = []
    known: dict[str, Known] = {}
    with contextlib.suppress(EOFError):
        while True:
            said: Said = reader.recv()
            if isinstance(said, str):
                raise TestsFailError(said)
            if isinstance(said, dict):
                known = said
                continue
            number, outcome, killer = said
            if outcome is None:
                early.append(group.mutants[number])
            else:
                yield Verdict(group.mutants[number], outcome, killer)
    process.join()
    if not known:
        raise TestsFailError("they cannot be collected")
    killers = Killers(known)

    def trial(mutant: Mutant) -> str:
        sys.meta_path.insert(0, MutantFinder(mutant))
        plugin = Early(mutant, killers)
        return plugin.killer if collect(group.tests, group.profile, plugin) else ""

    yield from try_all(early, trial, killers, group.jobs)


def collect(tests: list[str], profile: str, plugin: object) -> int:
    """Have pytest do its work, with a plugin that knows what to do instead."""
    os.environ["HYPOTHESIS_PROFILE"] = profile
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    mode = () if plugin else ("--collect-only",)
    # By name it would be one that is loaded too late for its assertions to be rewritten.
    plugins = [importlib.import_module("_hypothesis_pytestplugin"), *([plugin] if plugin else [])]
    return int(pytest.main([*OPTIONS, *mode, *tests], plugins))


def be_quiet() -> None:
    """Say nothing, and listen to nobody: this is a fork."""
    with Path(os.devnull).open("r+b") as nothing:
        for descriptor in range(3):
            os.dup2(nothing.fileno(), descriptor)


# -- One mutant ------------------------------------------------------------------------------


class Killers:
    """The tests: how long they take, what they call, and which of them have killed mutants."""

    def __init__(self, known: dict[str, Known]) -> None:
        self.known = known
        self.killed: dict[str, Counter[str]] = defaultdict(Counter)

    def note(self, verdict: Verdict) -> None:
        """Remember which test has killed a mutant of this function."""
        if verdict.killer:
            self.killed[verdict.mutant.function][verdict.killer] += 1

    def order(self, mutant: Mutant, items: list[pytest.Item]) -> list[pytest.Item]:
        """Put those first that killed its neighbours, then the fastest."""
        killed = self.killed[mutant.function]
        return sorted(items, key=lambda item: (-killed[item.nodeid], self.seconds(item)))

    def seconds(self, item: pytest.Item) -> float:
        """Say how long a test takes; a mutant may have another name for it."""
        return self.known[item.nodeid].seconds if item.nodeid in self.known else 1.0

    def callers(self, mutant: Mutant, items: list[pytest.Item]) -> list[pytest.Item]:
        """Choose the tests that run the statement."""
        return [
            item for item in items if not self.known[item.nodeid].lines.isdisjoint(mutant.lines)
        ]

    def run(self, session: pytest.Session, items: list[pytest.Item]) -> str:
        """Run tests until one fails, and return which; one that does not end ends us."""
        for item, following in zip_longest(items, items[1:]):
            limit = 5 * self.seconds(item) + SPARE
            signal.setitimer(signal.ITIMER_PROF, limit)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                return item.nodeid
        return ""


def try_all(
    waiting: Iterable[Mutant], trial: Callable[[Mutant], str], killers: Killers, jobs: int
) -> Iterator[Verdict]:
    """Try mutants, some at a time; *trial* returns the test that fails, or ""."""
    running: dict[Connection, tuple[Mutant, ForkProcess, float]] = {}
    queue = list(waiting)[::-1]
    while queue or running:
        while queue and len(running) < jobs:
            mutant = queue.pop()
            reader, writer = FORK.Pipe(duplex=False)
            process = FORK.Process(target=try_one, args=(mutant, trial, writer))
            process.start()
            writer.close()
            running[reader] = (mutant, process, time.monotonic() + PATIENCE)
        ready = wait(list(running), timeout=1)
        for reader, (mutant, process, end) in list(running.items()):
            if reader not in ready and time.monotonic() < end:
                continue
            verdict = Verdict(mutant, "timeout")
            if reader in ready:
                with contextlib.suppress(EOFError):
                    killer: str = reader.recv()
                    verdict = Verdict(mutant, "killed" if killer else "survived", killer)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid or 0, signal.SIGKILL)
            process.join()
            reader.close()
            del running[reader]
            killers.note(verdict)
            yield verdict


def try_one(mutant: Mutant, trial: Callable[[Mutant], str], writer: Connection) -> None:
    """Try a mutant, in a fork. If it takes too long, nothing is written."""
    os.setsid()
    be_quiet()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        killer = trial(mutant)
    except BaseException as error:  # noqa: BLE001 - pytest's own, too: the mutant has broken it
        killer = f"({type(error).__name__} outside of tests)"
    writer.send(killer)
    os._exit(0)


# -- Mutants of what has run when the tests are collected --------------------------------------


class MutantFinder(MetaPathFinder, Loader):
    """Imports a mutant in the place of its module."""

    def __init__(self, mutant: Mutant) -> None:
        self.name = f"framer.{mutant.module}"
        self.path = path_of(mutant.module)
        self.code = mutant.compile(self.path)

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """Know the one module."""
        if fullname != self.name:
            return None
        return spec_from_file_location(fullname, self.path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        """Run it."""
        exec(self.code, vars(module))  # noqa: S102 - that is what an import does


class Early:
    """A plugin of pytest: run the tests, and see which fails."""

    def __init__(self, mutant: Mutant, killers: Killers) -> None:
        self.mutant = mutant
        self.killers = killers
        self.killer = "(collection)"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run them, if they could be collected."""
        if not session.testsfailed:
            items = self.killers.order(self.mutant, session.items)
            self.killer = self.killers.run(session, items)
            session.testsfailed = bool(self.killer)
        return True


# -- All others ------------------------------------------------------------------------------


def try_late(group: Group, writer: Connection) -> None:
    """Try what can be tried after collection, in a fork; and tell what cannot."""
    be_quiet()
    collect(group.tests, group.profile, Late(group, writer))


class Late:
    """A plugin of pytest: when the tests are collected, try all mutants."""

    def __init__(self, group: Group, writer: Connection) -> None:
        self.group = group
        self.writer = writer
        self.path = group.path
        self.watch = coverage.Coverage(data_file=None, include=[self.path], config_file=False)
        self.watch.start()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try them."""
        self.watch.stop()
        if session.testsfailed:
            return True
        found = functions(self.path)
        before = frozenset(self.watch.get_data().lines(self.path) or ())
        known = self.learn(session)
        self.writer.send(known)
        if isinstance(known, str):
            return True
        killers = Killers(known)
        numbers = {mutant: number for number, mutant in enumerate(self.group.mutants)}
        late = [mutant for mutant in numbers if mutant.code in found]
        for mutant, number in numbers.items():
            if mutant.code not in found:
                self.writer.send((number, None, ""))

        def trial(mutant: Mutant) -> str:
            key = mutant.code
            assert key is not None
            found[key].__code__ = functions_in(mutant.compile(self.path))[key]
            items = killers.callers(mutant, session.items)
            return killers.run(session, killers.order(mutant, items))

        gc.collect()
        gc.freeze()
        for verdict in try_all(late, trial, killers, self.group.jobs):
            again = verdict.outcome == "survived" and not before.isdisjoint(verdict.mutant.lines)
            outcome = None if again else verdict.outcome
            self.writer.send((numbers[verdict.mutant], outcome, verdict.killer))
        return True

    def learn(self, session: pytest.Session) -> dict[str, Known] | str:
        """Run the tests with no mutant, in a fork, and see what they do; or which fails."""
        reader, writer = FORK.Pipe(duplex=False)

        def watched() -> None:
            self.watch.erase()
            self.watch.start()
            seconds: dict[str, float] = {}
            for item, following in zip(session.items, [*session.items[1:], None], strict=True):
                self.watch.switch_context(item.nodeid)
                start = time.process_time()
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                seconds[item.nodeid] = time.process_time() - start
                if session.testsfailed:
                    writer.send(item.nodeid)
                    os._exit(1)
            self.watch.stop()
            lines: dict[str, set[int]] = defaultdict(set)
            for line, tests in self.watch.get_data().contexts_by_lineno(self.path).items():
                for test in tests:
                    lines[test].add(line)
            writer.send(
                {name: Known(took, frozenset(lines[name])) for name, took in seconds.items()}
            )
            os._exit(0)

        process = FORK.Process(target=watched)
        process.start()
        answer: dict[str, Known] | str = reader.recv()
        process.join()
        return answer


def functions(path: str) -> dict[Key, FunctionType]:
    """Find the functions of a module, wherever they are kept: in classes, properties, caches."""
    return {
        (thing.__code__.co_qualname, thing.__code__.co_firstlineno): thing
        for thing in gc.get_objects()
        if type(thing) is FunctionType and thing.__code__.co_filename == path
    }


def functions_in(code: CodeType) -> dict[Key, CodeType]:
    """Find the code of the functions and classes of a module."""
    found: dict[Key, CodeType] = {}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found[constant.co_qualname, constant.co_firstlineno] = constant
            found |= functions_in(constant)
    return found
