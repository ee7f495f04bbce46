"""Run the programs of docs/found-in-the-wild.md again, with the versions that it names.

    python tests/bench/found_in_the_wild.py [--folder FOLDER] [NAME ...]

It makes a virtual environment in a folder, a temporary one by default,
installs the pinned packages there from the package index, and runs each program in it.
What a program prints has to be what stands under it. This is no part of the tests.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "found-in-the-wild.md"

SECTION = re.compile(
    r"^## (?P<name>\S+) (?P<version>[\d.]+)\n"
    r"(?P<text>.*?)"
    r"^```python\n(?P<program>.*?)^```\n"
    r"\n^```text\n(?P<output>.*?)^```\n",
    re.MULTILINE | re.DOTALL,
)

BESIDE = {"rflink": ["setuptools<81"]}  # it imports pkg_resources
"""What a package needs and does not say."""


@dataclass(frozen=True)
class Finding:
    """One section of the page."""

    name: str
    version: str
    program: str
    output: str


def findings() -> Iterator[Finding]:
    """Read the page."""
    for found in SECTION.finditer(PAGE.read_text(encoding="utf-8")):
        yield Finding(found["name"], found["version"], found["program"], found["output"])


def run(finding: Finding, folder: Path) -> str:
    """Install the package into an environment of its own, and return what the program prints."""
    home = folder / finding.name
    python = home / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
    pin = f"{finding.name}=={finding.version}"
    install = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    subprocess.run([*install, pin, *BESIDE.get(finding.name, [])], check=True)
    ran = subprocess.run(
        [python, "-W", "ignore", "-c", finding.program], capture_output=True, text=True, check=False
    )
    return ran.stdout if ran.returncode == 0 else ran.stdout + ran.stderr


def main() -> int:
    """Run them all, or those that are named."""
    parser = argparse.ArgumentParser(description="What was found in the wild, once more.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="packages; all of them by default")
    parser.add_argument("--folder", type=Path, help="where the environments are made, and stay")
    options = parser.parse_args()
    different = 0
    with tempfile.TemporaryDirectory() as temporary:
        for finding in findings():
            if options.names and finding.name not in options.names:
                continue
            output = run(finding, options.folder or Path(temporary))
            same = output == finding.output
            different += not same
            print(f"{finding.name} {finding.version}: {'as described' if same else 'different'}")
            if not same:
                print(output)
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
