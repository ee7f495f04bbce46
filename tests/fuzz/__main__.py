"""Look for inputs that break a target: ``make fuzz SECONDS=600``.

    make fuzz SECONDS=600                  each target for ten minutes
    make fuzz SECONDS=60 TARGET=twins      one of them

atheris starts from the corpus in the repository and from all that earlier runs have found,
which is kept outside of it, in $XDG_CACHE_HOME or ~/.cache. A finding is printed,
with the line that belongs into the corpus: with it the normal tests fail until it is mended.
A line with a comment stays there for ever.

    python -m fuzz --keep                  choose a new corpus for the repository
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import coverage
from fuzz.targets import CORPUS, TARGETS, corpus
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "framer" / "fuzz"

KEPT = 60
"""How many inputs of a target are kept in the repository at the most …"""

KEPT_SIZE = 200
"""… and of how many bytes each: who reads one should be able to."""

OPTIONS = (
    "-max_len=400",
    "-len_control=10",
    "-timeout=60",
    "-rss_limit_mb=4096",
    "-print_final_stats=1",
)

PULSE = re.compile(r"#(\d+)\s.*?corp: (\d+)")
FINAL = re.compile(r"stat::number_of_executed_units: (\d+)")


@dataclass
class Run:
    """How far a target has come."""

    name: str
    executions: int = 0
    inputs: int = 0
    output: list[str] = field(default_factory=list[str])
    status: int = 0

    def story(self) -> Iterator[str]:
        """Give what libFuzzer said, but for how it came along."""
        return (line for line in self.output if not line.startswith(("#", "INFO", "WARNING")))

    def note(self, line: str) -> None:
        """Read a line of libFuzzer's."""
        self.output.append(line)
        if match := PULSE.match(line):
            self.executions, self.inputs = int(match[1]), int(match[2])
        elif match := FINAL.match(line):
            self.executions = int(match[1])


def engine(name: str, *options: str) -> subprocess.Popen[str]:
    """Start atheris, apart from this process."""
    command = [sys.executable, "-m", "fuzz.engine", name, *options]
    return subprocess.Popen(command, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True)


def unpack(name: str, folder: Path) -> Path:
    """Write the kept corpus into files, as libFuzzer wants it."""
    kept = folder / "kept"
    kept.mkdir()
    for number, data in enumerate(corpus(name)):
        (kept / str(number)).write_bytes(data)
    return kept


def fuzz(run: Run, seconds: int) -> Iterator[float]:
    """Fuzz one target, and say every half second how long it has been at it."""
    grown = CACHE / run.name
    grown.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        kept = unpack(run.name, Path(folder))
        options = (f"-max_total_time={seconds}", f"-artifact_prefix={folder}/", *OPTIONS)
        process = engine(run.name, *options, str(grown), str(kept))
        assert process.stdout is not None
        reader = threading.Thread(target=lambda: [*map(run.note, process.stdout or ())])
        reader.start()
        begin = time.monotonic()
        try:
            while reader.is_alive():
                reader.join(0.5)
                yield time.monotonic() - begin
        finally:
            process.kill()
            run.status = process.wait()
            reader.join()
            process.stdout.close()
        for found in sorted(Path(folder).glob("*-*")):
            run.output.append(f"\n{found.name}, for corpus/{run.name}.txt:\n")
            run.output.append(found.read_bytes().hex() + "\n")


def fuzz_all(names: list[str], seconds: int) -> int:
    """Fuzz the targets one after another; return how many of them found something."""
    console = Console()
    columns = (
        TextColumn("{task.description:12}"),
        BarColumn(),
        TextColumn("{task.fields[executions]:>12,} executions, {task.fields[inputs]:>5,} inputs"),
        TimeRemainingColumn(),
    )
    bad = 0
    with Progress(*columns, console=console) as progress:
        for name in names:
            run = Run(name)
            task = progress.add_task(name, total=seconds, executions=0, inputs=0)
            for elapsed in fuzz(run, seconds):
                progress.update(
                    task, completed=elapsed, executions=run.executions, inputs=run.inputs
                )
            progress.update(task, completed=seconds, executions=run.executions, inputs=run.inputs)
            if not console.is_terminal:
                console.print(f"{name}: {run.executions:,} executions, {run.inputs:,} inputs")
            if run.status:
                bad += 1
                console.print(f"\n{name} found something:", style="bold red")
                console.print("".join(run.story()), markup=False, highlight=False, soft_wrap=True)
    return bad


def keep(names: list[str]) -> None:
    """Choose what is kept in the repository: what reaches every branch that all reach, and some."""
    for name in names:
        found = {path.read_bytes() for path in (CACHE / name).glob("*")} | set(corpus(name))
        inputs = sorted((data for data in found if len(data) <= KEPT_SIZE), key=len)
        chosen = cover({data: branches(name, data) for data in inputs})
        others = [data for data in inputs if data not in chosen]
        step = max(len(others) // max(KEPT - len(chosen), 1), 1)
        chosen = sorted([*chosen, *others[::step]][:KEPT], key=lambda data: (len(data), data))
        path = CORPUS / f"{name}.txt"
        text = path.read_text(encoding="ascii")
        findings = [line for line in text.splitlines() if "#" in line]
        lines = [*findings, *(data.hex() for data in chosen)]
        path.write_text("\n".join(lines) + "\n", encoding="ascii")
        print(f"{name}: kept {len(chosen)} of {len(found)}, and what has a comment")


def branches(name: str, data: bytes) -> set[object]:
    """Run a target, and list the branches of framer that it took."""
    watch = coverage.Coverage(
        data_file=None, branch=True, source_pkgs=["framer", "framer_adapters"], config_file=False
    )
    watch.start()
    try:
        TARGETS[name](data)
    finally:
        watch.stop()
    taken = watch.get_data()
    return {(file, arc) for file in taken.measured_files() for arc in taken.arcs(file) or ()}


def cover(reached: dict[bytes, set[object]]) -> list[bytes]:
    """Choose few that reach all, each time the one that adds most."""
    chosen: list[bytes] = []
    left = {branch for branches in reached.values() for branch in branches}
    while left:
        best = max(reached, key=lambda data: len(reached[data] & left))
        chosen.append(best)
        left -= reached[best]
    return chosen


def main() -> int:
    """Read the arguments, and fuzz; the status is how many targets found something."""
    parser = argparse.ArgumentParser(prog="fuzz", description="Fuzz framer with atheris.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=int, default=60, help="for each target; default 60")
    parser.add_argument("--keep", action="store_true", help="choose a new corpus to be kept")
    options = parser.parse_args()
    names = options.targets or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        parser.error(f"no target {', '.join(sorted(unknown))}: there are {', '.join(TARGETS)}")
    if options.keep:
        keep(names)
        return 0
    return fuzz_all(names, options.seconds)


if __name__ == "__main__":
    sys.exit(main())
