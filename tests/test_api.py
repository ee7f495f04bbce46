"""What users see, pinned: the names and signatures of every public module, in tests/api/.

A module's page there lists what its ``__all__`` names, as the source declares it.
If a test here fails, something that users rely on has changed. If that was on purpose::

    .venv/bin/python tests/test_api.py        writes the pages anew

Look at the difference, and say it in CHANGELOG.md;
docs/deprecation.md says what may be taken away, and when.
A new module needs nothing but that: its page is written, and from then on held.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

import griffe
import pytest

import framer
import framer_adapters

PAGES = Path(__file__).parent / "api"

HOW_TO_CHANGE_IT = """
The public API differs from tests/api/{name}.txt (- the page, + the code):

{difference}

If that was on purpose, write the pages anew with `.venv/bin/python tests/test_api.py`,
look at what changed, and say it in CHANGELOG.md; see docs/deprecation.md.
"""

METHODS = {
    *(
        "__init__",
        "__aenter__",
        "__aexit__",
        "__aiter__",
        "__anext__",
        "__bool__",
        "__call__",
        "__contains__",
    ),
    *("__enter__", "__exit__", "__getitem__", "__iter__", "__len__", "__next__"),
}
"""The methods with two underscores that are of use to users."""

WIDTH = 100


def public_modules() -> Iterator[griffe.Module]:
    """Read the source of both packages, and give the modules without an underscore."""
    for package in (framer, framer_adapters):
        assert package.__file__ is not None
        folder = Path(package.__file__).parent
        found = griffe.load(package.__name__, search_paths=[folder.parent], allow_inspection=False)
        assert isinstance(found, griffe.Module)
        yield from (module for module in modules_of(found) if is_public(module.path))


def modules_of(module: griffe.Module) -> Iterator[griffe.Module]:
    """List a module and all that are in it."""
    yield module
    for name in sorted(module.modules):
        if not module.modules[name].is_alias:
            yield from modules_of(module.modules[name])


def is_public(path: str) -> bool:
    """Whether no part of a dotted name has an underscore in front."""
    return not any(part.startswith("_") for part in path.split("."))


def page(module: griffe.Module) -> str:
    """Describe what a module offers, as it is written into its page."""
    lines = [f"# {module.path}"]
    for name in module.exports or ():
        lines += ["", *describe(str(name), module[str(name)])]
    return "\n".join(lines) + "\n"


def describe(name: str, named: griffe.Object | griffe.Alias) -> Iterator[str]:
    """Describe one name: a class with its members, a function, or a value."""
    match target_of(named):
        case griffe.Class() as thing:
            bases = ", ".join(str(base) for base in thing.bases if is_known(base))
            yield f"class {name}({bases})" if bases else f"class {name}"
            for member in sorted(thing.all_members):
                if not member.startswith("_") or member in METHODS:
                    lines = describe_member(member, thing.all_members[member])
                    yield from (f"    {line}" for line in lines)
        case griffe.Function() as thing:
            yield from signature(name, thing)
        case griffe.Attribute() as thing:
            declared = str(thing.annotation or "TypeAlias").replace("TypeAlias", "")
            yield f"{name}: {declared} = {thing.value}" if declared else f"{name} = {thing.value}"
        case None | griffe.Module():
            yield f"{name}  # a module, or of another package"
        case thing:
            pytest.fail(f"{name} is a {thing.kind.value}, which is no part of an API")


def describe_member(name: str, named: griffe.Object | griffe.Alias) -> Iterator[str]:
    """Describe a method, a property or an attribute of a class."""
    member = target_of(named)
    if isinstance(member, griffe.Function):
        yield from signature(name, member)
        return
    assert isinstance(member, griffe.Attribute)
    kind = "property" if "property" in member.labels else "attribute"
    writable = " that can be set" if "writable" in member.labels else ""
    declared = f"{name}: {member.annotation}" if member.annotation else name
    yield f"{declared}  # {kind}{writable}"


def target_of(named: griffe.Object | griffe.Alias) -> griffe.Object | None:
    """Look behind an import; None if that is of another package."""
    try:
        return named.final_target if isinstance(named, griffe.Alias) else named
    except griffe.AliasResolutionError:
        return None


def is_known(base: str | griffe.Expr) -> bool:
    """Whether users know a base class: what is private may change, what is inherited is listed."""
    path = base if isinstance(base, str) else base.canonical_path
    return is_public(path) or path.rpartition(".")[2] in framer.__all__


def signature(name: str, function: griffe.Function) -> Iterator[str]:
    """Write out a function, with a line for each parameter if it is long."""
    line = function.signature(name=name).replace("(self, ", "(", 1).replace("(self)", "()", 1)
    if "async" in function.labels:
        line = f"async {line}"
    if len(line) <= WIDTH:
        yield line
        return
    start, _, rest = line.partition("(")
    parameters, _, returns = rest.rpartition(")")
    yield f"{start}("
    yield from (f"    {parameter}," for parameter in split_parameters(parameters))
    yield f"){returns}"


def split_parameters(text: str) -> Iterator[str]:
    """Cut at the commas that are in no brackets."""
    depth = start = 0
    for at, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if char == "," and not depth:
            yield text[start:at].strip()
            start = at + 1
    yield text[start:].strip()


MODULES = {module.path: page(module) for module in public_modules()}


@pytest.mark.parametrize("name", MODULES)
def test_api(name: str) -> None:
    """A module offers just what its page says."""
    path = PAGES / f"{name}.txt"
    pinned = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = difflib.unified_diff(pinned.splitlines(), MODULES[name].splitlines(), lineterm="", n=1)
    difference = "\n".join([*lines][2:])
    if difference:
        pytest.fail(HOW_TO_CHANGE_IT.format(name=name, difference=difference), pytrace=False)


def test_no_page_without_a_module() -> None:
    """A page whose module has gone is no promise any more."""
    assert {path.stem for path in PAGES.glob("*.txt")} <= set(MODULES)


def test_pages_are_not_vacuous() -> None:
    """They show names, parameters, defaults, results, and what is inherited."""
    text = MODULES["framer"]
    assert "max_frame_size: int | None = 65536" in text
    assert "    frames() -> Iterator[bytes]" in text
    assert "    frame_start: int  # attribute" in text
    assert "async receive_frame() -> bytes" in MODULES["framer_adapters.trio"]


def main() -> None:
    """Write all pages anew, and remove those whose module has gone."""
    PAGES.mkdir(exist_ok=True)
    for path in PAGES.glob("*.txt"):
        path.unlink()
    for name, text in MODULES.items():
        (PAGES / f"{name}.txt").write_text(text, encoding="utf-8")
    print(f"wrote {len(MODULES)} pages into {PAGES}")


if __name__ == "__main__":
    main()
