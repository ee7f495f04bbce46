"""The documentation is true: its examples run, its commands are there, its links lead somewhere.

`documents` says what an example is, and runs it.
That the site is built of these pages without a warning, and that every link inside it has
its place, is held by ``make docs``; what its pages do in a browser, by `test_docs_site`.
"""

from __future__ import annotations

import os
import re
import ssl
import sys
from collections.abc import Collection
from pathlib import Path

import pytest
import trustme
from documents import ROOT, Document, docstrings, is_quotation, pages

import framer
import framer_adapters

PAGES = {page.name: page for page in pages()}

# What the examples of a page import, besides framer. Where it is missing they are skipped.
NEEDS = {
    "docs/how-to/from-twisted.md": "twisted",
    "docs/how-to/from-tornado.md": "tornado",
}

# Its programs need the packages that they are about, each at a version of its own;
# tests/bench/found_in_the_wild.py installs them and runs the page.
ELSEWHERE = {"docs/found-in-the-wild.md"}


def with_examples(languages: set[str], *, without: Collection[str] = ()) -> list[object]:
    """List the pages that have blocks in one of these languages."""
    return [
        pytest.param(page, id=page.name)
        for page in PAGES.values()
        if page.name not in without and any(block.language in languages for block in page.blocks)
    ]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with the files that pages speak of: a certificate, a large file."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        tmp_path / "server.pem"
    )
    (tmp_path / "large.bin").write_bytes(bytes(range(256)) * 4096)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(ROOT / "docs" / "examples"), *sys.path])
    return tmp_path


@pytest.mark.parametrize("page", with_examples({"pycon", "python"}, without=ELSEWHERE))
def test_examples_of_pages(page: Document, folder: Path) -> None:
    """One after the other, as a reader would type them, each does what it says."""
    if page.name in NEEDS:
        pytest.importorskip(NEEDS[page.name])
    Document(
        page.name,
        page.path,
        [block for block in page.blocks if block.language != "console"],
        dict(page.names),
    ).run()
    assert folder == Path.cwd()


@pytest.mark.parametrize(
    "docstring", [pytest.param(example, id=example.name) for example in docstrings()]
)
def test_examples_of_docstrings(docstring: Document) -> None:
    """Likewise."""
    docstring.run()


def test_there_are_examples() -> None:
    """The mechanism finds them: sessions, programs and quotations."""
    assert len(with_examples({"pycon"})) > 8
    blocks = [block for page in PAGES.values() for block in page.blocks]
    programs = [block.text for block in blocks if block.language == "python"]
    assert sum(map(is_quotation, programs)) > 5
    assert sum(not is_quotation(text) for text in programs) > 5


def test_a_wrong_example_is_noticed(tmp_path: Path) -> None:
    """A session that prints something else fails, and so does a program that raises."""
    session = type(PAGES["README.md"].blocks[0])("pycon", ">>> 1 + 1\n3\n", 0)
    with pytest.raises(AssertionError, match="Expected:\n    3\nGot:\n    2"):
        Document("wrong", tmp_path, [session]).run()
    program = type(session)("python", "1 / 0\n", 0)
    with pytest.raises(ZeroDivisionError):
        Document("wrong", tmp_path, [program]).run()


@pytest.mark.parametrize("page", with_examples({"console"}))
def test_commands(page: Document) -> None:
    """A target of make that a page names is in the Makefile, and a script is where it says."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z]+):", makefile, re.MULTILINE)
    text = "".join(block.text for block in page.blocks if block.language == "console")
    for target in re.findall(r"^\$ make (\w+)", text, re.MULTILINE):
        assert target in targets
    for script in re.findall(r"\$ python (\S+\.py)", text):
        names = {path.name for path in (ROOT / "docs").rglob("*.py")}
        assert Path(script).name in names or f"`{script}`" in page.path.read_text("utf-8")


@pytest.mark.parametrize("page", [pytest.param(page, id=name) for name, page in PAGES.items()])
def test_links(page: Document) -> None:
    """Every link inside the repository leads to a file."""
    text = re.sub(
        r"^```.*?^```$|`[^`\n]*`", "", page.path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path = link.partition("#")[0]
        if not path or "://" in path:
            continue
        target = page.path.parent / path
        package = Path(str(framer_adapters.__file__)).parent / Path(path).name
        assert target.exists() or package.exists(), link  # the package may be installed elsewhere


def test_every_page_is_in_a_menu() -> None:
    """No page of the site is reached by nothing but the search."""
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    menus = "".join(re.findall(r"```{toctree}\n(.*?)```", index, re.DOTALL))
    entries = re.findall(r"^(?:.*<)?([\w/-]+)>?$", menus, re.MULTILINE)
    names = {
        page.path.relative_to(ROOT / "docs") for page in PAGES.values() if page.name[:5] == "docs/"
    }
    names.discard(Path("index.md"))
    assert {os.fspath(name.with_suffix("")) for name in names} <= set(entries)


def test_every_public_name_is_in_the_reference() -> None:
    """A name that is added to `framer` has to be documented, too, and where it belongs."""
    text = PAGES["docs/reference/framer.md"].path.read_text(encoding="utf-8")
    names = re.findall(r"^\.\. auto\w+:: (\w+)$", text, re.MULTILINE)
    assert sorted(names) == sorted(framer.__all__)
    text = PAGES["docs/reference/adapters.md"].path.read_text(encoding="utf-8")
    modules = re.findall(r"^\.\. automodule:: framer_adapters\.(\w+)$", text, re.MULTILINE)
    assert modules == ["blocking", "selectors", "asyncio", "trio", "anyio"]


def test_certificates_of_pages(folder: Path) -> None:
    """What the pages about TLS are run with is a certificate that is worth its name."""
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    assert context.cert_store_stats()["x509_ca"] == 1
