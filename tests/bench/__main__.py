"""The benchmarks in memory, and then those over loopback.

make bench                  all: tables here; JSON in build/bench, and pictures
make bench QUICK=1          shorter streams and fewer rounds, without loopback: two minutes
make bench ARGS="--only lines-40,http --no-loopback"
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
from pathlib import Path

from bench.growth import growth
from bench.memory import big_frame, idle_bytes
from bench.report import Run, draw, print_tables, write_json
from bench.timing import Cell, measure
from bench.workloads import CHUNK_SIZES, WORKLOADS
from rich.console import Console

HERE = Path(__file__).parent


def main() -> None:
    """Measure, print, write."""
    options = _options()
    names = options.only.split(",") if options.only else list(WORKLOADS)
    rounds = options.rounds or (3 if options.quick else 7)
    cells: list[Cell] = []
    for name in names:
        slow: set[str] = set()
        for size in CHUNK_SIZES:
            print(f"{name} in chunks of {size} ...", file=sys.stderr)
            cell = measure(WORKLOADS[name], size, rounds=rounds, quick=options.quick, without=slow)
            slow |= {who for who, why in cell.left_out.items() if why.startswith("takes")}
            cells.append(cell)
    run = Run(
        python=f"{platform.python_implementation()} {platform.python_version()}",
        machine=f"{platform.system()} {platform.machine()}",
        cells=cells,
        idle=idle_bytes(),
        big=big_frame(),
        growth=growth(quick=options.quick),
    )
    options.out.mkdir(parents=True, exist_ok=True)
    write_json(run, options.out / "bench.json")
    console = Console(width=None if sys.stdout.isatty() else 110)
    print_tables(run, console)
    if len(names) == len(WORKLOADS):
        draw(run, options.out)
    print(f"written to {options.out}", file=sys.stderr)
    if not options.quick and not options.no_loopback:
        for script in ("echo.py", "idle.py"):
            subprocess.run([sys.executable, HERE / script], check=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="How fast framer is.")
    parser.add_argument("--quick", action="store_true", help="shorter, and without loopback")
    parser.add_argument("--no-loopback", action="store_true", help="only what is in memory")
    parser.add_argument("--only", default="", help="these workloads, with commas")
    parser.add_argument("--rounds", type=int, default=0, help="instead of 7, or 3 if quick")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="folder to write to")
    return parser.parse_args()


if __name__ == "__main__":
    main()
