"""The diagrams of the documentation show what framer does."""

from __future__ import annotations

import dataclasses
import re
import sys
from xml.etree import ElementTree as ET

import pytest
from documents import ROOT
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(ROOT / "docs" / "_ext"))

import byte_diagrams
import state_diagrams
from state_diagrams import DIAGRAMS, Arrow, Diagram

from framer import LengthFrom, LengthPrefix, VarintPrefix, encode_frame

PAGE = (ROOT / "docs" / "reference" / "length-fields.md").read_text(encoding="utf-8")
DRAWN = re.findall(r"```{bytes} (.*)\n(?::(payload|wire):(.*)\n)?```", PAGE)


# Bytes


@pytest.mark.parametrize(("expression", "option", "value"), DRAWN)
def test_diagrams_of_the_page(expression: str, option: str, value: str) -> None:
    """Each has all bytes that are on the wire, and tells the length apart from the payload."""
    options = {"payload": "hello", option: value.strip()} if option else {"payload": "hello"}
    diagram = byte_diagrams.draw(expression, options["payload"], options.get("wire"))
    wire = b"".join(data for _, data in diagram.before)
    if "wire" not in options:
        assert wire == encode_frame(options["payload"].encode(), diagram.terminator)
    kinds = [kind for kind, _ in diagram.before]
    assert kinds == sorted(kinds, key=["prefix", "payload", "terminator"].index)
    assert kinds[0] == "prefix"
    assert expression.replace('"big"', "") in PAGE.replace("`", "") or expression in PAGE


@pytest.mark.parametrize("kind", [LengthPrefix, VarintPrefix, LengthFrom])
def test_every_option_is_on_the_page(kind: type[LengthPrefix | VarintPrefix | LengthFrom]) -> None:
    """An option that is added to a terminator has to be shown, too."""
    names = {field.name for field in dataclasses.fields(kind)} - {"length_of", "_"}
    headings = re.findall(r"^### (\w+)", PAGE, re.MULTILINE)
    assert {name for name in names if name not in headings and f"`{name}`" not in PAGE} == set()


def test_what_a_diagram_may_not_say() -> None:
    """A frame that comes out otherwise than the page would have it is an error."""
    with pytest.raises(ValueError, match="and not 'HELLO'"):
        byte_diagrams.draw("LengthPrefix(1)", "HELLO", r"\x05hello")
    with pytest.raises(ValueError, match="does not fit"):
        byte_diagrams.draw("LengthPrefix(1, adjust=-100)", "x" * 156)


def test_keep_header() -> None:
    """The header is in both lines, and is told apart in both."""
    expression = r"LengthFrom(b'\n', int, footer=b'!', keep_header=True)"
    diagram = byte_diagrams.draw(expression, "hi", r"2\nhi!")
    assert diagram.before == [("prefix", b"2\n"), ("payload", b"hi"), ("terminator", b"!")]
    assert diagram.after == [("prefix", b"2\n"), ("payload", b"hi")]


def cells(expression: str, payload: str, wire: str | None = None) -> list[str]:
    """List what stands in the boxes of the upper line."""
    text = byte_diagrams.to_html(byte_diagrams.draw(expression, payload, wire))
    return re.findall(r'<span class="byte \w+">(.*?)</span>', text.split("becomes")[0])


def test_cells() -> None:
    """Lengths are in hexadecimal, text is text, controls have their names, markup is none."""
    assert cells("LengthPrefix(2)", r"A\r\n\x00<") == ["00", "05", "A", "CR", "LF", "00", "&lt;"]
    assert cells("Netstring()", "a b") == ["3", ":", "a", "SP", "b", ","]


def test_the_middle_of_a_long_part_is_left_out() -> None:
    """Its beginning and its end stay, and how many bytes it has is said."""
    shown = cells("VarintPrefix()", "a" * 150 + "z")
    assert shown[:2] == ["97", "01"]
    assert shown[-2:] == ["…", "z"]
    assert len(shown) == 2 + byte_diagrams.MOST_CELLS
    diagram = byte_diagrams.draw("VarintPrefix()", "a" * 151)
    assert "payload, 151" in byte_diagrams.to_html(diagram)


# States


def test_channel() -> None:
    """There is no way back; the last hook is called on the way into `closed`, and only there."""
    diagram = DIAGRAMS["channel"]()
    order = list(diagram.states)
    assert {arrow.end for arrow in diagram.arrows} == set(order[1:])
    for arrow in diagram.arrows:
        assert order.index(arrow.start) < order.index(arrow.end)
    for arrow, reasons in diagram.reasons.items():
        into_closed = arrow.end == "closed" != arrow.start
        assert all(("connection_lost()" in reason) == into_closed for reason in reasons), arrow


def test_lengths() -> None:
    """A frame that announces its length ends in its payload, and may break anywhere."""
    diagram = DIAGRAMS["length"]()
    assert Arrow("in the payload", "between frames") in diagram.arrows
    broken = {arrow.start for arrow in diagram.arrows if arrow.end == state_diagrams.BROKEN}
    assert broken == {"between frames", "in the header", "in the payload"}
    assert state_diagrams.BROKEN not in {arrow.start for arrow in diagram.arrows}


def test_delimiters() -> None:
    """A delimiter may come in pieces, cannot break, and what looked like one may be payload."""
    diagram = DIAGRAMS["delimiter"]()
    assert state_diagrams.BROKEN not in diagram.states
    back = diagram.reasons[Arrow("in a delimiter, maybe", "between frames")]
    assert list(back) == ["TerminatorFound", "payload"]


def test_followers() -> None:
    """What the page promises of the order of events."""
    seen = state_diagrams.followers()
    for last in ("EndOfStream", "MalformedFrame", "IncompleteFrame"):
        assert last not in seen
    assert "EndOfStream" not in seen["Data"]
    assert "EndOfStream" in seen["TerminatorFound"]
    table = state_diagrams.followers_table()
    assert table.count("<tr>") == 1 + 1 + len(state_diagrams.EVENTS)
    assert table.count("yes</td>") == sum(map(len, seen.values()))


@pytest.mark.parametrize("name", DIAGRAMS)
def test_pictures(name: str) -> None:
    """A box for each state, an arrow for each, their numbers in the table, no colour of its own."""
    diagram = DIAGRAMS[name]()
    text = state_diagrams.to_svg(diagram, "a <title>")
    picture = ET.fromstring(text)  # noqa: S314 - it is ours
    tag = "{http://www.w3.org/2000/svg}"
    assert len(picture.findall(f"{tag}rect")) == len(diagram.states)
    assert len(picture.findall(f"{tag}path")) == len(diagram.arrows)
    assert picture.get("aria-label") == "a <title>"
    assert not re.search(r"fill=|stroke=|style=", text)
    rows = re.findall(r"<tr><td>(\d+)</td>", state_diagrams.to_table(diagram))
    assert rows == [str(number) for number in range(1, len(diagram.arrows) + 1)]


@given(st.sets(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=12))
def test_pictures_stay_in_their_frame(pairs: set[tuple[int, int]]) -> None:
    """Whatever is drawn, no number is cut off at an edge, and no two are at one place."""
    diagram = Diagram("abcd")
    for start, end in pairs:
        diagram.add("abcd"[start], "abcd"[end], "some reason")
    text = state_diagrams.to_svg(diagram, "any")
    places = re.findall(r'<circle cx="([-\d.]+)" cy="([-\d.]+)"', text)
    assert len(set(places)) == len(places) == len(diagram.arrows)
    for x, _ in places:
        assert state_diagrams.RADIUS <= float(x) <= state_diagrams.WIDTH - state_diagrams.RADIUS
