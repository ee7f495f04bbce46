"""Hold every module to full branch coverage from its own test file alone.

Coverage of the whole by the whole says little:
a line counts as tested when some test elsewhere happens to pass through it.
Here each module is measured under the tests that bear its name, and nothing else counts.

    src/framer/_framer.py                 tests/test_framer.py, tests/test_framer_*.py
    src/framer/__init__.py                tests/test_init.py
    src/framer/_cli/split.py              tests/cli/test_split.py, test_split_*.py
    adapters/framer_adapters/trio.py      tests/adapters/test_trio.py, test_trio_*.py

    python .ci/module_coverage.py                  all modules
    python .ci/module_coverage.py framer output    the ones named so
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Where the modules are, and where their tests are. Folders in the one are folders in the other.
PACKAGES = {
    ROOT / "src" / "framer": ROOT / "tests",
    ROOT / "adapters" / "framer_adapters": ROOT / "tests" / "adapters",
}

# They take long, and others reach what they reach.
LEFT_OUT = ("-k", "not time_is_linear")


@dataclass(frozen=True, slots=True)
class Module:
    """A module, its name as tests bear it, and the test files that do."""

    path: Path
    name: str
    tests: tuple[Path, ...]

    @property
    def label(self) -> str:
        """The path from the root, for people to read."""
        return self.path.relative_to(ROOT).as_posix()


@dataclass(frozen=True, slots=True)
class Result:
    """What one module's tests reached."""

    module: Module
    percent: float | None = None
    missing: str = ""
    output: str = ""
    seconds: float = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


def public_name(private: str) -> str:
    """Make of a module's or folder's name what its tests call it."""
    return private.strip("_")


def folders() -> Iterator[tuple[Path, Path]]:
    """Pair each folder of modules with the folder of their tests."""
    for package, tests in PACKAGES.items():
        for folder in sorted({path.parent for path in package.rglob("*.py")}):
            yield folder, tests.joinpath(*map(public_name, folder.relative_to(package).parts))


def modules() -> Iterator[Module]:
    """Pair each module with its tests.

    A test file belongs to the module with the longest name that fits it:
    `test_framer_limits.py` is of `framer` unless there is a module `framer_limits`.
    """
    for folder, test_folder in folders():
        names = {public_name(path.stem): path for path in sorted(folder.glob("*.py"))}
        tests: dict[str, list[Path]] = {name: [] for name in names}
        for test in sorted(test_folder.glob("test_*.py")):
            words = test.stem.removeprefix("test_").split("_")
            fits = ["_".join(words[:count]) for count in range(len(words), 0, -1)]
            owner = next((name for name in fits if name in names), None)
            if owner is not None:
                tests[owner].append(test)
        for name, path in names.items():
            yield Module(path, name, tuple(tests[name]))


def measure(module: Module) -> Result:
    """Run a module's own tests under coverage, and see what they reached."""
    if not module.tests:
        return Result(module, missing=f"no test file test_{module.name}.py")
    before = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        result = measure_in(module, Path(folder))
    return replace(result, seconds=time.monotonic() - before)


def measure_in(module: Module, folder: Path) -> Result:
    """Do so with a folder for what coverage writes down."""
    data, report = folder / "data", folder / "report.json"
    environment = {
        **os.environ,
        "COVERAGE_FILE": str(data),
        "HYPOTHESIS_PROFILE": "coverage",  # see tests/conftest.py
    }
    coverage = (sys.executable, "-m", "coverage")
    steps = (
        [*coverage, "run", "-m", "pytest", "-q", *LEFT_OUT, *map(str, module.tests)],
        [*coverage, "json", "--quiet", f"--include={module.path}", "-o", str(report)],
    )
    for step in steps:
        ran = subprocess.run(
            step, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if ran.returncode:
            failed = "its tests fail" if "pytest" in step else "its tests never import it"
            return Result(module, missing=failed, output=ran.stdout + ran.stderr)
    (measured,) = json.loads(report.read_text())["files"].values()
    missing = describe(measured["missing_lines"], measured["missing_branches"])
    return Result(module, measured["summary"]["percent_covered"], missing)


def describe(lines: list[int], branches: list[tuple[int, int]]) -> str:
    """Say which lines and branches were never taken."""
    said = [f"line {line}" for line in lines]
    said += [
        f"branch {start}->{'exit' if end < 0 else end}"
        for start, end in branches
        if not {start, end} & {*lines}  # a line never reached says it all
    ]
    return ", ".join(said)


def main() -> int:
    """Measure the modules asked for, print a table, and say whether all is covered."""
    parser = argparse.ArgumentParser(description="Coverage of each module by its own tests.")
    parser.add_argument("names", nargs="*", help="modules to measure; all of them by default")
    names = parser.parse_args().names
    chosen = [module for module in modules() if not names or module.name in names]
    results: list[Result] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(measure, chosen):
            results.append(result)
            percent = "  --  " if result.percent is None else f"{result.percent:5.1f}%"
            label = f"{result.module.label:42} {result.seconds:4.0f} s"
            print(f"{percent}  {label}  {result.missing}".rstrip(), flush=True)
            print(result.output, end="")
    bad = [result.module.label for result in results if not result.ok]
    if bad or not results:
        print(f"\nNot covered by its own tests: {', '.join(bad) or 'nothing was measured'}")
        return 1
    print(f"\nEach of {len(results)} modules reaches 100 % of its branches from its own tests.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
