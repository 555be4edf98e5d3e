"""Which scheduled backups never started.

A schedule's tick is served when a run was started for it, however that run ended: its end is told by the run. A tick is
settled once a later one was served, for Kubernetes never goes back, or once it is too late for it to start.
"""

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.domain.schedule import Schedule

AT_ONCE = 10_000
"""So many ticks are settled in one look at most, a twentieth of a second; the next look goes on from there."""


@dataclass(frozen=True)
class Settled:
    """What came of the ticks after a moment."""

    until: datetime
    """The newest tick that is settled; the moment itself if none is."""
    missed: int = 0
    last_missed: datetime | None = None
    """The newest tick that was missed."""

    @property
    def missing(self) -> bool:
        """Whether the newest settled tick was missed."""
        return self.last_missed == self.until


def settle_ticks(
    schedule: Schedule, *, since: datetime, now: datetime, served: Set[datetime], patience: timedelta
) -> Settled:
    """Settle the ticks after ``since``. ``patience`` is how late a run may start and be noticed."""
    newest_served = max((tick for tick in served if tick <= now), default=since)
    until, missed, last = since, 0, None
    for number, tick in enumerate(schedule.after(since)):
        if number == AT_ONCE or (tick > newest_served and tick + patience >= now):
            break
        until = tick
        if tick not in served:
            missed, last = missed + 1, tick
    return Settled(until, missed, last)
