"""The bare Framer in pyserial, by docs/examples, over a pseudo-terminal for a serial line."""

import inspect
import os
import select
import sys
from collections.abc import Iterator
from itertools import islice

import programs
import pytest

sys.path.insert(0, str(programs.EXAMPLES))

pytest.importorskip("serial", reason="needs pyserial")
pytest.importorskip("tty", reason="needs a system with pseudo-terminals")

import tty

import embed_pyserial
from serial import Serial

GGA = b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47"
AIS = b"!AIVDM,1,1,,B,177KQJ5000G?tO`K>RA1wUbN0TKH,0*5C"


@pytest.fixture
def ends() -> Iterator[tuple[int, Serial]]:
    """A pseudo-terminal: the end of the instrument, and the serial line to it."""
    instrument, terminal = os.openpty()
    try:
        tty.setraw(terminal)
        with Serial(os.ttyname(terminal), baudrate=4800, timeout=programs.TIMEOUT) as line:
            yield instrument, line
    finally:
        os.close(instrument)
        os.close(terminal)


def test_under_15_lines() -> None:
    """To embed a framer takes fewer than 15 lines, as promised."""
    assert len(inspect.getsource(embed_pyserial.sentences).splitlines()) < 15


@pytest.mark.parametrize(
    ("sentence", "sound"),
    [
        (GGA, True),
        (GGA.replace(b"*47", b"*46"), False),
        (GGA.replace(b"123519", b"123518"), False),
        (AIS, True),
        (AIS.replace(b"5C", b"5c"), True),
        (GGA[1:], False),
        (GGA[20:], False),
        (GGA[:-3], False),
        (b"$*00", True),
        (b"$", False),
        (b"", False),
    ],
)
def test_checksums(sentence: bytes, *, sound: bool) -> None:
    """A sentence has a beginning, and a checksum that is right."""
    assert embed_pyserial.is_sound(sentence) is sound


def test_sentences_however_they_come(ends: tuple[int, Serial]) -> None:
    """Several at once, and one byte by byte."""
    instrument, line = ends
    os.write(instrument, GGA + b"\r\n" + AIS + b"\r\n" + GGA[:10])
    sentences = embed_pyserial.sentences(line)
    assert list(islice(sentences, 2)) == [GGA, AIS]
    for byte in GGA[10:] + b"\r\n":
        os.write(instrument, bytes([byte]))
    assert next(sentences) == GGA


@pytest.mark.parametrize("noise", [b"\xff\x00" * 1000, GGA[30:], GGA[:-1] + b"0", b"", GGA * 2])
def test_noise(ends: tuple[int, Serial], noise: bytes) -> None:
    """What is too long, or only the end of a sentence, or wrong, is not taken for one."""
    instrument, line = ends
    os.write(instrument, noise + b"\r\n" + GGA + b"\r\n" + noise + b"\r\n" + AIS + b"\r\n")
    assert list(islice(embed_pyserial.sentences(line), 2)) == [GGA, AIS]


def test_silence_is_the_end(ends: tuple[int, Serial]) -> None:
    """When nothing comes for as long as the timeout of the line, the sentences end."""
    _, line = ends
    line.timeout = 0
    assert list(embed_pyserial.sentences(line)) == []


def test_program(ends: tuple[int, Serial]) -> None:
    """As a program it prints what it hears at the speed of a receiver."""
    instrument, line = ends
    assert line.port is not None
    with programs.started(sys.executable, "embed_pyserial.py", line.port) as process:
        assert process.stdout is not None
        while not select.select([process.stdout], [], [], 0.1)[0]:
            os.write(instrument, GGA + b"\r\n")  # whoever opens the line drops what came before
        assert process.stdout.readline() == GGA + b"\n"
