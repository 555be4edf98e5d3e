"""The archiver in its pod: follow the oplog of a policy's source until it is asked to stop, and tell how far it is.

It never gives up: what goes wrong is told in the policy's status, and tried again. Its status is written once for
each slice at most, and never more often than MOST_OFTEN; what changes everything, at once.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import partial
from threading import Event
from typing import Protocol

from holdfast.errors import ClusterUnavailable, HoldfastError, Interrupted
from holdfast.ports import BACKUP_POLICY, Clock, Cluster, Oplog
from holdfast.repository.repository import Repository
from holdfast.repository.slices import SliceName, Slices
from holdfast.resources.conditions import MESSAGE_LIMIT
from holdfast.resources.point_in_time import PointInTimeStatus
from holdfast.resources.policy import BackupPolicy
from holdfast.services.archive_oplog import ArchiveRequest, archive_oplog
from holdfast.services.find_policy import find_policy
from holdfast.services.recovery_window import Chronicle, status_of
from holdfast.services.worker_report import Failure, failure_of, patiently
from holdfast.services.write_status import CONFLICTS, parse_policy, write_status

MOST_OFTEN = timedelta(seconds=15)
"""Between two writes of a status that only says that all goes on."""
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0
"""Seconds before the next try. Whoever repairs a Secret or a server need not tell us."""

_log = logging.getLogger(__name__)


class Doors(Protocol):
    """Opens what an archiver needs, with the Secrets that are mounted now."""

    def __call__(self, policy: BackupPolicy) -> AbstractContextManager[tuple[Oplog, Repository, str]]:
        """The oplog, where its slices go, and the database that they are of."""
        ...


class ArchiveWorker:
    """``wait`` sleeps, or returns early when the pod is asked to stop."""

    def __init__(
        self,
        namespace: str,
        policy: str,
        cluster: Cluster,
        doors: Doors,
        clock: Clock,
        stop: Event,
        wait: Callable[[float], object],
    ) -> None:
        self._namespace, self._name = namespace, policy
        self._cluster, self._doors = cluster, doors
        self._clock, self._stop, self._wait = clock, stop, wait
        self._uid = ""

    def work(self) -> None:
        """Archive until ``stop``. Never raises."""
        pause = FIRST_PAUSE
        while not self._stop.is_set():
            begin = self._clock()
            try:
                self._archive()
            except Interrupted:
                return
            except Exception as error:  # noqa: BLE001 (the next try may go well, and people must hear of this one)
                failure = failure_of(error)
                _log.error("%s", failure.text)
                self._say_failure(failure)
            else:
                return
            if self._clock() - begin > timedelta(seconds=LONGEST_PAUSE):
                pause = FIRST_PAUSE  # it had worked
            self._wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _archive(self) -> None:
        find = partial(find_policy, self._cluster, self._namespace, self._name)
        policy = parse_policy(patiently(find, self._clock, self._wait))
        self._uid = policy.metadata.uid
        wanted = policy.spec.point_in_time
        with self._doors(policy) as (oplog, repository, database):
            repository.open(create=True)
            owner = f"{policy.metadata.namespace}/{policy.metadata.name}"
            slices = Slices(repository, oplog.replica_set, database, owner)
            report = _Report(Chronicle(repository, slices, database, wanted.within), self._write, self._clock)
            request = ArchiveRequest(database, wanted.slice_seconds, owner=owner)
            archive_oplog(request, oplog, repository, self._clock, self._stop, _log.warning, report.stored)

    def _say_failure(self, failure: Failure) -> None:
        def change(known: PointInTimeStatus | None) -> PointInTimeStatus:
            words = {"reason": failure.reason, "message": failure.text[:MESSAGE_LIMIT]}
            return (known or PointInTimeStatus()).model_copy(update=words)

        self._write(change)

    def _write(self, change: Callable[[PointInTimeStatus | None], PointInTimeStatus]) -> None:
        """A status that cannot be written is no reason not to archive: the next one tells all."""
        try:
            for _ in range(CONFLICTS):
                body = self._cluster.get(BACKUP_POLICY, self._namespace, self._name)
                if body is None or body["metadata"]["uid"] != self._uid:
                    return
                old = parse_policy(body).status
                status = old.model_copy(update={"point_in_time": change(old.point_in_time)})
                if write_status(self._cluster, BACKUP_POLICY, body, status.to_wire()) is not None:
                    return
            raise ClusterUnavailable("The policy changes faster than it can be written.")
        except HoldfastError as error:
            _log.warning("How far the archive is cannot be told: %s", error)


class _Report:
    """Turns what was stored into the status."""

    def __init__(
        self,
        chronicle: Chronicle,
        write: Callable[[Callable[[PointInTimeStatus | None], PointInTimeStatus]], None],
        clock: Clock,
    ) -> None:
        self._chronicle, self._write, self._clock = chronicle, write, clock
        self._next: datetime | None = None
        self._lineage = ""

    def stored(self, name: SliceName, gap: str | None) -> None:
        self._chronicle.add(name, gap)
        now, begins = self._clock(), name.lineage != self._lineage
        if not begins and self._next is not None and now < self._next:
            return
        self._next, self._lineage = now + MOST_OFTEN, name.lineage
        found = self._chronicle.look(now)
        if found is None:
            return
        status = status_of(found, now)

        def change(known: PointInTimeStatus | None) -> PointInTimeStatus:
            ahead = known is not None and known.reason is None and known.lineage == status.lineage
            if known is not None and ahead and known.to and status.to and known.to > status.to:
                return known  # a second archiver is further
            return status

        self._write(change)
