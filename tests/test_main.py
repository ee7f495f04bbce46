"""`python -m framer`."""

import runpy
import sys
from unittest.mock import patch

import pytest


def test_python_m_framer_is_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """It reads the command line and ends with the exit status of the command."""
    with patch.object(sys, "argv", ["framer", "--help"]), pytest.raises(SystemExit) as ended:
        runpy.run_module("framer", run_name="__main__")
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: framer")


def test_to_import_it_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A tool that imports every module meets no command."""
    runpy.run_module("framer.__main__")
    assert capsys.readouterr() == ("", "")
