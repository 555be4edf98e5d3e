"""How long a server must keep the moment that a backup reads at.

MongoDB keeps it for ``minSnapshotHistoryWindowInSeconds``, 300 by default; after that, reads fail (MongoDB manual,
"Read Concern snapshot"). A longer window costs the server cache and disk, so no more is asked for than is needed.
"""

from math import ceil

LONGEST = 24 * 3600
"""Seconds. No backup asks for more: a day of history is a burden for a busy server."""
USUAL = 300
"""Seconds: the server's default."""
_RATE = 20 * 1024 * 1024
"""Raw bytes a second, where nothing is known: careful on purpose."""
_SLOWEST = 1024 * 1024
_TELLING = 64 * 1024 * 1024
"""Raw bytes. To read less takes no longer than to connect, so it tells nothing of the rate."""
_MARGIN = 2.0
_START = 30


def measured_rate(size: int, seconds: float) -> float | None:
    """Raw bytes a second of a reading that was timed; None where it was too small to tell.

    Never less than 1 MiB/s: a run that waited for hours for its node or its next pod was not a slow one.
    """
    if size < _TELLING or seconds <= 0:
        return None
    return max(size / seconds, _SLOWEST)


def seconds_needed(size: int, *, rate: float | None, limit: int | None, lost: int = 0) -> int:
    """Seconds that reading ``size`` raw bytes may take, with a margin.

    ``rate``: the last one that was measured, in bytes a second. ``limit``: the most that the policy allows. ``lost``:
    how many attempts had too little time; each makes the next ask for twice as much.
    """
    pace = min(rate or _RATE, limit or float("inf"))
    return int(ceil(_START + _MARGIN * size / pace) * 2**lost)
