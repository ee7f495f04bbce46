"""docs/migrating.md: what it quotes is so, and its server is the same server in each form."""

from __future__ import annotations

import doctest
import re
import socket
import sys
from pathlib import Path

import programs
import pytest

from framer_adapters import asynchat, asyncore

sys.path.insert(0, str(programs.EXAMPLES))

PAGE = programs.EXAMPLES.parent / "migrating.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
QUOTES = [block for block in BLOCKS if ">>>" not in block]

CONVERSATION = [
    (b"PUT spam 4\r\n\r\n\r\n", b"STORED\r\n"),
    (b"GET spam\r\n", b"VALUE 4\r\n\r\n\r\n"),
    (b"PUT nothing 0\r\nGET nothing\r\n", b"STORED\r\nVALUE 0\r\n"),
    (b"GET eggs\r\nPUT x y\r\n\r\n", b"NOTHING\r\nERROR\r\nERROR\r\n"),
    (b"PUT large 300000\r\n" + bytes(300_000), b"STORED\r\n"),
    (b"GET large\r\n", b"VALUE 300000\r\n" + bytes(300_000)),
    (b"QUIT\r\n", b""),
]

FORMS = {
    "store_server.py": ("-W", "ignore", "store_server.py"),  # 3.11 says that it is deprecated
    "store_installed.py": ("store_installed.py",),
    "store_asyncio.py": ("store_asyncio.py",),
    **{
        f"store_channel.py-{adapter}": ("store_channel.py", "--adapter", adapter)
        for adapter in ("selectors", "asyncio")
    },
}


def converse(port: int) -> None:
    """Be a client, who says a thing when the last one was answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=programs.TIMEOUT) as client:
        stream = client.makefile("rb")
        for said, answer in CONVERSATION:
            client.sendall(said)
            assert stream.read(len(answer)) == answer
        assert stream.read() == b""
        stream.close()


@pytest.mark.parametrize("form", FORMS)
def test_the_same_server(form: str) -> None:
    """Every form answers the same, and ends when it is told to."""
    if form == "store_server.py" and sys.version_info >= (3, 12):
        pytest.skip("the modules that it imports are gone from Python 3.12")
    with programs.serving(*FORMS[form]) as program:
        converse(program.port)


def test_old_and_new_in_one_loop() -> None:
    """The new server sees what the old one has."""
    with programs.serving("store_asyncio.py") as program:
        counting = int(program.output.readline().split()[-1])
        converse(program.port)
        with socket.create_connection(("127.0.0.1", counting), programs.TIMEOUT) as client:
            client.sendall(b"?\n")
            assert client.recv(100) == b"3\n"


@pytest.mark.parametrize("quote", QUOTES, ids=range(len(QUOTES)))
def test_quotes_are_in_the_programs(quote: str) -> None:
    """Word for word."""
    files = programs.EXAMPLES.glob("store_*.py")
    assert [path.name for path in files if quote in path.read_text(encoding="utf-8")]


def test_examples() -> None:
    """What is typed there is answered like that."""
    example = doctest.DocTestParser().get_doctest(TEXT, {}, PAGE.name, str(PAGE), 0)
    report: list[str] = []
    results = doctest.DocTestRunner().run(example, out=report.append)
    assert results.failed == 0, "".join(report)
    assert results.attempted == len(re.findall("^>>> ", TEXT, re.MULTILINE)) > 0
    assert len(QUOTES) == 4


def test_links() -> None:
    """Each leads to a file, and to a heading in it."""
    for link in re.findall(r"\]\(([^)]+)\)", TEXT):
        name, _, anchor = link.partition("#")
        text = ((PAGE.parent / name) if name else PAGE).read_text(encoding="utf-8")
        headings = re.findall(r"^#+ (.*)$", text.lower(), re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", words).replace(" ", "-") for words in headings}
        assert not anchor or anchor in anchors, link


@pytest.mark.parametrize("module", [asyncore, asynchat])
def test_modules_point_to_it(module: object) -> None:
    """Whoever reads the module finds the page."""
    assert "docs/migrating.md" in str(module.__doc__)
    assert Path(PAGE).exists()
