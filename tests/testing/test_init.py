"""What framer.testing has, and what it has without hypothesis."""

# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# What a parser gives may be anything, and so may what a test makes of it.

import inspect
import subprocess
import sys

import pytest

import framer.testing


def test_names_are_public() -> None:
    """All that it exports is there, and says that it lives here."""
    for name in framer.testing.__all__:
        public = getattr(framer.testing, name)
        if inspect.isclass(public) or inspect.isfunction(public):
            assert public.__module__ == "framer.testing", name
            assert inspect.getdoc(public), name


def test_nothing_else() -> None:
    """An unknown name is an AttributeError, as anywhere."""
    with pytest.raises(AttributeError, match="no attribute 'check_nothing'"):
        framer.testing.check_nothing  # noqa: B018 - that it can be named at all is the point


SIGNATURES = {
    "splits": "(data, *, k=8, seed=0)",
    "transcript": "(make, chunks, *, eof=True)",
    "check_prompt": "(make, frames)",
    "check_limit": "(make, frame_of_size, limit)",
    "check_only_raises": "(make, data, *exceptions)",
    "check_aliasing": "(make, data)",
    "check_output": "(make_queue, writes, takes)",
    "streams": "(*frames, max_frames=10, damage=0.1)",
    "chunked": "(data)",
    "check_stream": "(make_pair)",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name: str) -> None:
    """The arguments are those that were promised, with their defaults."""
    signature = inspect.signature(getattr(framer.testing, name))
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    assert str(inspect.Signature(bare)) == SIGNATURES[name]


PROGRAM = """
import sys
sys.modules["hypothesis"] = None
import framer.testing
from framer import Framer
framer.testing.check_chunking(framer.testing.framer_subject(Framer), b"one\\ntwo\\n")
loaded = {name.partition(".")[0] for name in sys.modules}
print(sorted(loaded & {"socket", "select", "asyncio", "trio", "anyio", "threading"}))
try:
    framer.testing.ParserMachine
except ImportError as exc:
    print(exc)
"""


def test_without_hypothesis() -> None:
    """The checks work, no I/O is loaded, and what is missing says what to install."""
    ran = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{PROGRAM}"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded, missing = ran.stdout.splitlines()
    assert loaded == "[]"
    assert missing == "ParserMachine needs hypothesis: pip install 'sansio-framer[testing]'"


def test_the_machine_is_loaded_once() -> None:
    """It is a name of the module's from then on."""
    framer.testing.__dict__.pop("ParserMachine", None)
    machine = framer.testing.ParserMachine
    assert vars(framer.testing)["ParserMachine"] is machine


def test_the_machine_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same error within this process."""
    framer.testing.__dict__.pop("ParserMachine", None)
    monkeypatch.setitem(
        sys.modules, "framer.testing._machine", None
    )  # that is how a module is hidden
    with pytest.raises(ImportError, match="needs hypothesis"):
        framer.testing.ParserMachine  # noqa: B018 - that it can be named at all is the point
