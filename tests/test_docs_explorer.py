"""The explorer's page, as Python makes it: what it shows is what framer does.

That the script in the page puts it in its place is held by `test_docs_site`, in a browser.
"""

from __future__ import annotations

import html
import json
import re
import sys
from dataclasses import replace

import pytest
from documents import ROOT
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(ROOT / "docs" / "_ext"))

import explorer

from framer import Data, FrameTooLarge, TerminatorFound

SAMPLES = [pytest.param(sample, id=sample.title) for sample in explorer.SAMPLES]


def ask(text: str, terminator: str, **options: object) -> dict[str, object]:
    """Ask for a page."""
    return explorer.page(replace(explorer.Request(text, terminator), **options))  # type: ignore[arg-type] # as a script may


def came_out(text: str, terminator: str, *cuts: int) -> list[list[object]]:
    """List what comes out, piece by piece."""
    request = explorer.Request(text, terminator, cuts)
    data = explorer.to_bytes(text)
    steps = explorer.steps(request, data, explorer.to_terminator(terminator))
    return [step.came_out for step in steps]


@pytest.mark.parametrize("sample", SAMPLES)
def test_samples(sample: explorer.Sample) -> None:
    """Each can be shown, gives a frame, and is cut where there is something to cut."""
    page = ask(sample.text, sample.terminator, cuts=sample.cuts)
    assert page["problem"] == ""
    assert page["cuts"] == list(sample.cuts)
    assert "TerminatorFound" in str(page["steps"])
    data = explorer.to_bytes(sample.text)
    assert str(page["strip"]).count('class="byte') == len(data) == page["size"]
    assert str(page["strip"]).count('aria-pressed="true"') == len(sample.cuts)


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("frames", [False, True], ids=["events", "frames"])
@pytest.mark.parametrize("limit", [0, 3, 65536, None])
def test_cuts_do_not_matter(sample: explorer.Sample, limit: int | None, *, frames: bool) -> None:
    """The page says so, with every limit, after having tried."""
    page = ask(sample.text, sample.terminator, frames=frames, max_frame_size=limit)
    assert re.fullmatch(r"Cut in \d+ other ways .* give the same\.", str(page["verdict"]))


def test_a_bug_would_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """If what comes out did depend on the cuts, the page would say where."""

    def transcript(request: explorer.Request, *_: object) -> list[str]:
        return ["a bug"] if request.cuts == (2,) else []

    monkeypatch.setattr(explorer, "transcript", transcript)
    assert "Cut at [2] they give something else" in str(ask("abc", "2")["verdict"])


@given(st.binary(max_size=explorer.MOST_BYTES))
def test_bytes_are_read_as_they_are_written(data: bytes) -> None:
    """What the page writes for a byte, the reader may type for it."""
    glyphs = ("\\\\" if byte == ord("\\") else explorer.glyph(byte) for byte in data)
    assert explorer.to_bytes("".join(glyphs)) == data


def test_text_that_is_not_ascii() -> None:
    """Is taken as UTF-8."""
    assert explorer.to_bytes("é\n") == "é\n".encode()


@pytest.mark.parametrize(
    ("text", "terminator", "problem"),
    [
        (r"a\q", "1", "a backslash stands for nothing here"),
        ("\\", "1", "a backslash stands for nothing here"),
        ("x" * 201, "1", "these are 201 bytes, and the page takes 200"),
        ("a", " ", "what ends a frame?"),
        ("a", "exit()", "SystemExit"),
        ("a", "'\\n'", "TypeError: a terminator must be bytes, not str"),
        ("a", "b''", "ValueError"),
        ("a", "1 +", "SyntaxError"),
        ("a", "1 / 0", "ZeroDivisionError"),
        ("a", "print", "TypeError"),
        ("a\n", r"LengthFrom(b'\n', lambda header: None)", "TypeError: what length_of() returns"),
        ("a\n", r"LengthFrom(b'\n', lambda header: header.x)", "AttributeError"),
    ],
)
def test_problems(text: str, terminator: str, problem: str) -> None:
    """What cannot be is said, in the words of whoever found it, and nothing else changes."""
    page = ask(text, terminator)
    assert str(page.pop("problem")).startswith(problem)
    assert page == {}


def test_no_bytes() -> None:
    """Nothing but the end of the stream comes in."""
    page = ask("", "1", cuts=(1, 2))
    assert (page["size"], page["cuts"]) == (0, [])
    assert "no bytes" in str(page["strip"])
    assert "EndOfStream" in str(page["steps"])
    assert "receive_eof" not in str(ask("", "1", end=False)["steps"])


def test_what_comes_out_when() -> None:
    """Piece by piece, as a framer gives it to a program."""
    first, second, end = came_out(r"ab\r\nc", r"b'\r\n'", 3)
    assert first == [Data(b"ab")]
    assert second == [TerminatorFound(b"\r\n"), Data(b"c")]
    assert [explorer.words(item)[:15] for item in end] == ["IncompleteFrame"]


def test_a_frame_that_is_too_large_is_skipped() -> None:
    """The error is shown among the events, and the next frame is whole."""
    request = explorer.Request("toolong ok ", "b' '", (), 4, frames=True)
    [step, end] = explorer.steps(request, b"toolong ok ", b" ")
    assert [type(item) for item in step.came_out] == [FrameTooLarge, bytes]
    assert step.came_out[1] == b"ok"
    assert end.came_out == []


def test_a_broken_stream_ends_there() -> None:
    """After the error that repeats for ever nothing more comes in."""
    [[error]] = came_out("x", "Netstring()")
    assert explorer.words(error).startswith("MalformedFrame")


def test_kinds_of_bytes() -> None:
    """Each byte is coloured by what it is, those behind a broken one too."""
    terminator = explorer.to_terminator("Netstring()")
    kinds = explorer.kinds(b"1:a,x" + b"y" * 60, terminator, None)
    assert kinds[:5] == ["prefix", "prefix", "payload", "terminator", "broken"]
    assert set(kinds[5:]) == {"unread"}
    assert len(kinds) == 65


@given(st.text(alphabet="<>&\"'ab", max_size=20))
def test_nothing_typed_becomes_markup(text: str) -> None:
    """What the reader types is shown as text."""
    page = ask(text, "1")
    tags = re.findall(r"<(\w+)", str(page["strip"]) + str(page["steps"]))
    assert set(tags) <= {"span", "button", "tr", "td", "code", "ul", "li"}


def test_answer() -> None:
    """A script asks and is answered in JSON."""
    question = {
        "text": "ab",
        "terminator": "1",
        "cuts": [1],
        "max_frame_size": None,
        "frames": True,
    }
    answer = json.loads(explorer.answer(json.dumps(question)))
    assert answer == ask("ab", "1", cuts=[1], max_frame_size=None, frames=True)
    assert html.unescape(answer["steps"]).count("b'a'") == 2
