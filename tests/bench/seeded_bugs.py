"""How many seeded bugs each way of testing finds, at so many examples, over so many seeds.

    python tests/bench/seeded_bugs.py [--examples 100] [--seeds 12] [--bugs]

The parsers are in tests/seeded.py. An example is one stream:
of frames that the parser knows, some of them damaged a little, or of random bytes in the first row.
A bug counts as found with a seed if one of the examples shows it.
"worst" is the number of the example that was needed at worst, where it was found;
0 is what the default checks without an example.
`--bugs` prints a row a bug: with how many seeds it was found, and at worst by which example.
Each seed runs in a process of its own, as many at once as there are processors.
The exit status says whether the default found all bugs with all seeds, and nothing in good parsers.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from seeded import BUGS, DEFAULT, GOOD, STRATEGIES, examples_until_found

Found = dict[tuple[str, str], int | None]
"""For a strategy and a parser: by which example a bug was found, or None."""


def look(number: int, examples: int) -> Found:
    """Look for the bugs of all parsers in all ways, with one seed."""
    return {
        (strategy, parser.name): examples_until_found(parser, strategy, number, examples=examples)
        for strategy in STRATEGIES
        for parser in [*BUGS, *GOOD]
    }


def main() -> int:
    """Look, and print one row a strategy."""
    parser = argparse.ArgumentParser(description="How many seeded bugs are found.")
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--bugs", action="store_true", help="print a row for each bug")
    options = parser.parse_args()
    started = time.monotonic()
    with ProcessPoolExecutor() as processes:
        seen = list(processes.map(partial(look, examples=options.examples), range(options.seeds)))
    minutes = (time.monotonic() - started) / 60
    print(
        f"{len(BUGS)} bugs, {options.examples} examples, {options.seeds} seeds"
        f" ({minutes:.1f} minutes)\n"
    )
    status = _print_strategies(seen)
    if options.bugs:
        _print_bugs(seen)
    return status


def _counts(seen: list[Found], strategy: str, name: str) -> list[int]:
    """With each seed that found it, by which example."""
    counts = [found[strategy, name] for found in seen]
    return [count for count in counts if count is not None]


def _print_strategies(seen: list[Found]) -> int:
    titles = f"{'with all seeds':>15}{'with any':>10}{'bugs x seeds':>15}{'worst':>7}{'alarms':>8}"
    print(f"{'':26}{titles}")
    status = 1
    for strategy in STRATEGIES:
        counts = [_counts(seen, strategy, bug.name) for bug in BUGS]
        alarms = sum(len(_counts(seen, strategy, good.name)) for good in GOOD)
        always = sum(len(found) == len(seen) for found in counts)
        pairs = f"{sum(map(len, counts))} of {len(BUGS) * len(seen)}"
        worst = max((max(found) for found in counts if found), default=0)
        print(f"{strategy:26}{always:15}{sum(map(bool, counts)):10}{pairs:>15}{worst:7}{alarms:8}")
        if strategy == DEFAULT:
            status = int(always < len(BUGS) or alarms > 0)
    return status


def _print_bugs(seen: list[Found]) -> None:
    print(f"\n{'':28}" + "".join(f"{strategy.split(',')[0]:>18}" for strategy in STRATEGIES))
    for bug in BUGS:
        cells: list[str] = []
        for strategy in STRATEGIES:
            counts = _counts(seen, strategy, bug.name)
            cells.append(f"{len(counts)} (by {max(counts)})" if counts else "-")
        print(f"{bug.name:28}" + "".join(f"{cell:>18}" for cell in cells))


if __name__ == "__main__":
    sys.exit(main())
