"""The front door: what ``import framer`` offers, and under which names."""

from __future__ import annotations

import pickle
import re
import sys
import types
from importlib import metadata

import pytest

import framer

PUBLIC = [getattr(framer, name) for name in framer.__all__]


@pytest.mark.parametrize("name", framer.__all__)
def test_public_names_are_there(name: str) -> None:
    """Every name in ``__all__`` can be imported."""
    assert hasattr(framer, name)


def test_all_has_no_doubles() -> None:
    """``__all__`` names everything once."""
    assert len(framer.__all__) == len(set(framer.__all__))


def test_all_is_complete() -> None:
    """What has no underscore and is no module is in ``__all__``."""
    visible = {
        name
        for name, value in vars(framer).items()
        if not name.startswith("_")
        and not isinstance(value, types.ModuleType)
        and name != "annotations"
    }
    assert visible == set(framer.__all__)


def test_star_import() -> None:
    """A star import brings just the public names."""
    names: dict[str, object] = {}
    exec("from framer import *", names)  # noqa: S102 - the one way to do so in a function
    assert set(names) - {"__builtins__"} == set(framer.__all__)


@pytest.mark.parametrize(
    "public",
    [value for value in PUBLIC if isinstance(value, (type, types.FunctionType))],
    ids=lambda public: public.__name__,
)
def test_public_names_claim_the_package(public: type | types.FunctionType) -> None:
    """Each class and function says that it is of framer, under the name that users import."""
    assert public.__module__ == "framer"
    assert getattr(framer, public.__name__) is public
    assert pickle.loads(pickle.dumps(public)) is public  # noqa: S301 - our own
    # mypyc leaves docstrings out.
    assert public.__doc__ or (framer.__compiled__ and public is framer.Framer)


def test_pickles_do_not_name_private_modules() -> None:
    """A pickle of a value outlives a move of its class to another private module."""
    for value in (
        framer.LengthPrefix(),
        framer.ANY_NEWLINE,
        framer.Data(b""),
        framer.UsageError("no"),
    ):
        assert b"framer._" not in pickle.dumps(value, 0)


def test_importing_modules_first_changes_nothing() -> None:
    """A private module that is imported directly holds the very same objects."""
    assert sys.modules["framer._events"].Data is framer.Data


def test_version() -> None:
    """The version is that of the distribution, and looks like one."""
    assert framer.__version__ == metadata.version("sansio-framer")
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", framer.__version__)


def test_compiled_or_not() -> None:
    """It says whether the core is code of the machine or of Python."""
    file = sys.modules["framer._framer"].__file__
    assert file is not None
    assert framer.__compiled__ is not file.endswith(".py")
