"""A run, as JSON, as tables and as pictures."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.timing import Cell
from bench.workloads import CHUNK_SIZES, WORKLOADS
from rich.console import Console
from rich.table import Table

__all__ = ["Run", "draw", "print_tables", "write_json"]

INK = "#222222"
OURS, BARE, THEIRS = "#0a6ebd", "#222222", "#b0b0b0"
SIZES = {65536: "64 KiB", 4096: "4 KiB", 1460: "1460 B", 17: "17 B", 1: "1 B"}


@dataclass
class Run:
    """All that one run has measured, and where."""

    python: str
    machine: str
    cells: list[Cell]
    idle: dict[str, float]
    big: dict[str, tuple[float, float]]
    growth: dict[str, list[tuple[int, float]]]


def write_json(run: Run, path: Path) -> None:
    """All figures; times in nanoseconds a frame."""
    cells = [
        {
            "workload": cell.workload,
            "chunk_size": cell.chunk_size,
            "frames": cell.frames,
            "limit": round(cell.limit, 1),
            "nanoseconds": {name: round(value, 1) for name, value in cell.nanoseconds.items()},
            "left_out": cell.left_out,
        }
        for cell in run.cells
    ]
    content = {
        "python": run.python,
        "machine": run.machine,
        "cells": cells,
        "idle_bytes": run.idle,
        "big_frame": run.big,
        "growth": run.growth,
    }
    path.write_text(json.dumps(content, indent=1) + "\n")


def print_tables(run: Run, console: Console) -> None:
    """One table a workload, in multiples of the limit, and the memory."""
    for name, workload in WORKLOADS.items():
        cells = [cell for cell in run.cells if cell.workload == name]
        if cells:
            console.print(_table(workload.title, cells))
    table = Table("idle", "bytes", title="Memory")
    for name, size in run.idle.items():
        table.add_row(name, f"{size:.0f}")
    console.print(table)
    table = Table("a frame of 64 MiB", "peak", "kept", title="in multiples of it")
    for name, (peak, kept) in run.big.items():
        table.add_row(name, f"{peak:.2f}", f"{kept:.2f}")
    console.print(table)


def _table(title: str, cells: Sequence[Cell]) -> Table:
    table = Table(title=f"{title}: time, the limit = 1", title_justify="left")
    table.add_column("chunks of")
    for cell in cells:
        table.add_column(SIZES[cell.chunk_size], justify="right")
    table.add_row("limit, ns a frame", *(f"{cell.limit:.0f}" for cell in cells), end_section=True)
    names = dict.fromkeys(name for cell in cells for name in (*cell.nanoseconds, *cell.left_out))
    for name in names:
        ratios = (f"{cell.ratio(name):.2f}" if name in cell.nanoseconds else "-" for cell in cells)
        table.add_row(name, *ratios, style="bold" if name.startswith("framer") else "")
    return table


def draw(run: Run, folder: Path) -> None:
    """The pictures of docs/performance.md."""
    plots: Any = importlib.import_module("matplotlib.pyplot")
    plots.switch_backend("svg")
    plots.rcParams.update(
        {
            "axes.edgecolor": INK,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "font.size": 10,
            "svg.fonttype": "none",  # text, not outlines: a tenth of the size
            "svg.hashsalt": "framer",
        }
    )
    _draw_lines(plots, run, folder / "lines.svg")
    _draw_kinds(plots, run, folder / "kinds.svg")
    _draw_growth(plots, run, folder / "growth.svg")
    _draw_idle(plots, run, folder / "idle.svg")


def _save(plots: Any, figure: Any, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plots.close(figure)


def _colour(name: str) -> str:
    return OURS if name.startswith("framer") else BARE if name.startswith("bare") else THEIRS


def _draw_lines(plots: Any, run: Run, path: Path) -> None:
    """Lines of 40 bytes: everybody, as bars, one panel for each of three sizes of chunks."""
    cells = [c for c in run.cells if c.workload == "lines-40" and c.chunk_size in (65536, 1460, 17)]
    figure, axes = plots.subplots(1, len(cells), figsize=(11, 5.5), sharey=True, squeeze=False)
    names = list(dict.fromkeys(name for cell in cells for name in cell.nanoseconds))[::-1]
    for axis, cell in zip(axes[0], cells, strict=True):
        ratios = [cell.ratio(name) if name in cell.nanoseconds else 0 for name in names]
        axis.barh(names, ratios, color=[_colour(name) for name in names], height=0.7)
        for index, ratio in enumerate(ratios):
            label = f" {ratio:.1f}" if ratio else " -"
            axis.text(ratio or 1, index, label, va="center", fontsize=8)
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter("{x:g}")
        axis.set_xlim(0.7, max(ratios) * 2)
        axis.axvline(1, color=INK, linewidth=0.8)
        axis.set_title(f"chunks of {SIZES[cell.chunk_size]}", fontsize=10)
        axis.set_xlabel("time, the limit = 1")
    figure.suptitle("CRLF lines of some 40 bytes (shorter is faster)", fontsize=11)
    _save(plots, figure, path)


def _draw_kinds(plots: Any, run: Run, path: Path) -> None:
    """The frames() of framer for every workload: a point for each size of chunks."""
    figure, axis = plots.subplots(figsize=(9, 4.5))
    names = [name for name in WORKLOADS if any(cell.workload == name for cell in run.cells)]
    for size, marker in zip(CHUNK_SIZES, "os^Dx", strict=True):
        points = [
            (cell.ratio(_main_way(cell)), len(names) - 1 - names.index(cell.workload))
            for cell in run.cells
            if cell.chunk_size == size and _main_way(cell) in cell.nanoseconds
        ]
        axis.plot(*zip(*points, strict=True), marker, label=SIZES[size], alpha=0.8)
    axis.set_yticks(range(len(names)), [WORKLOADS[name].title for name in names[::-1]])
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_formatter("{x:g}")
    axis.axvline(1, color=INK, linewidth=0.8)
    axis.grid(axis="y", color="#eeeeee")
    axis.set_xlabel("time of framer.frames(), the limit = 1")
    axis.legend(title="chunks of", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    _save(plots, figure, path)


def _main_way(cell: Cell) -> str:
    return "framer frames" if "framer frames" in cell.nanoseconds else "framer alternate"


def _draw_growth(plots: Any, run: Run, path: Path) -> None:
    """Time against input, each line scaled by its last point."""
    figure, axis = plots.subplots(figsize=(8, 4.5))
    for (name, points), marker in zip(run.growth.items(), "os^Dxv", strict=True):
        sizes = [size / points[-1][0] for size, _ in points]
        times = [seconds / points[-1][1] for _, seconds in points]
        each = points[-1][1] / points[-1][0] * 1e9
        axis.plot(sizes, times, marker + "-", label=f"{name}: {each:.0f} ns a byte", alpha=0.8)
    axis.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle="dotted")
    axis.set_xlabel("bytes of input, the largest = 1")
    axis.set_ylabel("time, that of the largest = 1")
    axis.legend(frameon=False, fontsize=9)
    _save(plots, figure, path)


def _draw_idle(plots: Any, run: Run, path: Path) -> None:
    """Bytes of an idle object."""
    figure, axis = plots.subplots(figsize=(8, 3.2))
    names = list(run.idle)[::-1]
    sizes = [run.idle[name] for name in names]
    axis.barh(names, sizes, color=[_colour(name) for name in names], height=0.7)
    for index, size in enumerate(sizes):
        axis.text(size, index, f" {size:.0f}", va="center", fontsize=9)
    axis.set_xlabel("bytes of one idle object")
    _save(plots, figure, path)
