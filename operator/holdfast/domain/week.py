"""The summary of a week, Monday to Sunday: due on the next Monday at 08:00, as the clock on the wall says."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

HOUR = time(8)
DAYS = 7


def last_due(now: datetime, zone: ZoneInfo) -> datetime:
    """The newest moment at or before ``now`` that a summary was due at."""
    local = now.astimezone(zone)
    monday = local.date() - timedelta(days=local.weekday())
    due = datetime.combine(monday, HOUR, zone)
    if due > local:
        due = datetime.combine(monday - timedelta(days=DAYS), HOUR, zone)
    return due.astimezone(UTC)


def days_of_week(due: datetime, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    """Begin and end of each day that a summary tells of: Monday to Sunday, oldest first."""
    monday = due.astimezone(zone).date()
    midnights = [datetime.combine(monday - timedelta(days=ago), time(0), zone) for ago in range(DAYS, -1, -1)]
    return list(pairwise(midnight.astimezone(UTC) for midnight in midnights))
