"""Sessions for nox: the tests in every Python of the machine, and against the built wheel.

    nox -f .ci/noxfile.py              all of them
    nox -f .ci/noxfile.py -s wheel     one of them

What needs one environment only is written in the Makefile and called from here.
"""

import logging
import os
import shutil
import sys
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).parent))  # nox looks for modules where it was started

from pythons import find_pythons

ROOT = Path(__file__).resolve().parent.parent

# The wheel's tests prove nothing when they import a checkout.
INSTALLED = """
import sysconfig, framer, framer_adapters
for package in (framer, framer_adapters):
    assert package.__file__.startswith(sysconfig.get_path("purelib")), package.__file__
"""

# Those that look into what is compiled, and those of what stands on it.
CORE_TESTS = (
    "batches",
    "channel",
    "delimiters",
    "event_reader",
    "events",
    "exceptions",
    "framer",
    "framer_checks",
    "framer_programs",
    "init",
    "lengths",
    "output",
    "producers",
    "reader",
    "readme",
    "scanners",
    "terminators",
    "tls",
)

# All that can be imported where the extra `all` is installed, and nothing else is.
EVERYTHING = """
import importlib, pkgutil
for package in ("framer", "framer_adapters"):
    path = importlib.import_module(package).__path__
    for module in pkgutil.walk_packages(path, f"{package}."):
        if module.name != "framer.__main__":
            importlib.import_module(module.name)
            print(module.name)
"""


PYTHONS = find_pythons()

# The newest is where the wheel is tested: all tests run there, though not on the sources.
WHEEL_PYTHON = next(reversed(PYTHONS), None)

# The ones found come first on PATH, so that nox finds them by their short names.
os.environ["PATH"] = os.pathsep.join(
    [*dict.fromkeys(str(file.parent) for file in PYTHONS.values()), os.environ["PATH"]]
)

nox.options.default_venv_backend = "virtualenv"  # brings a pip that knows --group; venv may not
nox.options.download_python = "never"
nox.options.envdir = str(ROOT / ".nox")
nox.options.error_on_missing_interpreters = True


def make(session: nox.Session, target: str) -> None:
    """Run a target of the Makefile."""
    session.chdir(ROOT)
    session.run("make", target, external=True)


def run_tests(session: nox.Session, *files: str) -> None:
    """Run the tests as `make test` does: one process a CPU."""
    arguments = (*files, *session.posargs)
    session.run("python", "-m", "pytest", "-n", "auto", "--dist", "worksteal", *arguments)


def leave_sources(session: nox.Session, sdist: Path) -> None:
    """Go to the tests of the sdist, with no source in reach, so that they try what is installed."""
    tree = Path(session.create_tmp()) / sdist.name.removesuffix(".tar.gz")
    session.env.pop("TMPDIR", None)  # which create_tmp() sets, too deep for the path of a socket
    shutil.rmtree(tree, ignore_errors=True)
    shutil.unpack_archive(sdist, tree.parent)
    shutil.rmtree(tree / "src")
    shutil.rmtree(tree / "adapters" / "framer_adapters")
    session.chdir(tree)
    session.run("python", "-c", INSTALLED)


@nox.session(python=list(PYTHONS))
def tests(session: nox.Session) -> None:
    """Run the tests in one of the Pythons found."""
    session.chdir(ROOT)
    session.install("-qq", "--editable", ".[all]", "--group", "tests")
    run_tests(session)


@nox.session(venv_backend="none")
def other_tests(session: nox.Session) -> None:
    """Run the tests in every Python in which nothing else does: `make test` or `wheel`."""
    this = f"{sys.version_info.major}.{sys.version_info.minor}"
    for python in PYTHONS:
        if python not in {this, WHEEL_PYTHON}:
            session.notify(f"tests-{python}")


@nox.session(venv_backend="none")
def docs(session: nox.Session) -> None:
    """Build the documentation, and check every link in it."""
    make(session, "docs")


@nox.session(venv_backend="none")
def lint(session: nox.Session) -> None:
    """Check style and format."""
    make(session, "lint")


@nox.session(venv_backend="none")
def types(session: nox.Session) -> None:
    """Check types with mypy and pyright."""
    make(session, "types")


@nox.session(venv_backend="none")
def coverage(session: nox.Session) -> None:
    """Hold each module to 100 % of branches from its own tests."""
    make(session, "coverage")


@nox.session(venv_backend="none")
def build(session: nox.Session) -> None:
    """Build the wheel and the sdist, twice, and check them."""
    make(session, "build")


@nox.session(python=list(PYTHONS), requires=["build"])
def install(session: nox.Session) -> None:
    """Install the wheel and its extras into an empty environment, and import all there is."""
    (built,) = (ROOT / "dist").glob("*.whl")
    session.install("-qq", f"{built}[all]")
    session.chdir(session.create_tmp())
    session.run("python", "-m", "pip", "check")
    session.run("python", "-W", "error", "-c", EVERYTHING, silent=True)
    session.run("framer", "--version")


@nox.session(python=WHEEL_PYTHON, requires=["build"])
def compiled(session: nox.Session) -> None:
    """Compile the core from the sdist, as users do, and run its tests against that."""
    session.chdir(ROOT)
    (sdist,) = (ROOT / "dist").glob("*.tar.gz")
    compiling = {"FRAMER_COMPILE": "1"}
    session.install("-qq", f"{sdist}[cli,testing]", "pytest>=9", "pytest-xdist>=3.8", env=compiling)
    leave_sources(session, sdist)
    session.run("python", "-c", "import framer; assert framer.__compiled__")
    run_tests(session, *(f"tests/test_{name}.py" for name in CORE_TESTS))


@nox.session(python=WHEEL_PYTHON, requires=["build"])
def wheel(session: nox.Session) -> None:
    """Run the tests of the sdist against the wheel, with no source in reach."""
    session.chdir(ROOT)  # where pip looks for the group
    (built,) = (ROOT / "dist").glob("*.whl")
    (sdist,) = (ROOT / "dist").glob("*.tar.gz")
    session.install("-qq", f"{built}[all]", "--group", "tests")
    leave_sources(session, sdist)

    # The last line is to be pytest's own: it is what is read first.
    logging.getLogger("nox").setLevel(logging.WARNING)
    run_tests(session)
