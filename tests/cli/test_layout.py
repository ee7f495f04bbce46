"""Bytes on lines."""

import pytest

from framer._cli.dissect import Kind, Part, Strip
from framer._cli.layout import ASCII, UNICODE, Layout, Line, glyphs_for


def strip(data: bytes, layout: Layout) -> Strip:
    """Put bytes into a strip that keeps what the layout needs."""
    kept = Strip(layout.head_size)
    kept.add(data)
    return kept


def parts(layout: Layout, *kinds: tuple[Kind, bytes]) -> list[Part]:
    """Put parts one after the other."""
    made: list[Part] = []
    start = 0
    for kind, data in kinds:
        made.append(Part(kind, start, strip(data, layout)))
        start += len(data)
    return made


def plain(lines: list[Line]) -> str:
    """Give lines as they are without colours."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)


def layout(width: int = 60, *, full: bool = False, base: int = 0) -> Layout:
    """Make a layout; this wide, it has rows of 8 bytes."""
    return Layout(width, 6, UNICODE, base, full)


def test_columns() -> None:
    """As many bytes as fit, in eights where eight fit; at least 4, at most 32."""
    for width, columns in [(1, 4), (40, 4), (46, 8), (80, 16), (110, 24), (140, 24), (500, 32)]:
        made = layout(width)
        assert made.columns == columns
        row = plain(list(made.rows("1", parts(made, ("payload", b"x" * columns)))))
        assert len(row) <= max(width, 30)


def test_rows() -> None:
    """Brackets go around a terminator, also where it goes on in the next row."""
    made = layout(base=1000)
    lines = list(made.rows("7", parts(made, ("payload", b"abcdefg"), ("terminator", b"\r\n"))))
    assert plain(lines) == (
        "   7   1000  61 62 63 64 65 66 67[0d  abcdefg␍\n       1008  0a]                      ␊"
    )
    assert ("0d", "terminator") in lines[0]
    assert ("[", "terminator") in lines[0]
    assert ("␍", "terminator") in lines[0]
    assert ("abcdefg", "payload") in lines[0]


def test_brackets_in_the_middle() -> None:
    """A bracket closes where another kind begins."""
    made = layout()
    shown = plain(
        list(made.rows("", parts(made, ("unread", b"a"), ("broken", b"b"), ("unread", b"c"))))
    )
    assert shown.endswith(" abc")
    assert " 61{62}63 " in shown
    touching = parts(made, ("broken", b"b"), ("terminator", b"\n"))
    assert "{62[0a]" in plain(list(made.rows("", touching)))


def test_a_terminator_that_fills_the_row() -> None:
    """The bracket closes at the end of the row."""
    made = layout()
    lines = list(made.rows("", parts(made, ("payload", b"abcdef"), ("terminator", b"\r\n"))))
    assert "66[0d 0a] abcdef␍␊" in plain(lines)
    lines = list(made.rows("", parts(made, ("terminator", b"12345678"), ("payload", b"a"))))
    assert plain(lines).startswith("          0 [31 32 33 34 35 36 37 38] 12345678\n")


def test_long_frames() -> None:
    """The middle is left out, and the rows go on where they would have been."""
    made = layout()
    data = bytes(range(256)) * 5
    lines = plain(
        list(made.rows("1", parts(made, ("payload", data), ("terminator", b"\n"))))
    ).split("\n")
    assert len(lines) == 8 + 1 + 4
    assert "1,192 bytes left out, --full" in lines[8]
    assert lines[9].startswith("       1256  e8 e9")
    assert lines[-1].startswith("       1280 [0a]")


def test_full() -> None:
    """All of it is shown to whoever asks."""
    made = layout(full=True)
    lines = list(made.rows("1", parts(made, ("payload", bytes(2560)))))
    assert len(lines) == 320


def test_prefix_row() -> None:
    """A prefix says what it means."""
    made = layout()
    (prefix,) = parts(made, ("prefix", b"\0\5"))
    assert plain([made.prefix_row("3", prefix, "5 bytes")]) == (
        "   3      0 (00 05)                   5 bytes"
    )


def test_notes() -> None:
    """Notes are wrapped and stand under the bytes; the label stands at the first line."""
    made = layout()
    assert plain(list(layout(46).note("words and words and words and words", "note", "9"))) == (
        "   9         words and words and words and\n             words"
    )
    assert plain(list(made.note("", "note"))) == ""


def test_header() -> None:
    """It says what the brackets mean where there is room for it."""
    assert plain([layout(80).header("[terminator]")]).split() == [
        *("#", "offset", "hex", "[terminator]", "text")
    ]
    assert plain([layout(20).header("[terminator]")]).split() == ["#", "offset", "hex", "text"]


def test_brief() -> None:
    """Bytes as Python writes them, short."""
    made = layout()
    assert made.brief(strip(b"a\r", made)) == r"b'a\r'"
    assert made.brief(strip(b"x" * 100, made)) == (f"b'{'x' * 64}' … b'{'x' * 20}', 100 bytes")


@pytest.mark.parametrize(
    ("data", "shown", "in_ascii"),
    [
        (b"a b", "a b", "a b"),
        (b"\r\n\0", "␍␊␀", "..."),
        ("ü€".encode(), "ü€", ".."),
        (b"\xff\x7f", "··", ".."),
        ("\u202e\x9b\ufffd".encode(), "···", "..."),
    ],
)
def test_glyphs(data: bytes, shown: str, in_ascii: str) -> None:
    """What a terminal might obey is never written to it."""
    assert UNICODE.text(data) == shown
    assert ASCII.text(data) == in_ascii


def test_glyphs_for() -> None:
    """An encoding that cannot say it gets ASCII."""
    assert glyphs_for("utf-8") is UNICODE
    assert glyphs_for("latin-1") is ASCII
    assert glyphs_for("no such encoding") is ASCII
