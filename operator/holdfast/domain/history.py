"""What the runs of the last 30 days say together: how often they succeed, how they grow, and what they do not explain.

A backup that is complete may still hold a loss: an emptied collection is backed up faithfully. So each backup is
compared with those before it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import fmean, linear_regression, median

from holdfast.domain.human import human_bytes
from holdfast.domain.phases import Phase

WINDOW = timedelta(days=30)
WEEK = timedelta(days=7)

ENOUGH = 4
"""Fewer backups explain nothing."""
LOOK_BACK = 7
"""With the median of so many, a loss is told for about half as many backups before it counts as the new normal."""
DEVIATION = 5
"""So many times the second-largest step of the past is explained by it. The largest may be the loss itself."""
FALL, JUMP = 0.5, 2.0
LEAST_DOCUMENTS = 100
LEAST_BYTES = 16 * 1024 * 1024
TOLD = 5
"""So many surprises are told by name."""


@dataclass(frozen=True)
class PastRun:
    """A backup run that has ended, and was not cancelled. Sizes are None where it did not come so far."""

    name: str
    phase: Phase
    time: datetime
    reason: str = ""
    duration: timedelta | None = None
    logical_bytes: int | None = None
    stored_bytes: int | None = None
    collections: Mapping[str, int] = field(default_factory=dict)
    """Documents of each collection that was read whole."""
    all_listed: bool = True
    """Whether a collection that is not in ``collections`` was not there."""


@dataclass(frozen=True)
class Trend:
    """``per_week``: by the line of least squares; None before there are enough."""

    newest: int
    average: int
    per_week: int | None


@dataclass(frozen=True)
class History:
    """The numbers of the window."""

    runs: int
    succeeded: int
    partial: int
    failed: int
    failures: tuple[tuple[str, int], ...]
    """Reasons with their counts, most frequent first."""
    average_interval: timedelta | None
    """Between the ends of good backups."""
    logical_bytes: Trend | None
    stored_bytes: Trend | None
    seconds: Trend | None

    @property
    def success_percent(self) -> int | None:
        """Rounded down: 100 only where nothing failed."""
        return 100 * self.succeeded // self.runs if self.runs else None


def history(runs: Sequence[PastRun], now: datetime) -> History:
    """Given runs in any order, those of the last 30 days."""
    window = sorted((run for run in runs if run.time > now - WINDOW), key=lambda run: (run.time, run.name))
    good = [run for run in window if run.phase is Phase.SUCCEEDED]
    bad = Counter(run.reason or "Unknown" for run in window if run.phase is not Phase.SUCCEEDED)
    gaps = [later.time - earlier.time for earlier, later in pairwise(good)]
    return History(
        runs=len(window),
        succeeded=len(good),
        partial=sum(run.phase is Phase.PARTIALLY_FAILED for run in window),
        failed=sum(run.phase is Phase.FAILED for run in window),
        failures=tuple(sorted(bad.items(), key=lambda one: (-one[1], one[0]))),
        average_interval=sum(gaps, timedelta()) / len(gaps) if gaps else None,
        logical_bytes=_trend([(run.time, run.logical_bytes) for run in good]),
        stored_bytes=_trend([(run.time, run.stored_bytes) for run in good]),
        seconds=_trend([(run.time, run.duration.total_seconds() if run.duration else None) for run in good]),
    )


def _trend(values: Sequence[tuple[datetime, float | None]]) -> Trend | None:
    known = [(time, value) for time, value in values if value is not None]
    if not known:
        return None
    times = [(time - known[0][0]) / WEEK for time, _ in known]
    numbers = [value for _, value in known]
    slope = linear_regression(times, numbers).slope if len(known) >= ENOUGH and times[-1] > 0 else None
    return Trend(round(numbers[-1]), round(fmean(numbers)), None if slope is None else round(slope))


def surprises(runs: Sequence[PastRun]) -> list[str]:
    """What the newest good backup shows that those before it do not explain, in words, worst first."""
    good = sorted((run for run in runs if run.phase is Phase.SUCCEEDED), key=lambda run: (run.time, run.name))
    if len(good) <= ENOUGH:
        return []
    *before, newest = good
    found = [*_emptied(newest, before), *_sizes(newest, before)]
    more = len(found) - TOLD
    return found if more <= 0 else [*found[:TOLD], f"{more} more like these."]


def _emptied(newest: PastRun, before: Sequence[PastRun]) -> list[str]:
    """Collections that have lost most of their documents, or all, or have multiplied."""
    told = []
    for name in sorted({name for run in before[-LOOK_BACK:] for name in run.collections}):
        past = [run.collections[name] for run in before if name in run.collections]
        present = newest.collections.get(name, 0)
        if len(past) < ENOUGH or not _unexplained(present, past, LEAST_DOCUMENTS):
            continue
        usual = round(median(past[-LOOK_BACK:]))
        if name in newest.collections:
            told.append((present / usual if usual else 1.0, f"{_count(present, name)}, where it had about {usual:,}."))
        elif newest.all_listed:
            told.append((-1.0, f"Collection {name!r} is gone; it had about {usual:,} documents."))
    return [text for _, text in sorted(told)]


def _count(documents: int, name: str) -> str:
    return f"Collection {name!r} {'is empty' if not documents else f'has {documents:,} documents'}"


def _sizes(newest: PastRun, before: Sequence[PastRun]) -> list[str]:
    past = [run.logical_bytes for run in before if run.logical_bytes is not None]
    present = newest.logical_bytes
    if present is None or len(past) < ENOUGH or not _unexplained(present, past, LEAST_BYTES):
        return []
    usual = human_bytes(round(median(past[-LOOK_BACK:])))
    return [f"The backup holds {human_bytes(present)} of documents, where it had about {usual}."]


def _unexplained(present: int, past: Sequence[int], least: int) -> bool:
    """Whether a value is far from the usual one, by more than the past knows steps for.

    What is emptied needs no least size: the five users of a small shop are all that it has.
    """
    usual = median(past[-LOOK_BACK:])
    change = abs(present - usual)
    steps = sorted((abs(later - earlier) for earlier, later in pairwise(past)), reverse=True)
    if change <= DEVIATION * steps[1]:
        return False
    if present < usual * FALL:
        return present == 0 or change >= least
    return present > usual * JUMP and change >= least
