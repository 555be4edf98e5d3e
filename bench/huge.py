"""What commit, verification, prune and totals of a backup of ten terabytes hold in memory: 2.5 million chunks by name.

`python -m bench.huge [CHUNKS]`. All is in the memory store; what that holds is not counted.
"""

import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from os import getloadavg
from pathlib import Path
from typing import TypeVar

from bench.measure import BenchError
from bench.table import Row, write
from holdfast.repository.garbage import sweep
from holdfast.services.totals import totals
from holdfast.services.verify import verify
from tests.support.many_chunks import alone_in, commit_chunks, empty_repository, put_chunks

CHUNKS = 2_500_000
MIB = 2**20
Result = TypeVar("Result")


def main(count: int) -> int:
    table = rows(count)
    if count == CHUNKS:
        write(table, f"{count:,} chunks, as of 10 TB; load {getloadavg()[0]:.1f} on two processors.", "huge")
    print("\n".join(map(str, table)))
    return 0


def rows(count: int) -> Sequence[Row]:
    """Measure with so many chunks, and a tenth as many that nobody needs."""
    repository, store = empty_repository()
    put_chunks(store, range(count + count // 10))
    lists = len(store.objects)
    manifest, committing = measured(lambda: commit_chunks(repository, range(count), "20261123T020000Z-00000001"))
    lists = len(store.objects) - lists
    report, verifying = measured(lambda: verify(repository, manifest))
    if not report.good or report.chunks != count:
        raise BenchError(f"{report.chunks} chunks were found good: {report.problems[:3]}")
    with alone_in(repository) as lock:
        swept, pruning = measured(lambda: sweep(repository, lock, datetime.now(UTC)))
    if swept.removed_chunks != count // 10:
        raise BenchError(f"{swept.removed_chunks} chunks were removed")
    whole, totalling = measured(lambda: totals(repository, [manifest]))
    if whole.chunks != count:
        raise BenchError(f"{whole.chunks} chunks were counted")
    rows: list[Row] = []
    done = (("commit", committing), ("verify", verifying), ("prune", pruning), ("totals", totalling))
    for what, (seconds, memory) in done:
        detail = f"and {lists} lists, which the store holds" if what == "commit" else ""
        rows.append(Row(f"{what}: memory", [memory], 1024, unit="MiB", detail=detail))
        rows.append(Row(f"{what}: time", [seconds], 600, unit="s"))
    return rows


def measured(work: Callable[[], Result]) -> tuple[Result, tuple[float, float]]:
    """What came of it, how many seconds it took, and the most memory that it held beyond what was held before."""
    before = _held("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak
    start = time.monotonic()
    result = work()
    return result, (time.monotonic() - start, _held("VmHWM") - before)


def _held(which: str) -> float:
    status = Path("/proc/self/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith(f"{which}:")]
    return int(line.split()[1]) * 1024 / MIB


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else CHUNKS))
