"""Wait until a backup may begin: for its turn, or for its moment after an outage. Nothing is open meanwhile."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum
from threading import Event

from holdfast.domain.catching_up import begin_after
from holdfast.domain.schedule import parse_schedule
from holdfast.domain.turns import PATIENCE
from holdfast.errors import Interrupted, InvalidSpec, Unavailable
from holdfast.ports import Clock
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun
from holdfast.specs.names import tick_of_job

_log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""Between two looks at the run; also how soon a worker that waits hears that it is to stop."""

Wait = Callable[[float], object]


class Turn(Enum):
    """How the wait ended."""

    GIVEN = "given"
    NOBODY_THERE = "nobody there"
    """Nobody who gives turns was heard of for longer than is worth waiting."""


def await_turn(read: Callable[[], BackupRun], clock: Clock, stop: Event, wait: Wait) -> Turn:
    """Given how to read the run anew, wait until it is let in, or has ended.

    Interrupted when the worker is to stop. What ``read`` raises is raised, but for what may pass.
    """
    heard_at, heard = clock(), None
    while True:
        try:
            status = read().status
        except Unavailable as error:
            _log.warning("The run cannot be looked at: %s", error)
        else:
            if status.let_in:
                return Turn.GIVEN
            seen = status.queue.seen_time if status.queue else None
            if seen != heard:
                heard_at, heard = clock(), seen
        if clock() - heard_at >= PATIENCE:
            return Turn.NOBODY_THERE
        _pause(LOOK_SECONDS, stop, wait)


def moment_of(policy: BackupPolicy, run: BackupRun) -> datetime | None:
    """When a scheduled run that is late may begin, so that not all begin at once. None: at once, it is on time."""
    tick, made = tick_of_job(policy.metadata.name, run.metadata.name), run.metadata.creation_timestamp
    if tick is None or made is None or run.status.let_in:
        return None
    spec = policy.spec.schedule
    try:
        schedule = parse_schedule(spec.cron, spec.time_zone)
    except InvalidSpec:
        return None
    return begin_after(
        tick,
        made,
        policy.metadata.uid,
        latest=timedelta(seconds=spec.starting_deadline_seconds),
        deadline=timedelta(seconds=policy.spec.job.active_deadline_seconds),
        schedule=schedule,
    )


def await_moment(moment: datetime, ended: Callable[[], bool], clock: Clock, stop: Event, wait: Wait) -> None:
    """Wait until then, or until the run has ``ended``. Interrupted when the worker is to stop."""
    while (left := (moment - clock()).total_seconds()) > 0 and not ended():
        _pause(min(left, LOOK_SECONDS), stop, wait)


def _pause(seconds: float, stop: Event, wait: Wait) -> None:
    if not stop.is_set():
        wait(seconds)
    if stop.is_set():
        raise Interrupted("The worker was asked to stop while it waited to begin.")
