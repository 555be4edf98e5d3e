"""After an outage all that is overdue starts at once. Each policy then waits for a moment of its own."""

from datetime import datetime, timedelta
from hashlib import sha256

from holdfast.domain.schedule import Schedule

ON_TIME = timedelta(minutes=2)
"""A run that is made so long after its time still is on time: a controller may be busy."""

LONGEST = timedelta(minutes=10)
_SHARE = 10
"""The wait takes no more than a tenth of what the run may take, and of the time to the next one."""


def begin_after(
    tick: datetime, made: datetime, policy_uid: str, *, latest: timedelta, deadline: timedelta, schedule: Schedule
) -> datetime | None:
    """When a scheduled run may begin that was made so long after its time; None: at once, it is not late.

    ``latest`` is how late a run may start at all: one that is later only looks like a scheduled one.
    """
    late = made - tick
    if not ON_TIME < late <= latest + ON_TIME:
        return None
    following = schedule.next_after(made)
    interval = schedule.next_after(following) - following
    return made + spread(policy_uid, min(LONGEST, deadline / _SHARE, interval / _SHARE))


def spread(uid: str, window: timedelta) -> timedelta:
    """A moment within ``window``, always the same for one policy, and evenly spread over many."""
    share = int.from_bytes(sha256(uid.encode()).digest()[:8]) / 2**64
    return window * share
