r"""The forms in which frames are written down: lines, JSON Lines, hex.

A form gives each frame one line of text, and reads it back.
The three are lossless, so `framer split | framer join` gives back the very bytes.

The notation of lines serves for `--delimiter '\r\n'` and for messages as well.
Text stays text, and what is not is written as a backslash and what it stands for:
`\\`, `\r`, `\n`, `\t`, and `\xNN` for any other byte.
What is not text: control characters, bytes that are not UTF-8, and the few characters beyond
ASCII that some programs take for the end of a line or for a command to the terminal.
So a line never holds a line break, and `unescape(escape(data)) == data` for all data.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from json.encoder import encode_basestring
from typing import cast

_SHORT = {b"\\": b"\\\\", b"\r": b"\\r", b"\n": b"\\n", b"\t": b"\\t"}
_MEANING = {b"\\": b"\\", b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0"}

_CONTROLS = bytes(range(0x20)) + b"\\\x7f"
_SPECIAL = re.compile(rb"[\x00-\x1f\\\x7f]")
# C1 controls, and the two separators that str.splitlines() breaks at.
_SPECIAL_TEXT = re.compile("[\x80-\x9f\u2028\u2029]")
_ESCAPE = re.compile(rb"\\(x[0-9A-Fa-f]{2}|[\\rnt0]|)")

_ALL_BUT_NEWLINE = _CONTROLS.replace(b"\n", b"")


def escape(data: bytes) -> bytes:
    """Give `data` as UTF-8 text without control characters or line breaks."""
    escaped = _SPECIAL.sub(_escape_special, data)
    if escaped.isascii():
        return escaped
    text = escaped.decode("utf-8", "backslashreplace")
    return _SPECIAL_TEXT.sub(_escape_character, text).encode()


def escape_lines(frames: Sequence[bytes]) -> bytes:
    """Give every frame as a line, escaped and ended by a newline.

    Most streams need no escape anywhere, and for a whole batch of frames that is found out
    several times faster than for one after the other.
    """
    lines = b"\n".join((*frames, b""))
    if _is_plain(lines, newlines=len(frames)):
        return lines
    return b"\n".join((*map(escape, frames), b""))


def unescape(line: bytes) -> bytes:
    """Give the bytes that `line` stands for.

    Raises:
        ValueError: a backslash is followed by what has no meaning.
    """
    if b"\\" not in line:
        return line
    return _ESCAPE.sub(_unescape_one, line)


def _is_plain(lines: bytes, *, newlines: int) -> bool:
    """Tell whether nothing in `lines` needs an escape, if it has that many newlines."""
    if len(lines.translate(None, _ALL_BUT_NEWLINE)) != len(lines):
        return False
    if lines.count(b"\n") != newlines:
        return False
    return lines.isascii() or _is_plain_text(lines)


def _is_plain_text(lines: bytes) -> bool:
    try:
        return _SPECIAL_TEXT.search(lines.decode()) is None
    except UnicodeDecodeError:
        return False


def _escape_special(found: re.Match[bytes]) -> bytes:
    byte = found[0]
    return _SHORT.get(byte) or b"\\x%02x" % byte[0]


def _escape_character(found: re.Match[str]) -> str:
    return "".join(f"\\x{byte:02x}" for byte in found[0].encode())


def _unescape_one(found: re.Match[bytes]) -> bytes:
    meaning: bytes = found[1]
    if len(meaning) == 3:
        return bytes([int(meaning[1:], 16)])
    if not meaning:
        what = found.string[found.start() : found.start() + 2].decode("utf-8", "replace")
        raise ValueError(
            rf"{what} means nothing; what a backslash can stand before is \\ \r \n \t \0 \xNN"
        )
    return _MEANING[meaning]


def json_line(number: int, offset: int, frame: bytes) -> str:
    """Give a frame as a line of JSON: as text where it is UTF-8, as base64 elsewhere.

    Put together by hand: `json.dumps` of the whole takes three times as long.
    """
    head = f'{{"frame": {number}, "offset": {offset}, "size": {len(frame)}, '
    try:
        return f'{head}"text": {encode_basestring(frame.decode())}}}\n'
    except UnicodeDecodeError:
        return f'{head}"base64": "{b64encode(frame).decode()}"}}\n'


def read_json(line: bytes) -> bytes:
    """Give the frame that a line of JSON holds.

    Raises:
        ValueError: it holds none.
    """
    value = _json_object(line)
    match value.get("text"), value.get("base64"):
        case str(text), None:
            return text.encode()
        case None, str(text):
            return b64decode(text, validate=True)
        case _:
            raise ValueError('expected either "text" or "base64", a string')


def _json_object(line: bytes) -> dict[str, object]:
    try:
        value: object = json.loads(line)
    except RecursionError as error:
        raise ValueError("too deeply nested") from error
    if not isinstance(value, dict):
        raise ValueError("expected an object")  # noqa: TRY004 - it is the line that is wrong
    return cast("dict[str, object]", value)


def hex_lines(frames: Sequence[bytes]) -> bytes:
    """Give every frame as a line of hexadecimal digits, ended by a newline."""
    return "\n".join((*map(bytes.hex, frames), "")).encode()


def read_hex(line: bytes) -> bytes:
    """Give the frame that a line of hexadecimal digits stands for.

    Raises:
        ValueError: there is something else in it, or half a byte.
    """
    try:
        return bytes.fromhex(line.decode("ascii"))
    except ValueError:
        raise ValueError("expected pairs of hexadecimal digits") from None


READERS: dict[str, Callable[[bytes], bytes]] = {
    "lines": unescape,
    "json": read_json,
    "hex": read_hex,
}
