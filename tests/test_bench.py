"""The benchmarks: each contender gives every payload, and one that does not is found out.

How fast they are is no business of a test.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from bench.rivals import Missing
from bench.timing import Wrong, check, contenders, measure
from bench.workloads import WORKLOADS, Workload, cut

SMALL = 3000  # bytes of stream


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
@pytest.mark.parametrize("chunk_size", [4096, 17, 1])
def test_each_contender_gives_every_payload(workload: Workload, chunk_size: int) -> None:
    """In chunks that hold many frames, and in chunks that hold parts of one."""
    payloads = workload.payloads(SMALL)
    chunks = cut(workload.encode(payloads), chunk_size)
    checked = 0
    for run in contenders(workload).values():
        try:
            check(run, chunks, payloads)
        except Missing:
            continue  # It is no part of the group `tests`.
        checked += 1
    assert checked >= 3


def test_a_wrong_contender_is_found_out() -> None:
    """One that drops the last payload, and one that changes a byte."""
    workload = WORKLOADS["lines-40"]
    payloads = workload.payloads(SMALL)
    chunks = cut(workload.encode(payloads), 4096)

    def drops(chunks: Sequence[bytes], take: Any) -> None:
        for payload in payloads[:-1]:
            take(payload)

    def changes(chunks: Sequence[bytes], take: Any) -> None:
        for payload in payloads:
            take(payload.upper())

    for wrong in (drops, changes):
        with pytest.raises(Wrong):
            check(wrong, chunks, payloads)


def test_a_cell_has_the_limit_and_all_that_take_part() -> None:
    """The limit is the fastest bare loop, and ratios are of it."""
    cell = measure(WORKLOADS["records-16"], 1460, rounds=1, quick=True)
    assert cell.ratio("bare records") == 1
    assert set(cell.nanoseconds) | set(cell.left_out) == set(contenders(WORKLOADS["records-16"]))
