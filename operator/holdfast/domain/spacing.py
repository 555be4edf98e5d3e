"""Weeks, months and years by age: which days to keep so that one is always about that old.

"The newest of each calendar month" keeps today's backup as the monthly one, and on the first of the month has none that
is older than the dailies. So the days that are kept stand on a **ladder**: from the oldest day that is there, the next
one is the first that is at least half a period later, and so on up to today. Days that the ladder skips may go; days on
it stay while they grow old, and the one above is let go when the one below has reached three quarters of a period.

For a month, with a backup every day: the lower of two is 7 to 22 days old (younger ones are dailies), the upper one 22
to 37. With gaps of up to fifteen days between backups, one is always 15 to 45 days old.

A ladder needs no memory: built anew from the days that were kept, it is the same ladder.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

WEEK, MONTH, YEAR = 7, 30, 365
"""Days."""

LEAP_DAYS = 14
"""Where two neighbours among the daily backups lie further apart, either none came or a clock was wrong."""


@dataclass(frozen=True)
class Ladder:
    """Days as ordinals, newest first."""

    steps: tuple[int, ...]
    """Those that stand for the periods asked for."""
    candidates: tuple[int, ...]
    """Younger ones, on their way there."""


def reference_day(dailies: Sequence[int]) -> tuple[int, bool]:
    """Given the days of the daily backups, newest first, return the one from which ages count, and whether all is calm.

    As a rule the newest. Behind a leap it is the last day before: a clock that is a year ahead for a night must not
    make everything a year old. A leap is forgotten once it has left the dailies.
    """
    for later, earlier in reversed(list(pairwise(dailies))):
        if later - earlier > LEAP_DAYS:
            return earlier, False
    return dailies[0], True


def spaced(days: Iterable[int], period: int, count: int, reference: int, *, calm: bool = True) -> Ladder:
    """Given the days that have a good backup, return those to keep so that ``count`` are about one to ``count``
    periods old. With ``calm`` False, the younger one takes over at half a period instead of three quarters.
    """
    rungs = _climb(sorted(days), (period + 1) // 2)
    ripe_at = period * 3 // 4 if calm else _safe_half(period)
    ripe = [day for day in rungs if reference - day >= ripe_at] or rungs[:1]
    older = [day for day in _climb(ripe, period) if day < ripe[-1]] if ripe else []
    steps = (*ripe[-1:], *(older[:-count:-1] if count > 1 else ()))
    return Ladder(steps, tuple(day for day in reversed(rungs) if day > ripe[-1]) if ripe else ())


def make_room(ladder: Ladder, others: Iterable[int], period: int, today: int) -> Ladder | None:
    """Given a ladder of one step and the days that other rules keep, return one that needs a place less; None if
    that would leave a time without a backup between half a period and one and a half periods old.
    """
    kept = set(others)
    waiting = [day for day in ladder.candidates if day not in kept]
    if not waiting or not ladder.steps or ladder.steps[0] in kept:
        return ladder
    step, oldest = ladder.steps[0], waiting[-1]
    if today - oldest >= _safe_half(period):
        return Ladder((oldest,), tuple(day for day in ladder.candidates if day > oldest))
    successors = [day for day in kept if day - step >= (period + 1) // 2]
    if successors and min(successors) - step < period:
        return Ladder(ladder.steps, tuple(day for day in ladder.candidates if day != oldest))
    return None


def _safe_half(period: int) -> int:
    """So many days apart by the calendar are half a period apart by the clock, whatever the hours."""
    return period // 2 + 1


def _climb(days: Sequence[int], distance: int) -> list[int]:
    """From the oldest on, each day that is at least ``distance`` later than the one before."""
    rungs: list[int] = []
    for day in days:
        if not rungs or day - rungs[-1] >= distance:
            rungs.append(day)
    return rungs
