r"""What ends a frame: the values that a program may set as a terminator, and their inverse.

A terminator is a value.
The framer never changes the one it was given, and two framers may share one.
The plain kinds are plain Python: ``bytes``, a ``tuple`` of them, an ``int``, ``None``.
The others are declared here.
How a stream is cut by each of them is the business of `_scanners` and `_lengths`.

Byte diagrams of the kinds that announce a length,
each with the payload ``hello``::

    LengthPrefix(4)                 00 00 00 05 | h e l l o
    LengthPrefix(2, "little")       05 00       | h e l l o
    LengthPrefix(2, adjust=-2)      00 07       | h e l l o      the field counts itself
    VarintPrefix()                  05          | h e l l o
    Netstring()                     5 :         | h e l l o | ,
    LengthFrom(b"\r\n", f, footer=b"\r\n")
                                    $ 5 CR LF   | h e l l o | CR LF
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Final, Literal, TypeAlias, assert_never, cast, final

__all__ = [
    "ANY_NEWLINE",
    "AnyNewline",
    "LengthFrom",
    "LengthPrefix",
    "Netstring",
    "Terminator",
    "VarintPrefix",
    "encode_frame",
]

# The public specification of netstrings calls more than 999999999 bytes bad:
# D. J. Bernstein, "Netstrings", 1997.
MAX_NETSTRING_DIGITS = 9


@final
class AnyNewline(enum.Enum):
    """The type of `ANY_NEWLINE`, its only member."""

    ANY_NEWLINE = enum.auto()

    def __repr__(self) -> str:
        return self.name


ANY_NEWLINE: Final = AnyNewline.ANY_NEWLINE
"""A frame ends at CR, LF or CRLF.

CR ends the line at once, and an LF straight after it is swallowed:
so nothing ever waits for look-ahead, and a line is out as soon as its CR is in.
"""


@final
@dataclass(frozen=True, slots=True)
class LengthPrefix:
    r"""A frame is an unsigned integer and as many bytes of payload as it says.

    Args:
        size: how many bytes the integer has, 1 to 8.
        byteorder: ``"big"`` (network order) or ``"little"``.
        adjust: what to add to the integer to get the payload's length, in bytes.
            A field that counts itself wants ``-size``;
            one that leaves a fixed trailer out wants the trailer's length.

    Raises:
        ValueError: size or byteorder is none of these.
        TypeError: size or adjust is not an int.

    >>> encode_frame(b"hello", LengthPrefix(2, adjust=-2))
    b'\x00\x07hello'
    """

    size: int = 4
    byteorder: Literal["big", "little"] = "big"
    _: KW_ONLY
    adjust: int = 0

    def __post_init__(self) -> None:
        check_int("size", self.size, at_least=1)
        check_int("adjust", self.adjust)
        if self.size > 8:
            raise ValueError(f"size must be 1 to 8 bytes, not {self.size}")
        if self.byteorder not in ("big", "little"):
            raise ValueError(f'byteorder must be "big" or "little", not {self.byteorder!r}')


@final
@dataclass(frozen=True, slots=True)
class VarintPrefix:
    r"""A frame is a LEB128 integer and as many bytes of payload as it says.

    This is how protobuf delimits the messages of a stream
    (https://protobuf.dev/programming-guides/encoding/#varints).
    Overlong encodings (``81 00`` for 1) are accepted, as there.

    Args:
        max_bytes: the longest integer to accept, in bytes; one that goes on is malformed.

    >>> encode_frame(b"x" * 300, VarintPrefix())[:3]
    b'\xac\x02x'
    """

    max_bytes: int = 10

    def __post_init__(self) -> None:
        check_int("max_bytes", self.max_bytes, at_least=1)


@final
@dataclass(frozen=True, slots=True)
class Netstring:
    """A frame is ``<digits>:<payload>,`` with the payload's length in decimal.

    The source is https://cr.yp.to/proto/netstrings.txt:
    no leading zeros, no signs, no white space, nine digits at the most.

    >>> encode_frame(b"hello", Netstring())
    b'5:hello,'
    """


@final
@dataclass(frozen=True, slots=True)
class LengthFrom:
    r"""A frame is a header, as many bytes of payload as the header says, and a footer.

    For Content-Length framing, the Language Server Protocol, RESP bulk strings and the like.

    Args:
        header: what ends the header: a delimiter, several in a tuple, or its size in bytes.
        length_of: called with the header (without the delimiter);
            returns how many bytes of payload follow.
            It raises ValueError if the header is nonsense: that makes the frame malformed.
            It must leave the framer alone.
        footer: the bytes that must follow the payload; they are not part of the frame.
        keep_header: whether the frame is the header as it came, delimiter included,
            and the payload after it; else it is the payload alone.
            ``max_frame_size`` counts the payload in either case;
            an `IncompleteFrame` counts what is kept.
        max_header_size: a header of more bytes is malformed.

    Raises:
        ValueError, TypeError: at construction, for anything else than the above.

    >>> from framer import Framer
    >>> bulk_string = LengthFrom(b"\r\n", lambda header: int(header[1:]), footer=b"\r\n")
    >>> framer = Framer(bulk_string)
    >>> framer.receive_data(b"$5\r\nhello\r\n$0\r\n\r\n")
    >>> list(framer.frames())
    [b'hello', b'']
    """

    header: bytes | tuple[bytes, ...] | int
    length_of: Callable[[bytes], int]
    _: KW_ONLY
    footer: bytes = b""
    keep_header: bool = False
    max_header_size: int = 16384

    def __post_init__(self) -> None:
        check_int("max_header_size", self.max_header_size, at_least=1)
        if not isinstance(self.header, (bytes, tuple, int)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"header must be bytes, a tuple of bytes or an int: {self.header!r}")
        check_terminator(self.header)
        if isinstance(self.header, int) and not 1 <= self.header <= self.max_header_size:
            raise ValueError(
                f"a header of {self.header} bytes is not within 1 to "
                f"max_header_size={self.max_header_size}"
            )
        if not callable(self.length_of):
            raise TypeError(f"length_of must be callable, not {self.length_of!r}")
        if not isinstance(self.footer, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"footer must be bytes, not {self.footer!r}")


Terminator: TypeAlias = (
    bytes
    | tuple[bytes, ...]
    | AnyNewline
    | int
    | LengthPrefix
    | VarintPrefix
    | Netstring
    | LengthFrom
    | None
)
r"""Whatever may end a frame:

- bytes, such as ``b"\r\n"``: a delimiter. Several in a tuple: the earliest of them;
- `ANY_NEWLINE`: CR, LF or CRLF;
- an int: after so many bytes;
- a `LengthPrefix`, `VarintPrefix`, `Netstring` or `LengthFrom`: after a length that is announced;
- None: at the end of the stream.
"""


def check_int(name: str, value: object, *, at_least: int | None = None) -> None:
    """Refuse a *value* that is not an int (a bool is not) or is too small."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, not {value!r}")
    if at_least is not None and value < at_least:
        raise ValueError(f"{name} must be at least {at_least}, not {value}")


def check_terminator(value: object) -> None:
    """Refuse a *value* that cannot end a frame, with ValueError or TypeError."""
    match value:
        case bytes():
            if not value:
                raise ValueError('a delimiter must have at least one byte, b"" would be everywhere')
        case tuple():
            _check_delimiters(cast("tuple[object, ...]", value))
        case bool():
            raise TypeError(f"a terminator must not be a bool ({value}); a count is an int")
        case int():
            check_int("a count", value, at_least=0)
        case None | AnyNewline() | LengthPrefix() | VarintPrefix() | Netstring() | LengthFrom():
            pass
        case str():
            raise TypeError(f"a terminator must be bytes, not str: write b{value!r}")
        case _:
            raise TypeError(
                f"a terminator must be bytes, a tuple of bytes, ANY_NEWLINE, an int, None, "
                f"LengthPrefix, VarintPrefix, Netstring or LengthFrom, not {value!r}"
            )


def _check_delimiters(delimiters: tuple[object, ...]) -> None:
    if not delimiters:
        raise ValueError("a tuple of delimiters must have at least one")
    for delimiter in delimiters:
        if not isinstance(delimiter, bytes):
            raise TypeError(f"a tuple of delimiters must hold only bytes, not {delimiter!r}")
        check_terminator(delimiter)
        for other in delimiters:
            # A suffix is no trouble: (b"\r\n", b"\n") both end at the same byte.
            # Whatever else is inside the other would end the frame before the other can.
            if isinstance(other, bytes) and delimiter in other[:-1]:
                raise ValueError(
                    f"the delimiters {delimiter!r} and {other!r} are ambiguous: "
                    f"the first is a part of the second and would always be found before it; "
                    f"for lines that end in CR, LF or CRLF there is ANY_NEWLINE"
                )


def encode_frame(  # noqa: C901, PLR0912 - one case for each kind of terminator
    payload: bytes | bytearray | memoryview, terminator: Terminator
) -> bytes:
    r"""Make a frame of *payload*: the inverse of what a `Framer` does.

    A framer with the same terminator gives back the very payload.
    Where none could, this refuses.

    Args:
        payload: the bytes to send.
        terminator: what is to end the frame.
            For a tuple the first delimiter is written, for ANY_NEWLINE LF,
            and for None nothing: closing the stream ends that frame.

    Returns:
        The payload with its delimiter, prefix or both, as new bytes.
        It takes time linear in their number.

    Raises:
        ValueError: no such frame can be: the payload contains the delimiter
            (or makes one appear earlier, together with the delimiter's first bytes),
            has another length than the count, or is too long for the prefix.
            Escape the payload, or choose a framing that announces lengths.
        TypeError: a `LengthFrom`, whose header only the program knows how to write,
            or a value that is no terminator.

    >>> encode_frame(b"hello", b"\r\n")
    b'hello\r\n'
    >>> encode_frame(b"hello", VarintPrefix())
    b'\x05hello'
    """
    if type(payload) is bytes and type(terminator) is bytes and terminator:
        frame = payload + terminator
        if frame.find(terminator) == len(payload):  # The rest takes 15 times as long:
            return frame  # a third of an echo of lines by a FramedStream (tests/bench/echo.py).
    check_terminator(terminator)
    payload = bytes(memoryview(payload))
    size = len(payload)
    match terminator:
        case bytes():
            return _encode_delimited(payload, (terminator,))
        case tuple():
            return _encode_delimited(payload, terminator)
        case AnyNewline():
            if b"\r" in payload or b"\n" in payload:
                raise ValueError("the payload contains a CR or LF, which would end the frame")
            return payload + b"\n"
        case None:
            return payload
        case int():
            if size != terminator:
                raise ValueError(f"the payload has {size} bytes, a frame has exactly {terminator}")
            return payload
        case LengthPrefix():
            return _encode_length(size, terminator) + payload
        case VarintPrefix():
            return _encode_varint(size, terminator.max_bytes) + payload
        case Netstring():
            if len(str(size)) > MAX_NETSTRING_DIGITS:
                raise ValueError(f"{size} bytes are too many for a netstring's nine digits")
            return b"%d:%b," % (size, payload)
        case LengthFrom():
            raise TypeError("encode_frame() cannot write a header that LengthFrom only reads")
        case _:
            assert_never(terminator)


def _encode_delimited(payload: bytes, delimiters: tuple[bytes, ...]) -> bytes:
    frame = payload + delimiters[0]
    starts = [start for start in map(frame.find, delimiters) if start >= 0]
    if min(starts) != len(payload):
        raise ValueError(
            f"the payload contains, or completes, a delimiter at its byte {min(starts)}, "
            f"which would end the frame there"
        )
    return frame


def _encode_length(size: int, prefix: LengthPrefix) -> bytes:
    field = size - prefix.adjust
    if not 0 <= field < 1 << 8 * prefix.size:
        raise ValueError(
            f"a payload of {size} bytes needs a length field of {field}, "
            f"which does not fit into {prefix.size} bytes"
        )
    return field.to_bytes(prefix.size, prefix.byteorder)


def _encode_varint(value: int, max_bytes: int) -> bytes:
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    if len(digits) > max_bytes:
        raise ValueError(f"the length needs a varint of {len(digits)} bytes, of {max_bytes}")
    return bytes(digits)
