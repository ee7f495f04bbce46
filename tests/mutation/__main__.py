"""Put faults into the core, one at a time, and see that a test fails: ``make mutants``.

    make mutants                     all modules of the core; this takes an hour or more
    make mutants MODULE=_scanners    one of them
    make mutants ARGS=--own          with the tests of its own module alone: soon done, and stricter

Each mutant (see operators.py) has to be killed by the tests of its own module,
else by those of the whole core, else `explained.toml` says why nothing can tell it apart.
The status is 1 if one survives, or if an explanation is of a mutant that is killed, or is none.
"""

from __future__ import annotations

import argparse
import os
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from module_coverage import modules
from mutation.engine import ROOT, SOURCE, Group, Outcome, mutants_of, prepare, try_group
from mutation.operators import Mutant
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

EXPLAINED = Path(__file__).parent / "explained.toml"

PROFILE = "mutation"


@dataclass
class Tally:
    """What came of the mutants of a module."""

    module: str
    outcomes: Counter[str] = field(default_factory=Counter[str])
    survivors: list[Mutant] = field(default_factory=list[Mutant])
    needless: set[str] = field(default_factory=set[str])  # explanations

    def row(self) -> str:
        """Write it as a row of the table."""
        counts = [self.outcomes[name] for name in ("killed", "timeout", "explained", "survived")]
        return f"{self.module:14}{sum(counts):8,}" + "".join(f"{count:11,}" for count in counts)


def core() -> dict[str, list[str]]:
    """Name the modules of the core, and the tests of each."""
    return {
        module.path.stem: [str(test) for test in module.tests]
        for module in modules()
        if module.path.parent == SOURCE and not module.path.stem.startswith("__")
    }


def explained(module: str) -> set[str]:
    """Name the mutants of a module that need not be killed."""
    groups = tomllib.loads(EXPLAINED.read_text(encoding="utf-8")).get(module, [])
    return {f"{group['function']}: {change}" for group in groups for change in group["mutants"]}


def try_module(tally: Tally, own: list[str], others: list[str], jobs: int) -> Iterator[Outcome]:
    """Try all mutants of a module, and say what comes of one after the other."""
    known = explained(tally.module)
    made = mutants_of(tally.module)
    tally.needless = known - {mutant.name for mutant in made}
    left: list[Mutant] = []
    for verdict in try_group(Group(made, own, PROFILE, jobs)):
        name = verdict.mutant.name
        if verdict.outcome != "survived":
            tally.outcomes[verdict.outcome] += 1
            tally.needless |= known & {name}
        elif name in known:
            tally.outcomes["explained"] += 1
        else:
            left.append(verdict.mutant)
            continue
        yield verdict.outcome
    for verdict in try_group(Group(left, others, PROFILE, jobs)):
        tally.outcomes[verdict.outcome] += 1
        if verdict.outcome == "survived":
            tally.survivors.append(verdict.mutant)
        yield verdict.outcome


def try_modules(names: list[str], others: list[str], jobs: int) -> list[Tally]:
    """Try one module after the other; what its own tests let live is tried with `others`."""
    console = Console()
    columns = (
        TextColumn("{task.description:14}"),
        BarColumn(),
        TextColumn("{task.completed:>5,} of {task.total:,}, {task.fields[survived]} survived"),
        TimeRemainingColumn(),
    )
    tests = core()
    tallies = [Tally(name) for name in names]
    with Progress(*columns, console=console) as progress:
        prepare([test for name in names for test in tests[name]])
        for tally in tallies:
            total = len(mutants_of(tally.module))
            task = progress.add_task(tally.module, total=total, survived=0)
            for outcome in try_module(tally, tests[tally.module], others, jobs):
                progress.update(task, advance=1, survived=len(tally.survivors))
                del outcome
            for mutant in tally.survivors:
                console.print(f"{tally.module}.py:{mutant.line}: {mutant.name}", markup=False)
            for name in sorted(tally.needless):
                console.print(f"{tally.module}: explained, but killed or gone: {name}")
    console.print(f"{'':14}{'mutants':>8}" + "".join(f"{n:>11}" for n in COLUMNS))
    for tally in tallies:
        console.print(tally.row(), highlight=False)
    return tallies


COLUMNS = ("killed", "timeout", "explained", "survived")


def main() -> int:
    """Read the arguments, and try mutants."""
    names = sorted(core())
    parser = argparse.ArgumentParser(prog="mutation", description="Mutation tests of the core.")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(names)}")
    parser.add_argument("--own", action="store_true", help="with the module's own tests alone")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at a time")
    options = parser.parse_args()
    if unknown := set(options.modules) - set(names):
        parser.error(f"no module {', '.join(sorted(unknown))}: there are {', '.join(names)}")
    os.chdir(ROOT)
    everything = [test for some in core().values() for test in some]
    others = [] if options.own else everything
    tallies = try_modules(options.modules or names, others, options.jobs)
    return int(any(tally.survivors or tally.needless for tally in tallies))


if __name__ == "__main__":
    sys.exit(main())
