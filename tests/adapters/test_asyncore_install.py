"""Putting modules under old names: where nobody is, and else only by force."""

from __future__ import annotations

import json
import sys
from types import ModuleType

import pytest

from framer import UsageError
from framer_adapters._asyncore_install import install_under


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have names free again when a test is over."""
    for name in ("old_name", "other_name"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
        del sys.modules[name]


def test_a_free_name() -> None:
    """An import then finds the module. To do it again is harmless."""
    module, other = ModuleType("new"), ModuleType("newer")
    for _ in range(2):
        install_under({"old_name": module, "other_name": other}, force=False)
    assert sys.modules["old_name"] is module
    assert sys.modules["other_name"] is other


def test_a_module_that_is_loaded() -> None:
    """It is not hidden, and neither is the other name taken; by force both are."""
    module = ModuleType("new")
    sys.modules["other_name"] = theirs = ModuleType("other_name")
    with pytest.raises(UsageError, match=r"'other_name' already, loaded .*install\(force=True\)"):
        install_under({"old_name": module, "other_name": module}, force=False)
    assert "old_name" not in sys.modules
    assert sys.modules["other_name"] is theirs
    install_under({"old_name": module, "other_name": module}, force=True)
    assert sys.modules["other_name"] is sys.modules["old_name"] is module


def test_a_module_that_could_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says where it is; it was not loaded to find out."""
    monkeypatch.delitem(sys.modules, "json")
    with pytest.raises(UsageError, match="json"):
        install_under({"json": ModuleType("new")}, force=False)
    assert "json" not in sys.modules
    assert json.__file__
