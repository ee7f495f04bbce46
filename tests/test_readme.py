"""The README is a front page: what comes first on it, and that its figures hold.

Its examples and its links are held with those of all other pages, by `test_docs`.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import framer
from framer._cli import main

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_first_example_is_on_the_first_screen() -> None:
    """It stands before line 25, and the promise stands behind it."""
    lines = README.splitlines()
    assert any(line.startswith(">>>") for line in lines[:25])
    assert any("the same frames" in line for line in lines[:25])


def test_the_two_commands_come_first() -> None:
    """The first console block has make demo and make test, and nothing else."""
    block = re.findall(r"```console\n(.*?)```", README, re.DOTALL)[0]
    commands = [shlex.split(line, comments=True)[1:] for line in block.splitlines()]
    assert commands == [["make", "demo"], ["make", "test"]]


def test_number_of_lines() -> None:
    """What the README says about the size of the core is right to a tenth."""
    said = int(next(iter(re.findall(r"the core is (\d+) lines", README))))
    package = Path(framer.__file__).parent
    core = [path for path in package.glob("*.py") if path.stem not in {"testing", "__main__"}]
    real = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in core)
    assert abs(said - real) <= real / 10


def test_commands_for_captures(capsys: pytest.CaptureFixture[str]) -> None:
    """The command on a file of the repo does what the README says."""
    command = next(line for line in README.splitlines() if "smtp.client.bin" in line)
    arguments = shlex.split(command)[2:]
    arguments[-1] = str(ROOT / arguments[-1])
    assert main(arguments) == 0
    assert "EHLO" in capsys.readouterr().out
