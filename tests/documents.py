"""Every example, on every page and in every docstring, found in one way and run in one way.

A *document* is a page of Markdown or a docstring. Its examples are

- sessions, lines that begin with ``>>>``: they run, and print what they say;
- programs, blocks of ``python``: they run, and what they define is there for what follows;
- quotations, blocks of ``python`` that stand in a file of the repository word for word:
  they need not run by themselves.

The examples of one document run one after the other and share their names,
as they do for a reader who types them.

Docstrings are found in the source rather than on the objects:
public classes claim to live in `framer` itself, and doctest's own search,
which asks an object where it comes from, would pass over their methods.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import framer
import framer_adapters

__all__ = ["ROOT", "Block", "Document", "docstrings", "pages"]

ROOT = Path(__file__).resolve().parent.parent

BLOCK = re.compile(
    r"^(?P<fence>```+)(?P<language>\w+)\n(?P<text>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL
)
Definition = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a document: its language, its text, and after how many lines it begins."""

    language: str
    text: str
    line: int


@dataclass(slots=True)
class Document:
    """A text with examples, and the names that they begin with."""

    name: str
    path: Path
    blocks: list[Block]
    names: dict[str, Any] = field(default_factory=dict[str, Any])

    def run(self) -> None:
        """Run the examples, one after the other.

        Raises:
            AssertionError: a session prints something else than it says.
            Exception: what a program raises.
        """
        for block in self.blocks:
            if block.language == "pycon":
                self._run_session(block)
            elif not is_quotation(block.text):
                code = compile("\n" * block.line + block.text, str(self.path), "exec")
                exec(code, self.names)  # noqa: S102 - it is ours

    def _run_session(self, block: Block) -> None:
        session = doctest.DocTestParser().get_doctest(
            block.text, self.names, self.name, str(self.path), block.line
        )
        session.globs = self.names  # and not a copy: what follows goes on with them
        report: list[str] = []
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        runner.run(session, out=report.append, clear_globs=False)
        assert not report, "".join(report)


def pages() -> Iterator[Document]:
    """Find all pages, also those without an example."""
    readmes = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "adapters/README.md"]
    docs = ROOT / "docs"
    paths = [path for path in docs.rglob("*.md") if "_build" not in path.parts]
    for path in [*(ROOT / name for name in readmes), *sorted(paths)]:
        text = path.read_text(encoding="utf-8")
        blocks = [
            Block(match["language"], match["text"], text.count("\n", 0, match.start()) + 1)
            for match in BLOCK.finditer(text)
            if match["language"] in {"pycon", "python", "console"}
        ]
        yield Document(path.relative_to(ROOT).as_posix(), path, blocks, {"__name__": "page"})


def docstrings() -> Iterator[Document]:
    """Find all docstrings that hold an example."""
    for name in _modules():
        module = importlib.import_module(name)
        assert module.__file__ is not None
        path = Path(module.__file__)
        if path.suffix != ".py":  # compiled: the source lies beside it
            path = path.with_name(name.rpartition(".")[2] + ".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, Definition):
                continue
            text = ast.get_docstring(node, clean=False)
            if text is not None and ">>>" in text:
                line = node.body[0].lineno
                label = f"{name}:{getattr(node, 'name', 'module')}:{line}"
                yield Document(label, path, [Block("pycon", text, line - 1)], vars(module).copy())


def _modules() -> Iterator[str]:
    """Name every module, but for `__main__`, which runs when it is imported."""
    for package in (framer, framer_adapters):
        yield package.__name__
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith(".__main__"):
                yield module.name


def is_quotation(text: str) -> bool:
    """Tell whether a block stands in a file of the repository word for word."""
    return any(text in source for source in _sources())


@cache
def _sources() -> tuple[str, ...]:
    """The text of every file that may be quoted: of the packages, wherever they are, and others."""
    packages = [Path(folder) for folder in [*framer.__path__, *framer_adapters.__path__]]
    folders = [*packages, ROOT / "tests", ROOT / "docs"]
    paths = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    return tuple(path.read_text(encoding="utf-8") for path in paths)
