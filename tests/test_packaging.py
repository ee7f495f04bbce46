"""What the distribution promises: its metadata, its files, and that the core does no I/O."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

import framer
import framer_adapters

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DISTRIBUTION = metadata.distribution("sansio-framer")

# What does I/O, waits for it, or runs something else that does.
FORBIDDEN = {
    *("anyio", "asyncio", "select", "selectors", "socket", "ssl", "subprocess"),
    *("threading", "trio"),
}

# The packages that a part of framer may need; each comes with the extra of its purpose.
ALLOWED = {"_cli": {"rich"}, "testing": {"hypothesis"}}

TOP_LEVEL = {
    *("src", "adapters", "tests", "docs", ".ci"),
    *("pyproject.toml", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile"),
    *(".gitignore", ".pre-commit-config.yaml"),
}


def folder(module_file: str | None) -> Path:
    """The folder of a package, given its `__file__`."""
    assert module_file is not None
    return Path(module_file).parent


def imports(path: Path) -> Iterator[str]:
    """Name the top-level package of every import in a file, however deep it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


def test_metadata_is_that_of_pyproject() -> None:
    """What is installed says of itself what pyproject.toml says."""
    project = PYPROJECT["project"]
    assert DISTRIBUTION.metadata["Name"] == project["name"] == "sansio-framer"
    assert DISTRIBUTION.version == project["version"]
    assert DISTRIBUTION.metadata["Requires-Python"] == project["requires-python"]


def test_extras() -> None:
    """Every extra is there, and `all` is all the others."""
    extras = set(DISTRIBUTION.metadata.get_all("Provides-Extra", []))
    assert extras == {"trio", "anyio", "testing", "cli", "all"}
    (everything,) = PYPROJECT["project"]["optional-dependencies"]["all"]
    assert set(re.split(r"[\[\],]", everything)[1:-1]) == extras - {"all"}


def test_no_dependencies() -> None:
    """Nothing is installed along with framer unless an extra asks for it."""
    assert [need for need in DISTRIBUTION.requires or [] if "extra ==" not in need] == []


def test_metadata_is_complete() -> None:
    """An index can show what this is, who made it, and under which licence."""
    about = DISTRIBUTION.metadata
    assert len(about["Summary"]) < 120
    assert about["License-Expression"] == "MIT"
    assert about["License-File"] == "LICENSE"
    assert about["Author"]
    assert {"framing", "network", "sans-io"} <= set(about["Keywords"].split(","))
    assert about["Description-Content-Type"] == "text/markdown"
    assert "However the network cuts the bytes, the frames are the same." in about["Description"]


def test_classifiers() -> None:
    """They name each Python from the oldest on, each runtime, and that there are types."""
    classifiers = set(DISTRIBUTION.metadata.get_all("Classifier", []))
    oldest = int(DISTRIBUTION.metadata["Requires-Python"].removeprefix(">=3."))
    python = "Programming Language :: Python :: 3."
    minors = {int(each.removeprefix(python)) for each in classifiers if each.startswith(python)}
    assert minors == set(range(oldest, max(minors) + 1))
    assert sys.version_info.minor in minors
    assert "Typing :: Typed" in classifiers
    runtimes = {each.removeprefix("Framework :: ") for each in classifiers if "Framework" in each}
    assert runtimes == {"AnyIO", "AsyncIO", "Trio"}


def test_console_script() -> None:
    """The script `framer` is there, and what it names can be called."""
    (script,) = DISTRIBUTION.entry_points.select(group="console_scripts", name="framer")
    assert callable(script.load())


def test_changelog_knows_the_version() -> None:
    """The version has its section in the changelog."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## [{DISTRIBUTION.version}] - " in changelog


@pytest.mark.parametrize("package", [framer, framer_adapters], ids=lambda package: package.__name__)
def test_types_are_shipped(package: object) -> None:
    """Type checkers believe the annotations of a package only where py.typed lies in it."""
    assert (folder(getattr(package, "__file__", None)) / "py.typed").is_file()


def test_layout() -> None:
    """Nothing is tracked at the top level but what the layout names."""
    # An unpacked sdist may lie inside somebody else's checkout, so git is not asked where it is.
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files"]
    tracked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip(f"git does not answer here: {tracked.stderr.strip()}")
    assert {name.partition("/")[0] for name in tracked.stdout.splitlines()} <= TOP_LEVEL


def test_importing_framer_loads_no_io() -> None:
    """A fresh interpreter that imports framer has loaded only framer and harmless modules."""
    program = (
        f"import sys, json; sys.path.insert(0, {str(folder(framer.__file__).parent)!r}); "
        "import framer; print(json.dumps(list(sys.modules)))"
    )
    # -I and -S keep site-packages out, and with it what others load at every start.
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in json.loads(ran.stdout)}
    assert "framer" in loaded
    assert loaded & FORBIDDEN == set()
    others = loaded - sys.stdlib_module_names - {"framer", "__main__"}
    assert [name for name in others if not name.endswith("__mypyc")] == []  # the compiled core


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.relative_to(folder(framer.__file__)).as_posix())
        for path in sorted(folder(framer.__file__).rglob("*.py"))
    ],
)
def test_core_names_no_io(path: Path) -> None:
    """No module of the core imports what does I/O, or another package, not even lazily."""
    named = set(imports(path))
    assert named & FORBIDDEN == set()
    part = path.relative_to(folder(framer.__file__)).with_suffix("").parts[0]
    assert named - sys.stdlib_module_names - {"framer"} <= ALLOWED.get(part, set())


@pytest.mark.parametrize(
    "module", PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["modules"]
)
def test_what_is_compiled_raises_from_nothing(module: str) -> None:
    """Where mypyc compiles, `raise ... from` would lose its cause: there is `caused_by`."""
    tree = ast.parse((folder(framer.__file__).parent / module).read_text(encoding="utf-8"))
    raised = [node for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    assert [node.lineno for node in raised if node.cause is not None] == []
