"""Who may begin, where no more than so many backups may run at once.

Turns go by age: first come, first served. A run holds its place from its turn to its end, whoever tells that end: its
worker, or the operator that finds its Job dead or late. So a place is never lost, and nobody is passed over.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

BEAT = timedelta(minutes=5)
"""How often a worker that waits hears that somebody still gives turns."""

PATIENCE = 2 * BEAT
"""A worker that has heard nothing for so long begins without its turn: nobody gives any, and a backup in a crowd is
better than none."""

_EXTENSION = timedelta(hours=1)


@dataclass(frozen=True, order=True)
class Standing:
    """A run that has not ended. The order is that of the turns."""

    created: datetime
    uid: str
    holds: bool = False
    """Whether it has a place: it was let in, or is at work without having been."""


def next_turns(runs: Iterable[Standing], limit: int) -> tuple[list[Standing], list[Standing]]:
    """Who is let in now, and who waits on, both in their order. ``limit`` 0: there is none."""
    ordered = sorted(runs)
    waiting = [run for run in ordered if not run.holds]
    free = max(0, limit - (len(ordered) - len(waiting))) if limit else len(waiting)
    return waiting[:free], waiting[free:]


def deadline_in_line(waited: timedelta, own: timedelta, deadline: timedelta) -> timedelta | None:
    """A Job's new deadline while its worker waits: the wait takes nothing from what the work may take, ``own``.

    None: there is room enough, even for a worker that loses its patience just before it would be asked again.
    """
    return waited + own + PATIENCE + _EXTENSION if deadline - waited < own + PATIENCE else None


def deadline_at_turn(waited: timedelta, own: timedelta) -> timedelta:
    """A Job's deadline once it is its turn: the work may take as long as if there had been no wait."""
    return waited + own
