"""What a turn of the drop-in asyncore costs, and a line in the drop-in asynchat.

    python tests/bench/asyncore_turns.py [--channels 400] [--rounds 9]

On Python 3.11 the modules of the standard library run beside them.
Rounds are interleaved; what is printed is the median:

- idle: a turn in which nobody has anything to read, in microseconds a channel;
- echo: a turn in which every channel gets a line and sends it back, likewise;
- fill: only to tell the kernel of all channels, by ``select.poll`` and by `selectors`.
"""

from __future__ import annotations

import argparse
import importlib
import selectors
import socket
import statistics
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from framer_adapters import asynchat
from framer_adapters._asyncore_polling import READ, wait

LINE = b"x" * 38 + b"\r\n"


def originals() -> dict[str, Any]:
    """Name the modules to compare: ours, and those of this Python."""
    found: dict[str, Any] = {"drop-in": asynchat}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            found["original"] = importlib.import_module("asynchat")
        except ImportError:
            print("(this Python has no asynchat to compare with)")
    return found


def channels(module: Any, pairs: list[tuple[socket.socket, socket.socket]]) -> dict[int, Any]:
    """Make a channel that echoes of the first socket of each pair."""
    made: dict[int, Any] = {}

    class Echo(module.async_chat):  # type: ignore[misc]  # pyright: ignore[reportUntypedBaseClass]
        def __init__(self, sock: socket.socket) -> None:
            module.async_chat.__init__(self, sock, made)
            self.set_terminator(b"\r\n")

        collect_incoming_data = module.async_chat._collect_incoming_data

        def found_terminator(self) -> None:
            self.push(self._get_data() + b"\r\n")

    for one, _ in pairs:
        Echo(one)
    return made


def fill_selector(fds: list[int]) -> None:
    """Tell a selector of all descriptors, and look once."""
    with selectors.PollSelector() as selector:
        for fd in fds:
            selector.register(fd, selectors.EVENT_READ)
        selector.select(0)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description="What a turn costs.")
    parser.add_argument("--channels", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    with ExitStack() as opened:
        pairs = [socket.socketpair() for _ in range(options.channels)]
        for sock in (sock for pair in pairs for sock in pair):
            opened.enter_context(sock)
        fds = [one.fileno() for one, _ in pairs]
        nobody = dict.fromkeys(fds)
        work: dict[str, Callable[[], object]] = {
            "fill select.poll": lambda: wait(nobody, dict.fromkeys(fds, READ), 0),
            "fill PollSelector": lambda: fill_selector(fds),
        }
        echoes: set[str] = set()
        for name, module in originals().items():
            made = channels(module, pairs)
            for turn in ("poll", "poll2") if max(fds) < 1024 or name == "drop-in" else ("poll2",):
                run = getattr(module.asyncore, turn)
                work[f"idle {name} {turn}"] = partial(run, 0.0, made)
                work[f"echo {name} {turn}"] = partial(run, 0.0, made)
                echoes.add(f"echo {name} {turn}")
        times: dict[str, list[float]] = {name: [] for name in work}
        for _ in range(options.rounds):
            for name, function in work.items():
                for _, other in pairs if name in echoes else ():
                    other.send(LINE)
                start = time.perf_counter()
                function()
                times[name].append((time.perf_counter() - start) / options.channels * 1e6)
                for _, other in pairs if name in echoes else ():
                    other.recv(100)
    for name, taken in times.items():
        print(f"{name:24} {statistics.median(taken):7.2f} us a channel")


if __name__ == "__main__":
    main()
