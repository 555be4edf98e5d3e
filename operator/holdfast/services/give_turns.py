"""Hold runs back where no more than so many may run at once, and let them in one after the other.

Turns are given in one place, by one thread, from what the events and the surveys have told of the runs that have not
ended. What is known may be old, but only in the safe direction: a place that was given is noted before the next one is,
and one that is free and not known to be is given a little later. What was given is in the status of the runs, so that
an operator that starts anew goes on with it.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from threading import Lock

from pydantic import ValidationError

from holdfast.domain.phases import Phase
from holdfast.domain.turns import BEAT, Standing, deadline_at_turn, deadline_in_line, next_turns
from holdfast.errors import HoldfastError, Unavailable
from holdfast.ports import JOB, Clock, Cluster, KubeObject
from holdfast.resources.queue import QUEUED, RunQueue
from holdfast.resources.run import BackupRun, BackupRunStatus, RunReason
from holdfast.services.survey import Key
from holdfast.services.write_status import CONFLICTS, change_run
from holdfast.specs import run_status
from holdfast.specs.job_state import parse_time
from holdfast.specs.names import DEADLINE_ANNOTATION, JOB_LABEL

_log = logging.getLogger(__name__)

WAITING = frozenset({RunReason.SCHEDULED, RunReason.MANUAL, RunReason.OPLOG})
"""A backup before a restore waits for nobody, for a person waits for it; but it has a place while it works."""


@dataclass(frozen=True)
class _Known:
    """What is known of a run that has not ended."""

    standing: Standing
    key: Key
    job: str | None
    """Its Job, if it has one."""
    told: datetime | None
    """When it was last told that it waits."""
    stamp: int = 0


class Turns:
    """``limit`` 0: nobody waits, and who was told to wait under an earlier limit is let in."""

    def __init__(self, cluster: Cluster, clock: Clock, limit: int) -> None:
        self._cluster, self._clock, self._limit = cluster, clock, limit
        self._lock = Lock()
        self._runs: dict[str, _Known] = {}
        self._ended: set[str] = set()
        self._stamp = 0
        self._complete = False

    def saw(self, body: KubeObject) -> bool:
        """Note a run as it is now. Whether that may be of interest to others: it is new, let in, or has ended."""
        uid, known = body["metadata"]["uid"], _known(body)
        with self._lock:
            before = self._runs.get(uid)
            if known is None:
                return self._drop(uid)
            if uid not in self._ended:
                self._runs[uid] = replace(known, stamp=self._stamp)
        return before is None or before.standing != known.standing

    def forget(self, uid: str) -> bool:
        """A run was deleted."""
        with self._lock:
            return self._drop(uid)

    def begin_survey(self) -> int:
        """To be called before the runs are listed, for ``survey``."""
        with self._lock:
            self._stamp += 1
            return self._stamp

    def survey(self, bodies: Iterable[KubeObject], stamp: int) -> None:
        """Note all runs that there are. What was seen after ``begin_survey`` is newer, and stays."""
        listed = {body["metadata"]["uid"]: known for body in bodies if (known := _known(body)) is not None}
        with self._lock:
            newer = {uid: known for uid, known in self._runs.items() if known.stamp >= stamp}
            self._runs = {uid: known for uid, known in listed.items() if uid not in self._ended} | newer
            self._ended &= listed.keys()
            self._complete = True

    def give(self) -> list[Key]:
        """Let in whoever may begin, and tell the others that they wait. Returns who was let in.

        Raises ClusterUnavailable; what was not done then is done by the next call.
        """
        with self._lock:
            if not self._complete:
                return []
            known = {uid: run for uid, run in self._runs.items() if self._limit or run.standing.holds or run.told}
        let_in, waiting = next_turns((run.standing for run in known.values()), self._limit)
        keys = [known[one.uid].key for one in let_in if self._try(known[one.uid], self._let_in)]
        for ahead, one in enumerate(waiting):
            self._try(known[one.uid], partial(self._tell, ahead=ahead))
        return keys

    def _try(self, known: _Known, step: Callable[[_Known], bool]) -> bool:
        """Set aside a run that cannot be written: one bad object must not hold up the others."""
        try:
            return step(known)
        except Unavailable:
            raise
        except (HoldfastError, ValidationError) as error:
            _log.error("%s cannot have a turn: %s", known.key, type(error).__name__)
            self.forget(known.standing.uid)
            return False

    def _drop(self, uid: str) -> bool:
        self._ended.add(uid)
        return self._runs.pop(uid, None) is not None

    def _let_in(self, known: _Known) -> bool:
        now = self._clock()
        if not self._fit_deadline(known, now, turn=True):
            return False

        def change(run: BackupRun) -> BackupRunStatus | None:
            if run.status.let_in:
                return None
            status = _pending(run, "Pending", "", now)
            queue = (status.queue or RunQueue()).model_copy(update={"turn_time": now, "ahead": None})
            return status.model_copy(update={"queue": queue})

        return self._change(known, change) is not None

    def _tell(self, known: _Known, *, ahead: int) -> bool:
        """Say in a run's status that it waits, and that somebody is there who will call it."""
        now = self._clock()
        if (known.told is not None and now - known.told < BEAT) or not self._fit_deadline(known, now, turn=False):
            return False
        message = _message(self._limit, ahead)

        def change(run: BackupRun) -> BackupRunStatus | None:
            if run.status.let_in:
                return None
            queue = RunQueue(ahead=ahead, seen_time=now)
            return _pending(run, QUEUED, message, now).model_copy(update={"queue": queue})

        return self._change(known, change) is not None

    def _change(self, known: _Known, change: Callable[[BackupRun], BackupRunStatus | None]) -> BackupRun | None:
        """Write a run's status, and note it. None if it is gone or has ended."""
        run = change_run(self._cluster, known.key.namespace, known.key.name, change)
        if run is None or run.metadata.uid != known.standing.uid or run.status.terminal:
            self.forget(known.standing.uid)
            return None
        queue = run.status.queue
        told = queue.seen_time if queue else None
        standing = replace(known.standing, holds=run.status.let_in)
        with self._lock:
            if known.standing.uid not in self._ended:
                note = replace(known, standing=standing, told=told, stamp=self._stamp)
                self._runs[known.standing.uid] = note
        return run

    def _fit_deadline(self, known: _Known, now: datetime, *, turn: bool) -> bool:
        """See to it that a Job's deadline does not count the wait. False: it changed meanwhile, try again later."""
        for _ in range(CONFLICTS):
            job = self._cluster.get(JOB, known.key.namespace, known.job) if known.job else None
            own = ((job or {}).get("metadata", {}).get("annotations") or {}).get(DEADLINE_ANNOTATION, "")
            if job is None or not own.isdigit():
                return True
            began = parse_time(job.get("status", {}).get("startTime")) or now
            current = timedelta(seconds=job["spec"].get("activeDeadlineSeconds", 0))
            waited, work = max(now - began, timedelta()), timedelta(seconds=int(own))
            wanted = deadline_at_turn(waited, work) if turn else deadline_in_line(waited, work, current)
            if wanted is None or int(wanted.total_seconds()) == int(current.total_seconds()):
                return True
            changes = {"spec": {"activeDeadlineSeconds": int(wanted.total_seconds())}}
            if self._cluster.patch(JOB, job, changes) is not None:
                return True
        _log.warning("The deadline of Job %s cannot be set: it changes faster than it can be written.", known.job)
        return False


def _known(body: KubeObject) -> _Known | None:
    """None for a run that has ended, or that neither waits nor has a place. Read without a model: it is asked often."""
    metadata, spec, status = body["metadata"], body["spec"], body.get("status") or {}
    phase, queue = status.get("phase"), status.get("queue") or {}
    if phase is not None and Phase(phase).terminal:
        return None
    if "deletionTimestamp" in metadata:
        return None  # it ends with its Job, whatever its deletion waits for
    holds = phase not in (None, Phase.PENDING) or "turnTime" in queue
    if not holds and spec.get("reason", RunReason.MANUAL) not in WAITING:
        return None
    created = parse_time(metadata["creationTimestamp"])
    assert created is not None, "the API server sets it"  # noqa: S101
    return _Known(
        Standing(created, metadata["uid"], holds),
        Key("BackupRun", metadata["namespace"], metadata["name"]),
        (metadata.get("labels") or {}).get(JOB_LABEL),
        parse_time(queue.get("seenTime")),
    )


def _pending(run: BackupRun, reason: str, message: str, now: datetime) -> BackupRunStatus:
    generation = run.metadata.generation
    return run_status.moved(run.status, Phase.PENDING, reason=reason, message=message, now=now, generation=generation)


def _message(limit: int, ahead: int) -> str:
    before = "No other waits before it." if not ahead else f"{ahead} wait{'s' if ahead == 1 else ''} before it."
    return f"It waits for its turn: no more than {limit} backups run at once (maxConcurrentRuns). {before}"
