"""The command line: `framer split`, `framer join`, `framer explain`.

The one part of framer that does input and output, and nothing else in framer imports it.
Standard library throughout, but for colours and the progress bar, which are rich's:
without it (the extra `cli`) the commands do the same in plain text.

A command is the function `run` of its module: options in, an exit status out.
This is the way of the bytes, and the modules that they pass::

                         FILE, or standard input
                                 streams
                                    │ chunks
         ┌──────────────────┬───────┴──────────┬───────────────────┐
       split              join              explain          explain --cuts
         │                  │                  │                   │
       Framer             Framer            dissect            arrivals
         │ frames           │ lines            │ frames, parts     │ pieces, events
       forms, offsets     forms             layout              layout
         │ lines            │ payloads         │ rows              │ rows
         │              encode_frame           │                   │
         └──────────────────┴───────┬──────────┴───────────────────┘
                             standard output

How far split and join have read goes to standard error (`progress`),
and so does why a command cannot go on (`failures`).

A module imports only from the rows below its own, and from its right::

    split   join   explain
    options   values   offsets   arrivals   layout   dissect
    progress
    streams
    failures
    forms

Ctrl-C and a reader that has gone are ends like any other: no message, and the exit status that
shells know them by.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Final

from framer._cli import explain, join, split
from framer._cli.failures import CLOSED_PIPE, FAILED, INTERRUPTED, CommandError
from framer._cli.options import Options, parse
from framer._cli.streams import hush

_COMMANDS: Final[dict[str, Callable[[Options], int]]] = {
    "split": split.run,
    "join": join.run,
    "explain": explain.run,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line, and give its exit status.

    Wrong usage, `--help` and `--version` end in SystemExit, as is argparse's way.
    """
    try:
        return _run(argv)
    except KeyboardInterrupt:
        hush()
        return INTERRUPTED
    except BrokenPipeError:
        hush()
        return CLOSED_PIPE


def _run(argv: Sequence[str] | None) -> int:
    """Run it, with a message where it fails, after all that it has written."""
    try:
        options = parse(argv)
        status = _COMMANDS[options.command](options)
        _flush()
    except CommandError as error:
        return _complain(str(error), error.status)
    except BrokenPipeError:
        raise
    except OSError as error:
        return _complain(f"framer: {error}", FAILED)
    except SystemExit:
        _flush()
        raise
    return status


def _complain(message: str, status: int) -> int:
    try:
        _flush()
    except OSError:  # a disk that is full, of which the message may be, or a pipe that is closed
        hush()
    sys.stderr.write(f"{message}\n")
    return status


def _flush() -> None:
    """Write what is left, while there is someone to hear of a pipe that is closed."""
    stream: object = sys.stdout
    if stream is not None:
        sys.stdout.flush()
