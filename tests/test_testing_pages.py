"""The pages on testing are true: the examples of one run, the programs of the other are there."""

from __future__ import annotations

import ast
import doctest
import re
from pathlib import Path

import pytest
from bench import found_in_the_wild

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = ["testing-your-parser.md", "found-in-the-wild.md"]


def test_testing_your_parser() -> None:
    """One example after the other, as a reader would type them; failures look as they are shown."""
    text = (DOCS / PAGES[0]).read_text(encoding="utf-8")
    example = doctest.DocTestParser().get_doctest(text, {}, PAGES[0], PAGES[0], 0)
    report: list[str] = []
    results = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=report.append)
    assert results.failed == 0, "".join(report)
    assert results.attempted > 15


def test_found_in_the_wild() -> None:
    """Ten packages at least, each pinned, with a program of its own that needs nothing of ours."""
    findings = list(found_in_the_wild.findings())
    text = (DOCS / PAGES[1]).read_text(encoding="utf-8")
    assert len(findings) >= 10
    assert len(findings) == text.count("```python\n")
    for finding in findings:
        assert f"| {finding.name} | {finding.version} |" in text
        assert finding.output
        imported = [
            node.module or ""
            for node in ast.walk(ast.parse(finding.program))
            if isinstance(node, ast.ImportFrom)
        ]
        assert imported
        assert not any(name.startswith("framer") for name in imported)


@pytest.mark.parametrize("page", PAGES)
def test_links(page: str) -> None:
    """Every link of a page leads to a file."""
    text = (DOCS / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert [link for link in links if not (DOCS / link).exists()] == []
