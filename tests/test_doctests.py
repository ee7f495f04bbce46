"""Every example in a docstring runs.

The examples are found in the source rather than on the objects:
public classes claim to live in `framer` itself, and doctest's own search,
which asks an object where it comes from, would pass over their methods.
"""

import ast
import doctest
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import framer
import framer_adapters

FLAGS = doctest.ELLIPSIS
Definition = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> Iterator[str]:
    """Name every module, but for `__main__`, which runs when it is imported."""
    for package in (framer, framer_adapters):
        yield package.__name__
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith(".__main__"):
                yield module.name


def examples() -> Iterator[doctest.DocTest]:
    """Find the docstrings that hold an example."""
    parser = doctest.DocTestParser()
    for name in modules():
        module = importlib.import_module(name)
        assert module.__file__ is not None
        path = Path(module.__file__)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, Definition):
                continue
            text = ast.get_docstring(node, clean=False)
            if text is not None and ">>>" in text:
                line = node.body[0].lineno
                label = f"{name}:{getattr(node, 'name', 'module')}:{line}"
                yield parser.get_doctest(text, vars(module).copy(), label, str(path), line - 1)


@pytest.mark.parametrize("example", [pytest.param(test, id=test.name) for test in examples()])
def test_example(example: doctest.DocTest) -> None:
    """The example does what it says."""
    report: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS).run(example, out=report.append)
    assert not report, "".join(report)
