"""Frames as lines, JSON Lines and hex, and back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framer._cli.forms import (
    READERS,
    escape,
    escape_lines,
    hex_lines,
    json_line,
    read_hex,
    read_json,
    unescape,
)


@given(st.binary())
def test_unescape_undoes_escape(data: bytes) -> None:
    """Nothing is lost, whatever the bytes."""
    assert unescape(escape(data)) == data


@given(st.text())
def test_unescape_undoes_escape_of_text(text: str) -> None:
    """Text goes another way through escape() than noise does."""
    assert unescape(escape(text.encode())) == text.encode()


@given(st.binary() | st.text().map(str.encode))
def test_escaped_is_one_line_of_text(data: bytes) -> None:
    """What comes out is UTF-8 and has no line break by anybody's definition."""
    assert len((escape(data).decode() + "x").splitlines()) == 1


@given(st.lists(st.binary() | st.text().map(str.encode)))
def test_lines_are_those_of_each_frame(frames: list[bytes]) -> None:
    """The quick way for a whole batch gives what each frame gives alone."""
    assert escape_lines(frames) == b"".join(escape(frame) + b"\n" for frame in frames)


@pytest.mark.parametrize(
    "frames",
    [
        [b"plain", b"", b"lines"],
        ["grüße".encode(), b"x"],
        [b"a\nb"],
        [b"tab\t"],
        [b"\xff"],
        ["next\x85line".encode()],
        ["line\u2028separator".encode()],
    ],
)
def test_each_reason_to_escape(frames: list[bytes]) -> None:
    """Each way out of the quick way leads to the same lines."""
    assert escape_lines(frames) == b"".join(escape(frame) + b"\n" for frame in frames)


def test_what_escapes_look_like() -> None:
    """Text stays readable; the rest is a backslash and what it stands for."""
    data = b"a\\b\r\n\t\x00\x7f\xff" + "é\x9b".encode()
    assert escape(data).decode() == r"a\\b\r\n\t\x00\x7f\xffé\xc2\x9b"


def test_what_people_may_write() -> None:
    r"""`\0` and capital digits are understood, though never written."""
    assert unescape(rb"\0\xFF\xff") == b"\x00\xff\xff"


@pytest.mark.parametrize("line", [rb"\q", rb"\x1", rb"\xzz", b"end\\", rb"\x"])
def test_unknown_escapes_are_refused(line: bytes) -> None:
    """A guess would lose bytes."""
    with pytest.raises(ValueError, match="means nothing"):
        unescape(line)


@given(st.binary() | st.text().map(str.encode))
def test_json_round_trip(frame: bytes) -> None:
    """Any payload comes back from JSON."""
    line = json_line(7, 12, frame)
    assert line.endswith("}\n")
    assert read_json(line.encode()) == frame


@given(st.binary())
def test_json_is_json(frame: bytes) -> None:
    """Put together by hand, it is what json makes of it."""
    value = json.loads(json_line(7, 12, frame))
    assert value | {"frame": 7, "offset": 12, "size": len(frame)} == value
    assert len(value) == 4


def test_json_keys() -> None:
    """Text where it is UTF-8, base64 elsewhere."""
    assert json_line(1, 0, b'a"\n') == '{"frame": 1, "offset": 0, "size": 3, "text": "a\\"\\n"}\n'
    assert json_line(2, 9, b"\xff") == '{"frame": 2, "offset": 9, "size": 1, "base64": "/w=="}\n'


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"hello",
        b"[]",
        b'{"size": 3}',
        b'{"text": 3}',
        b'{"text": "a", "base64": "YQ=="}',
        b'{"base64": "YQ==", "text": 3}',
        b'{"base64": "!"}',
        b'{"base64": "YQ"}',
        b'{"base64": "\xc3\xa9"}',
        b'{"text": "\\ud800"}',
        b'{"text": "\xff"}',
        b"[" * 100_000,
    ],
)
def test_no_frame_in_json(line: bytes) -> None:
    """Whatever is wrong with a line, it is a ValueError and nothing else."""
    with pytest.raises(ValueError, match=r"."):
        read_json(line)


def test_hex() -> None:
    """Pairs of digits, with spaces between the pairs if someone likes."""
    assert read_hex(b"00fF 0a") == b"\x00\xff\n"
    assert read_hex(b"") == b""
    assert hex_lines([b"\x00\xff", b"", b"\n"]) == b"00ff\n\n0a\n"
    assert hex_lines([]) == b""


@pytest.mark.parametrize("line", [b"0", b"xx", b"\xff", "\uff14\uff12".encode()])
def test_no_frame_in_hex(line: bytes) -> None:
    """Half a byte is no byte."""
    with pytest.raises(ValueError, match="hexadecimal"):
        read_hex(line)


def test_readers() -> None:
    """Each form has its reader."""
    lines = {"lines": rb"a\n", "json": b'{"text": "a\\n"}', "hex": b"610a"}
    assert {name: READERS[name](line) for name, line in lines.items()} == dict.fromkeys(
        lines, b"a\n"
    )
