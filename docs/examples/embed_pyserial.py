"""A bare `Framer` in a framework that has no adapter: NMEA 0183 over a serial line, by pyserial.

`sentences` is all of it. Whatever gives bytes can be framed like that, and a framer is as much
at home in a callback: ``receive_data`` what came, then loop over ``frames()``.

Who listens to a GPS receiver starts in the middle of a sentence, and at the wrong speed hears
noise without an end. Neither is an error: what is too long is skipped, and what is no sentence
fails its checksum.

    python embed_pyserial.py /dev/ttyUSB0       # needs pyserial
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import reduce

from serial import Serial

from framer import Framer, FrameTooLarge


def sentences(line: Serial) -> Iterator[bytes]:
    """Yield the sentences that come over a serial line, until nothing has for its timeout."""
    framer = Framer(b"\r\n", max_frame_size=80)  # and CRLF: no sentence has more than 82 bytes
    while data := line.read(line.in_waiting or 1):
        framer.receive_data(data)
        while True:
            try:
                yield from filter(is_sound, framer.frames())
                break
            except FrameTooLarge:
                framer.skip_frame()


def is_sound(sentence: bytes) -> bool:
    """Say whether a sentence is whole: ``$`` or ``!``, what it says, ``*``, its checksum in hex."""
    said, _, checksum = sentence[1:].partition(b"*")
    expected = b"%02X" % reduce(int.__xor__, said, 0)
    return sentence[:1] in {b"$", b"!"} and checksum.upper() == expected


def main() -> None:
    """Print the sentences of a receiver."""
    with Serial(sys.argv[1], baudrate=4800, timeout=5) as line:
        for sentence in sentences(line):
            print(sentence.decode("ascii", "backslashreplace"), flush=True)


if __name__ == "__main__":
    main()
