"""How fast a live database is read."""

from dataclasses import dataclass
from datetime import datetime

SLOWEST = 1024 * 1024
"""Bytes per second. The server answers with up to 16 MiB at once, and forgets a reader who pauses for half an hour."""
_STEPS_A_SECOND = 80
_SMALLEST_STEP, _LARGEST_STEP = 64 * 1024, 4 * 1024 * 1024


@dataclass(frozen=True)
class Pace:
    """A limit on the average since ``start``, in raw bytes per second; None for as fast as it goes."""

    limit: int | None
    start: datetime

    @property
    def batch_bytes(self) -> int | None:
        """How much to read at once; None for whatever is quickest.

        A batch is read as fast as the server can, and an application feels that. So a limit means small steps."""
        if self.limit is None:
            return None
        return min(_LARGEST_STEP, max(_SMALLEST_STEP, self.limit // _STEPS_A_SECOND))

    def pause(self, done: int, now: datetime) -> float:
        """Seconds to wait after ``done`` bytes, so that the average keeps the limit."""
        if self.limit is None:
            return 0.0
        return max(0.0, done / self.limit - (now - self.start).total_seconds())
