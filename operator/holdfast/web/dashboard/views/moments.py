"""Which seconds of a policy can be restored, as a line."""

from dataclasses import dataclass
from datetime import UTC, datetime

from holdfast.resources.policy import BackupPolicy
from holdfast.web.dashboard.views.strip import moment

WIDTH = 1000


@dataclass(frozen=True)
class Hole:
    """A part of the line of which nothing can be restored."""

    x: float
    width: float
    text: str


@dataclass(frozen=True)
class Moments:
    first: datetime
    last: datetime
    holes: tuple[Hole, ...]
    width: int = WIDTH

    @property
    def seconds(self) -> tuple[int, int]:
        """The ends of the line, since 1970."""
        return int(self.first.timestamp()), int(self.last.timestamp())


def moments(policy: BackupPolicy) -> Moments | None:
    """None where no second can be restored but those of backups."""
    status = policy.status.point_in_time
    if status is None or status.from_ is None or status.to is None or status.from_ >= status.to:
        return None
    first, last = status.from_, status.to

    def x(time: datetime | None, otherwise: float) -> float:
        if time is None:
            return otherwise
        return round(WIDTH * min(1.0, max(0.0, (time - first) / (last - first))), 1)

    holes = []
    for gap in status.gaps:
        begin, end = x(gap.from_, 0), x(gap.to, WIDTH)
        ends = " to ".join(moment(time.astimezone(UTC)) if time else "now" for time in (gap.from_ or first, gap.to))
        holes.append(Hole(begin, round(max(2.0, end - begin), 1), f"{ends}: {gap.message or 'not archived'}"))
    return Moments(first, last, tuple(holes))
