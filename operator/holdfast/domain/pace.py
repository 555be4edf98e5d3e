"""How fast a live database is read."""

from dataclasses import dataclass
from datetime import datetime

SLOWEST = 1024 * 1024
"""Bytes per second. The server answers with up to 16 MiB at once, and forgets a reader who pauses for half an hour."""


@dataclass(frozen=True)
class Pace:
    """A limit on the average since ``start``, in raw bytes per second; None for as fast as it goes."""

    limit: int | None
    start: datetime

    def pause(self, done: int, now: datetime) -> float:
        """Seconds to wait after ``done`` bytes, so that the average keeps the limit."""
        if self.limit is None:
            return 0.0
        return max(0.0, done / self.limit - (now - self.start).total_seconds())
