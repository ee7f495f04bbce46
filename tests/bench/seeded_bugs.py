"""How many seeded bugs each way of testing finds, at so many examples, over so many seeds.

    python tests/bench/seeded_bugs.py [--examples 100] [--seeds 12] [--bugs]

The parsers are in tests/seeded.py. An example is one stream:
of frames that the parser knows, some of them damaged a little, or of random bytes in the first row.
A bug counts as found with a seed if one of the examples shows it.
`--bugs` prints a row a bug: with how many seeds it was found, and after how many examples at worst.
The exit status says whether the default found all bugs with all seeds, and nothing in good parsers.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from seeded import BUGS, DEFAULT, GOOD, STRATEGIES, Parser, examples_until_found

Found = dict[str, list[int | None]]


def look(parsers: list[Parser], strategy: str, seeds: int, examples: int) -> Found:
    """Look for the bugs of all parsers, with all seeds."""
    return {
        parser.name: [
            examples_until_found(parser, strategy, number, examples=examples)
            for number in range(seeds)
        ]
        for parser in parsers
    }


def main() -> int:
    """Look, and print one row a strategy."""
    parser = argparse.ArgumentParser(description="How many seeded bugs are found.")
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--bugs", action="store_true", help="print a row for each bug")
    options = parser.parse_args()
    print(f"{len(BUGS)} bugs, {options.examples} examples, {options.seeds} seeds")
    print(f"\n{'':28}{'with all seeds':>16}{'with any':>10}{'bugs x seeds':>16}{'alarms':>8}")
    tables: dict[str, Found] = {}
    status = 0
    for strategy in STRATEGIES:
        found = tables[strategy] = look(BUGS, strategy, options.seeds, options.examples)
        alarms = look(GOOD, strategy, options.seeds, options.examples)
        always = sum(None not in counts for counts in found.values())
        ever = sum(any(counts) for counts in found.values())
        pairs = sum(count is not None for counts in found.values() for count in counts)
        false = sum(count is not None for counts in alarms.values() for count in counts)
        share = f"{pairs} of {len(BUGS) * options.seeds}"
        print(f"{strategy:28}{always:16}{ever:10}{share:>16}{false:8}", flush=True)
        if strategy == DEFAULT:
            status = int(always < len(BUGS) or false > 0)
    if options.bugs:
        _print_bugs(tables)
    return status


def _print_bugs(tables: dict[str, Found]) -> None:
    print(f"\n{'':28}" + "".join(f"{strategy.split(',')[0]:>18}" for strategy in tables))
    for bug in BUGS:
        cells: list[str] = []
        for found in tables.values():
            counts = [count for count in found[bug.name] if count is not None]
            cells.append(f"{len(counts)} (by {max(counts)})" if counts else "-")
        print(f"{bug.name:28}" + "".join(f"{cell:>18}" for cell in cells))


if __name__ == "__main__":
    sys.exit(main())
