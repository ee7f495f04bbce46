"""Terminators: which values may end a frame, and how a frame is made that ends so."""

from __future__ import annotations

import array
import copy
import dataclasses
import pickle
import re
from collections.abc import Callable
from typing import Any, TypeAlias, assert_never, cast, get_args

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from framer import _terminators
from framer._framer import Framer
from framer._terminators import (
    ANY_NEWLINE,
    AnyNewline,
    LengthFrom,
    LengthPrefix,
    Netstring,
    Terminator,
    VarintPrefix,
    check_int,
    check_terminator,
    encode_frame,
)

Use: TypeAlias = Callable[[Any], object]


def assign(terminator: Any) -> None:
    """Give a framer another terminator; where that is refused, the old one stays."""
    framer = Framer(b"old")
    try:
        framer.terminator = terminator
    except (TypeError, ValueError):
        assert framer.terminator == b"old"
        raise
    assert framer.terminator is terminator


# The four doors through which a terminator comes in.
USES: dict[str, Use] = {
    "check": check_terminator,
    "construct": Framer,
    "assign": assign,
    "encode": lambda terminator: encode_frame(b"", terminator),
}

every_use = pytest.mark.parametrize("use", USES.values(), ids=USES)


def label(value: object) -> str:
    """Name a value in the name of a test, which has to be the same in every process."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


def length_of(header: bytes) -> int:
    """Read a header that is a decimal number."""
    return int(header)


# -- Strategies ----------------------------------------------------------------------------

# Few letters and short strings, so that delimiters are often found, and often by halves.
AB = st.integers(1, 4).flatmap(
    lambda size: st.lists(st.sampled_from(b"ab"), min_size=size, max_size=size).map(bytes)
)
DELIMITERS = st.lists(
    st.lists(st.sampled_from(b"abc"), min_size=1, max_size=4).map(bytes), min_size=1, max_size=3
).map(tuple)
LENGTH_PREFIXES = st.builds(
    LengthPrefix, st.integers(1, 8), st.sampled_from(["big", "little"]), adjust=st.integers(-9, 9)
)
VARINTS = st.builds(VarintPrefix, st.integers(1, 3))


def ambiguous(delimiters: tuple[bytes, ...]) -> bool:
    """Whether one of them is inside another, other than as its last bytes; said naively."""
    return any(
        longer[start:].startswith(shorter)
        for longer in delimiters
        for shorter in delimiters
        for start in range(len(longer) - len(shorter))
    )


TERMINATORS: st.SearchStrategy[Terminator] = st.one_of(
    AB,
    DELIMITERS.filter(lambda delimiters: not ambiguous(delimiters)),
    st.just(ANY_NEWLINE),
    st.integers(0, 5),
    st.none(),
    LENGTH_PREFIXES,
    VARINTS,
    st.just(Netstring()),
)
PAYLOADS = st.one_of(
    st.binary(max_size=6),
    st.lists(st.sampled_from(b"abc\r\n"), max_size=6).map(bytes),
    st.integers(0, 20_000).map(bytes),
)


# -- What may end a frame ------------------------------------------------------------------


def test_defaults() -> None:
    """The defaults are those of the contract."""
    assert LengthPrefix() == LengthPrefix(4, "big", adjust=0)
    assert VarintPrefix() == VarintPrefix(10)
    default = LengthFrom(b"\n", length_of)
    assert default == LengthFrom(
        b"\n", length_of, footer=b"", keep_header=False, max_header_size=16384
    )


@every_use
@given(terminator=TERMINATORS)
def test_accepted(use: Use, terminator: Terminator) -> None:
    """Whatever the table lists is accepted at every door, and kept as it is."""
    if use is USES["encode"]:
        try:
            use(terminator)
        except ValueError as error:
            assert "payload" in str(error)  # noqa: PT017 - it may also be accepted
    else:
        use(terminator)
    assert Framer(terminator).terminator is terminator


@every_use
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"", ["at least one byte"]),
        ((), ["tuple", "at least one"]),
        ((b"a", b""), ["at least one byte"]),
        ((b"",), ["at least one byte"]),
        (-1, ["at least 0", "-1"]),
        (-(2**70), ["at least 0"]),
    ],
)
def test_wrong_values(use: Use, value: object, words: list[str]) -> None:
    """A value of the right type that can end no frame is a ValueError that says why."""
    with pytest.raises(ValueError) as raised:
        use(value)
    for word in words:
        assert word in str(raised.value)


@every_use
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, ["bool", "True"]),
        (False, ["bool", "False"]),
        ("\r\n", ["str", r"write b'\r\n'"]),
        ("", ["str"]),
        (1.0, ["1.0", "ANY_NEWLINE"]),
        (float("nan"), ["nan"]),
        (bytearray(b"\n"), ["bytearray"]),
        (memoryview(b"\n"), ["memory"]),
        ([b"\n"], ["tuple of bytes"]),
        ({b"\n"}, ["tuple of bytes"]),
        (LengthPrefix, ["LengthPrefix"]),
        (object(), ["object"]),
        ((b"\n", "\r"), ["'\\r'", "bytes"]),
        ((b"\n", bytearray(b"\r")), ["bytearray"]),
        ((b"\n", 1), ["1"]),
        ((b"\n", None), ["None"]),
        (((b"\n",),), ["bytes"]),
        ((ANY_NEWLINE,), ["ANY_NEWLINE"]),
    ],
    ids=label,
)
def test_wrong_types(use: Use, value: object, words: list[str]) -> None:
    """A value of another type is a TypeError that shows it and says what to write."""
    with pytest.raises(TypeError) as raised:
        use(value)
    for word in words:
        assert word in str(raised.value)


@given(DELIMITERS)
@example((b"\n", b"\r\n"))
@example((b"\r\n", b"\n"))
@example((b"\r", b"\r\n"))
@example((b"a", b"bab"))
@example((b"ab", b"xaby"))
@example((b"a", b"a"))
@example((b"aa", b"aaa"))
@example((b"ca", b"caca"))
def test_ambiguous_delimiters(delimiters: tuple[bytes, ...]) -> None:
    """One delimiter inside another is refused, but for a suffix, which ends where it does.

    The message names two of them, the inner first, and points at ANY_NEWLINE.
    """
    if not ambiguous(delimiters):
        check_terminator(delimiters)
        return
    with pytest.raises(ValueError) as raised:
        check_terminator(delimiters)
    message = str(raised.value)
    assert "ANY_NEWLINE" in message
    assert any(
        f"delimiters {inner!r} and {outer!r}" in message
        for outer in delimiters
        for inner in delimiters
        if ambiguous((inner, outer)) and len(inner) < len(outer)
    )


@every_use
def test_ambiguous_at_every_door(use: Use) -> None:
    """The mistake that everyone makes, CR beside CRLF, is caught wherever it is made."""
    with pytest.raises(ValueError, match=r"b'\\r' and b'\\r\\n'.*ANY_NEWLINE"):
        use((b"\r\n", b"\r"))


# -- Options of the declared kinds ---------------------------------------------------------


def made(kind: Any, *args: Any, **options: Any) -> Any:
    """Put off a construction that the type checkers would refuse, too."""
    return pytest.param(
        lambda: kind(*args, **options), id=f"{kind.__name__}{label(args)}{label(options)}"
    )


@pytest.mark.parametrize(
    "make",
    [
        made(LengthPrefix, 0),
        made(LengthPrefix, -1),
        made(LengthPrefix, 9),
        made(LengthPrefix, 4, "middle"),
        made(LengthPrefix, 4, ""),
        made(LengthPrefix, 4, None),
        made(VarintPrefix, 0),
        made(VarintPrefix, -1),
        made(LengthFrom, b"", length_of),
        made(LengthFrom, (), length_of),
        made(LengthFrom, (b"\r", b"\r\n"), length_of),
        made(LengthFrom, 0, length_of),
        made(LengthFrom, -1, length_of),
        made(LengthFrom, 5, length_of, max_header_size=4),
        made(LengthFrom, 16385, length_of),
        made(LengthFrom, b"\n", length_of, max_header_size=0),
        made(LengthFrom, b"\n", length_of, max_header_size=-1),
    ],
)
def test_options_out_of_range(make: Callable[[], Terminator]) -> None:
    """An option of the right type that makes no sense is a ValueError at construction."""
    with pytest.raises(ValueError):
        make()


@pytest.mark.parametrize(
    "make",
    [
        made(LengthPrefix, True),
        made(LengthPrefix, "4"),
        made(LengthPrefix, 4.0),
        made(LengthPrefix, None),
        made(LengthPrefix, 4, "big", 0),  # adjust is keyword-only
        made(LengthPrefix, 4, adjust=True),
        made(LengthPrefix, 4, adjust=1.0),
        made(LengthPrefix, 4, adjust="1"),
        made(LengthPrefix, 4, adjust=None),
        made(VarintPrefix, True),
        made(VarintPrefix, "3"),
        made(VarintPrefix, 3.0),
        made(Netstring, 9),  # has no options
        made(LengthFrom, b"\n"),  # a function must be there
        made(LengthFrom, b"\n", 10),
        made(LengthFrom, b"\n", None),
        made(LengthFrom, b"\n", length_of, b"\n"),  # footer is keyword-only
        made(LengthFrom, "\n", length_of),
        made(LengthFrom, bytearray(b"\n"), length_of),
        made(LengthFrom, [b"\n"], length_of),
        made(LengthFrom, ("\n",), length_of),
        made(LengthFrom, None, length_of),
        made(LengthFrom, True, length_of),
        made(LengthFrom, 4.0, length_of),
        made(LengthFrom, ANY_NEWLINE, length_of),
        made(LengthFrom, Netstring(), length_of),
        made(LengthFrom, LengthPrefix(), length_of),
        made(LengthFrom, b"\n", length_of, footer="\n"),
        made(LengthFrom, b"\n", length_of, footer=None),
        made(LengthFrom, b"\n", length_of, footer=bytearray(b"\n")),
        made(LengthFrom, b"\n", length_of, max_header_size=True),
        made(LengthFrom, b"\n", length_of, max_header_size=10.0),
        made(LengthFrom, b"\n", length_of, max_header_size=None),
    ],
)
def test_options_of_wrong_types(make: Callable[[], Terminator]) -> None:
    """An option of another type is a TypeError at construction; a bool is not a number."""
    with pytest.raises(TypeError):
        make()


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: LengthPrefix(0), "size"),
        (lambda: LengthPrefix(adjust=cast("int", None)), "adjust"),
        (lambda: VarintPrefix(0), "max_bytes"),
        (lambda: LengthFrom(b"\n", length_of, max_header_size=0), "max_header_size"),
    ],
    ids=["size", "adjust", "max_bytes", "max_header_size"],
)
def test_an_option_is_named(make: Callable[[], Terminator], name: str) -> None:
    """What is wrong with an option is said by its name."""
    with pytest.raises((TypeError, ValueError), match=rf"^{name} must be "):
        make()


@pytest.mark.parametrize("size", range(1, 9))
@pytest.mark.parametrize("byteorder", ["big", "little"])
@pytest.mark.parametrize("adjust", [0, -8, 8, -(2**70)])
def test_length_prefix_options(size: int, byteorder: Any, adjust: int) -> None:
    """Each size from 1 to 8 goes with each order and any adjustment."""
    prefix = LengthPrefix(size, byteorder, adjust=adjust)
    assert (prefix.size, prefix.byteorder, prefix.adjust) == (size, byteorder, adjust)


@pytest.mark.parametrize("header", [b"\r\n\r\n", (b"\n\n", b"\r\n\r\n"), 1, 4, 16384])
def test_length_from_headers(header: bytes | tuple[bytes, ...] | int) -> None:
    """A header may end at a delimiter, at one of several, or after a count up to the limit."""
    terminator = LengthFrom(header, length_of)
    assert terminator.header is header
    check_terminator(terminator)
    size = header if isinstance(header, int) else 1
    assert LengthFrom(header, length_of, max_header_size=size).max_header_size == size


@pytest.mark.parametrize(
    ("value", "at_least", "error"),
    [
        (0, None, None),
        (-5, None, None),
        (1, 1, None),
        (0, 1, ValueError),
        (True, None, TypeError),
        ("1", None, TypeError),
        (1.0, None, TypeError),
    ],
)
def test_check_int(value: object, at_least: int | None, error: type[Exception] | None) -> None:
    """A whole number passes from its least value on; the message names what it is for."""
    if error is None:
        check_int("size", value, at_least=at_least)
        return
    with pytest.raises(error, match=r"^size must be "):
        check_int("size", value, at_least=at_least)


# -- They are values -----------------------------------------------------------------------

DECLARED: st.SearchStrategy[Any] = st.one_of(
    LENGTH_PREFIXES,
    VARINTS,
    st.just(Netstring()),
    st.builds(
        LengthFrom,
        st.sampled_from([b"\n", (b"\n", b";"), 4]),
        st.just(length_of),
        footer=st.sampled_from([b"", b"\n"]),
        keep_header=st.booleans(),
        max_header_size=st.integers(4, 5),
    ),
)


def fields(value: Any) -> tuple[type[Any], dict[str, object]]:
    """Take a declared terminator apart."""
    names = [field.name for field in dataclasses.fields(value)]
    return value.__class__, {name: getattr(value, name) for name in names}


@given(DECLARED, DECLARED)
def test_equal_by_value(one: Any, other: Any) -> None:
    """Two are equal when kind and all options are, and equal ones have one hash."""
    assert (one == other) is (fields(one) == fields(other))
    if one == other:
        assert hash(one) == hash(other)
    assert one == dataclasses.replace(one)


@given(DECLARED)
def test_immutable(value: Any) -> None:
    """No option can be set or deleted, and there is no place for another."""
    for field in dataclasses.fields(value):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, field.name, getattr(value, field.name))
        with pytest.raises(dataclasses.FrozenInstanceError):
            delattr(value, field.name)
    assert not hasattr(value, "__dict__")
    with pytest.raises((AttributeError, TypeError)):
        value.other = 1


@given(DECLARED)
def test_copies(value: Any) -> None:
    """Copied and pickled, a terminator is still equal."""
    assert copy.copy(value) == value
    assert copy.deepcopy(value) == value
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(value, protocol)) == value  # noqa: S301 - our own


@given(st.one_of(LENGTH_PREFIXES, VARINTS, st.just(Netstring())))
def test_repr_reads_back(value: Terminator) -> None:
    """The repr is the expression that makes the terminator."""
    assert eval(repr(value), {**vars(_terminators)}) == value  # noqa: S307 - our own repr


def test_any_newline_is_one_object() -> None:
    """ANY_NEWLINE can be compared with ``is``, also after a copy and a pickle."""
    assert copy.copy(ANY_NEWLINE) is ANY_NEWLINE
    assert copy.deepcopy(ANY_NEWLINE) is ANY_NEWLINE
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(ANY_NEWLINE, protocol)) is ANY_NEWLINE  # noqa: S301
    assert list(AnyNewline) == [ANY_NEWLINE]
    assert {ANY_NEWLINE: 1}[ANY_NEWLINE] == 1


def test_any_newline_repr() -> None:
    """ANY_NEWLINE prints as what users write."""
    assert repr(ANY_NEWLINE) == "ANY_NEWLINE"


def test_using_a_terminator_does_not_change_it() -> None:
    """Two framers share a value, and each takes it for what it was: counts do not run down."""
    terminator = LengthFrom(2, length_of, footer=b"!")
    before = fields(terminator)
    for shared, data in ((3, b"abcdef"), (terminator, b"02ab!")):
        framers = [Framer(shared), Framer(shared)]
        for framer in framers:
            framer.receive_data(data[:-1])
            list(framer.frames())
            assert framer.terminator is shared
    assert fields(terminator) == before


def kind(terminator: Terminator) -> str:
    """Name the kind, in a match that the type checkers see to be complete."""
    match terminator:
        case bytes() | tuple():
            return "delimited"
        case AnyNewline():
            return "newline"
        case int() | None:
            return "counted"
        case LengthPrefix() | VarintPrefix() | Netstring() | LengthFrom():
            return "announced"
        case _:
            assert_never(terminator)


def test_union() -> None:
    """`Terminator` is a union of nine types, and a match can handle all of them."""
    assert len(get_args(Terminator)) == 9
    values: list[Terminator] = [b"\n", ANY_NEWLINE, 0, None, Netstring()]
    assert [kind(value) for value in values] == [
        "delimited",
        "newline",
        "counted",
        "counted",
        "announced",
    ]


# -- Making frames -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "terminator", "frame"),
    [
        (b"hello", b"\r\n", b"hello\r\n"),
        (b"", b"\r\n", b"\r\n"),
        (b"a\rb\nc", b"\r\n", b"a\rb\nc\r\n"),
        (b"hello", (b"\r\n", b";"), b"hello\r\n"),
        (b"hello", (b";", b"\r\n"), b"hello;"),
        (b"hello", (b"\n", b"\r\n"), b"hello\n"),
        (b"hello", ANY_NEWLINE, b"hello\n"),
        (b"hello", 5, b"hello"),
        (b"", 0, b""),
        (b"hello", None, b"hello"),
        (b"", None, b""),
        (b"hello", LengthPrefix(), b"\x00\x00\x00\x05hello"),
        (b"hello", LengthPrefix(2, "little"), b"\x05\x00hello"),
        (b"hello", LengthPrefix(3), b"\x00\x00\x05hello"),
        (b"hello", LengthPrefix(2, adjust=-2), b"\x00\x07hello"),
        (b"hello", LengthPrefix(1, adjust=5), b"\x00hello"),
        (b"x" * 255, LengthPrefix(1), b"\xff" + b"x" * 255),
        (b"hello", VarintPrefix(), b"\x05hello"),
        (b"", VarintPrefix(1), b"\x00"),
        (b"x" * 127, VarintPrefix(1), b"\x7f" + b"x" * 127),
        (b"x" * 128, VarintPrefix(2), b"\x80\x01" + b"x" * 128),
        (b"x" * 300, VarintPrefix(), b"\xac\x02" + b"x" * 300),
        (b"hello", Netstring(), b"5:hello,"),
        (b"", Netstring(), b"0:,"),
        (b"hello world!", Netstring(), b"12:hello world!,"),
    ],
)
def test_encode_frame(payload: bytes, terminator: Terminator, frame: bytes) -> None:
    """Every kind writes what its source says."""
    made_frame = encode_frame(payload, terminator)
    assert type(made_frame) is bytes
    assert made_frame == frame


@pytest.mark.parametrize("size", range(1, 9))
def test_encode_the_largest_length(size: int) -> None:
    """A prefix of any size is used to its last bit, and not beyond."""
    prefix = LengthPrefix(size, adjust=3 - (1 << 8 * size))  # for lengths that one can have
    assert encode_frame(b"ab", prefix) == b"\xff" * size + b"ab"
    with pytest.raises(ValueError, match=f"does not fit into {size} bytes"):
        encode_frame(b"abc", prefix)


@pytest.mark.parametrize(
    ("payload", "terminator", "words"),
    [
        (b"a\r\nb", b"\r\n", ["contains", "at its byte 1"]),
        (b"ab", b"abab", ["completes", "at its byte 0"]),
        (b"aa", b"aa", ["at its byte 0"]),
        (b"x;", (b"\n", b";"), ["at its byte 1"]),
        (b"x\r", (b"\n", b"\r\n"), ["at its byte 1"]),
        (b"a\rb", ANY_NEWLINE, ["CR or LF"]),
        (b"ab\n", ANY_NEWLINE, ["CR or LF"]),
        (b"ab\r", ANY_NEWLINE, ["CR or LF"]),
        (b"abc", 4, ["3 bytes", "exactly 4"]),
        (b"abcde", 4, ["5 bytes", "exactly 4"]),
        (b"a", 0, ["1 bytes", "exactly 0"]),
        (bytes(256), LengthPrefix(1), ["256 bytes", "1 bytes"]),
        (bytes(65536), LengthPrefix(2), ["65536"]),
        (bytes(254), LengthPrefix(1, adjust=-2), ["field of 256"]),
        (bytes(4), LengthPrefix(1, adjust=5), ["field of -1"]),
        (bytes(128), VarintPrefix(1), ["varint of 2 bytes"]),
        (bytes(2**14), VarintPrefix(2), ["varint of 3 bytes"]),
    ],
)
def test_encode_frame_refuses(payload: bytes, terminator: Terminator, words: list[str]) -> None:
    """A payload that would not come back is a ValueError that says why."""
    with pytest.raises(ValueError) as raised:
        encode_frame(payload, terminator)
    for word in words:
        assert word in str(raised.value)


def test_encode_netstring_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A netstring of ten digits is refused; here, to spare the memory, one of two."""
    assert _terminators.MAX_NETSTRING_DIGITS == 9
    monkeypatch.setattr(_terminators, "MAX_NETSTRING_DIGITS", 1)
    assert encode_frame(bytes(9), Netstring()) == b"9:" + bytes(9) + b","
    with pytest.raises(ValueError, match="10 bytes"):
        encode_frame(bytes(10), Netstring())


def test_encode_length_from() -> None:
    """Only the program knows how to write a header that a function reads."""
    with pytest.raises(TypeError, match="LengthFrom"):
        encode_frame(b"hello", LengthFrom(b"\n", length_of))


@pytest.mark.parametrize("payload", ["hello", 5, None, [1, 2], 1.5])
def test_encode_payload_of_wrong_type(payload: Any) -> None:
    """What is not bytes-like is a TypeError; above all, an int is not so many zeros."""
    with pytest.raises(TypeError):
        encode_frame(payload, b"\n")


@pytest.mark.parametrize(
    "payload",
    [bytearray(b"abcd"), memoryview(b"abcd"), memoryview(b"a-b-c-d-")[::2]],
    ids=["bytearray", "memoryview", "strided"],
)
@pytest.mark.parametrize("terminator", [b"\n", (b"\n",), ANY_NEWLINE, 4, None, Netstring()])
def test_encode_bytes_like(payload: bytearray | memoryview, terminator: Terminator) -> None:
    """Every bytes-like object is taken for the bytes in it, and immutable bytes come out."""
    frame = encode_frame(payload, terminator)
    assert type(frame) is bytes
    assert frame == encode_frame(b"abcd", terminator)


def test_encode_counts_bytes_not_items() -> None:
    """A view of larger items is announced with its length in bytes."""
    payload = memoryview(array.array("H", [1, 2, 3]))
    assert encode_frame(payload, LengthPrefix(1)) == b"\x06" + payload.tobytes()


def frames_of(stream: bytes, terminator: Terminator) -> list[bytes]:
    """Give the frames of a whole stream, as a framer without a limit sees them."""
    framer = Framer(terminator, max_frame_size=None)
    framer.receive_data(stream)
    framer.receive_eof()
    return list(framer.frames())


def written(payload: bytes, terminator: Terminator) -> bytes | None:
    """Write a frame as the table says, with no thought; None where the prefix has no room."""
    match terminator:
        case bytes():
            return payload + terminator
        case tuple():
            return payload + terminator[0]
        case AnyNewline():
            return payload + b"\n"
        case int() | None:
            return payload
        case LengthPrefix(size, byteorder):
            try:
                return (len(payload) - terminator.adjust).to_bytes(size, byteorder) + payload
            except OverflowError:
                return None
        case VarintPrefix(most):
            size = len(payload)
            groups = [size >> shift & 0x7F for shift in range(0, max(size.bit_length(), 1), 7)]
            prefix = bytes(group | 0x80 for group in groups[:-1]) + bytes(groups[-1:])
            return prefix + payload if len(prefix) <= most else None
        case Netstring():
            return b"".join([str(len(payload)).encode(), b":", payload, b","])
        case LengthFrom():
            raise NotImplementedError


def comes_back(payload: bytes, terminator: Terminator) -> bool:
    """Whether a framer gives back just the payload, and nothing else, of what is written."""
    stream = written(payload, terminator)
    if stream is None:
        return False
    if terminator == 0:
        return not stream
    framer = Framer(terminator, max_frame_size=None)
    framer.receive_data(stream)
    if terminator is None:
        framer.receive_eof()
    return framer.next_frame() == payload and not framer.buffered


@given(PAYLOADS, TERMINATORS)
@example(b"ab", b"abab")
@example(b"x\r", (b"\n", b"\r\n"))
@example(b"x\r", ANY_NEWLINE)
@example(b"aba", (b"bab", b"c"))
def test_encode_accepts_what_comes_back(payload: bytes, terminator: Terminator) -> None:
    """`encode_frame` accepts exactly those payloads that a framer would give back.

    What it makes of them is then what the table says.
    """
    if comes_back(payload, terminator):
        assert encode_frame(payload, terminator) == written(payload, terminator)
    else:
        with pytest.raises(ValueError):
            encode_frame(payload, terminator)


@given(st.data(), DELIMITERS.filter(lambda delimiters: not ambiguous(delimiters)))
def test_encode_refuses_by_the_letter(data: st.DataObject, delimiters: tuple[bytes, ...]) -> None:
    """For delimiters the same without a framer: no delimiter may end before the written one."""
    payload = data.draw(st.lists(st.sampled_from(b"abc"), max_size=8).map(bytes))
    frame = payload + delimiters[0]
    early = any(
        frame[:end].endswith(delimiter)
        for delimiter in delimiters
        for end in range(len(delimiter), len(frame))
    )
    longer = any(frame.endswith(d) and len(d) > len(delimiters[0]) for d in delimiters)
    if early or longer:
        with pytest.raises(ValueError):
            encode_frame(payload, delimiters)
    else:
        assert encode_frame(payload, delimiters) == frame


@given(st.lists(PAYLOADS, max_size=5), TERMINATORS)
def test_round_trip(payloads: list[bytes], terminator: Terminator) -> None:
    """Frames that are written one after the other come out one after the other."""
    assume(terminator is not None)
    assume(terminator != 0)
    if isinstance(terminator, int):
        payloads = [payload[:terminator].ljust(terminator) for payload in payloads]
    sent: list[bytes] = []
    stream = b""
    for payload in payloads:
        try:
            stream += encode_frame(payload, terminator)
        except ValueError:
            continue
        sent.append(payload)
    assert frames_of(stream, terminator) == sent


@given(PAYLOADS)
def test_round_trip_to_the_end(payload: bytes) -> None:
    """Under None the end of the stream ends the one frame, whatever is in it."""
    assert frames_of(encode_frame(payload, None), None) == [payload]


@given(st.integers(0, 2**70), st.integers(1, 11))
def test_varints(value: int, max_bytes: int) -> None:
    """A varint has seven bits a byte, the lowest first, and as few bytes as can be."""
    size = max(1, -(-value.bit_length() // 7))
    if size > max_bytes:
        with pytest.raises(ValueError):
            _terminators._encode_varint(value, max_bytes)
        return
    varint = _terminators._encode_varint(value, max_bytes)
    assert len(varint) == size
    assert sum((byte & 0x7F) << 7 * place for place, byte in enumerate(varint)) == value
    assert [byte >> 7 for byte in varint] == [1] * (size - 1) + [0]
