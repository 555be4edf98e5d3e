"""How long a server must keep the moment that a backup reads at.

MongoDB keeps it for ``minSnapshotHistoryWindowInSeconds``, 300 by default; after that, reads fail (MongoDB manual,
"Read Concern snapshot"). A longer window costs the server cache and disk, so no more is asked for than is needed.
"""

from math import ceil

LONGEST = 24 * 3600
"""Seconds. No backup asks for more: a day of history is a burden for a busy server."""
USUAL = 300
_RATE = 20 * 1024 * 1024
"""Raw bytes a second, where nothing is known: careful on purpose."""
_MARGIN = 2.0
_START = 30


def seconds_needed(size: int, *, rate: float | None, limit: int | None, attempt: int) -> int:
    """Seconds that reading ``size`` raw bytes may take.

    ``rate``: of the last backup, in bytes a second. ``limit``: the most that the policy allows. ``attempt``: from 1;
    one that has failed had too little time, so each asks for twice as much.
    """
    pace = min(rate or _RATE, limit or float("inf"))
    return int(ceil(_START + _MARGIN * size / pace) * 2 ** (attempt - 1))
