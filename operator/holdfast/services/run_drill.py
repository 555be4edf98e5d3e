"""The worker's chain of a drill: restore the newest good backup into a place of its own, prove it, and clear up.

A failure that another try may mend ends with the exit code for that; the Job starts the next pod. Nothing is written
to the cluster: the pod's termination message is the report.
"""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from threading import Event
from typing import Any, Protocol

from holdfast.domain.human import human_bytes, human_duration
from holdfast.domain.phases import Phase
from holdfast.domain.worker_message import WorkerMessage
from holdfast.errors import HoldfastError, InvalidSpec, SourceUnavailable, TargetNotEmpty
from holdfast.ports import Clock, Cluster, Progress, Target
from holdfast.repository.locks import kept_for_reading
from holdfast.repository.manifest import Manifest
from holdfast.repository.repository import Repository
from holdfast.resources.policy import BackupPolicy
from holdfast.services.find_backup import latest_backup
from holdfast.services.find_policy import find_policy
from holdfast.services.restore import restore
from holdfast.services.restore_outcome import RestoreOutcome, require_equal
from holdfast.services.restore_request import RestoreRequest
from holdfast.services.restore_work import RestoreCrew
from holdfast.services.target_lease import leased
from holdfast.services.worker_report import EXIT_RETRY, WorkerResult, failure_of, patiently
from holdfast.services.write_status import parse_policy

_log = logging.getLogger(__name__)

MARKER = "holdfast_restore.drill"
"""The collection by which a drill knows a database as its own. Restores and backups take no notice of it."""
_EMPTY = b"\x05\0\0\0\0"
SERVER_PATIENCE = 120.0
"""Seconds for a server that starts together with us."""


class Doors(Protocol):
    """Opens what a drill needs, with what is mounted into the pod."""

    def repository(self, policy: BackupPolicy) -> AbstractContextManager[Repository]: ...

    def target(
        self, policy: BackupPolicy, manifest: Manifest
    ) -> AbstractContextManager[tuple[Target, RestoreCrew | None]]: ...


class DrillWorker:
    """One pod's work on one drill. ``wait`` sleeps, or returns early when the pod is asked to stop."""

    def __init__(
        self,
        namespace: str,
        policy: str,
        job_uid: str,
        cluster: Cluster,
        doors: Doors,
        progress: Progress,
        clock: Clock,
        stop: Event,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._namespace, self._policy, self._job_uid = namespace, policy, job_uid
        self._cluster, self._doors, self._progress = cluster, doors, progress
        self._clock, self._stop, self._wait = clock, stop, wait
        self._facts: dict[str, Any] = {}

    def work(self) -> WorkerResult:
        """Given a task, do it and return how the process ends. Never raises."""
        try:
            return self._chain()
        except Exception as error:  # noqa: BLE001 (the pod must still say what happened)
            failure = failure_of(error)
            _log.error("%s", failure.text)
            phase = None if failure.retry else Phase.FAILED
            code = EXIT_RETRY if failure.retry else failure.exit_code
            return WorkerResult(code, WorkerMessage(failure.reason, failure.text, phase, dict(self._facts)))

    def _chain(self) -> WorkerResult:
        where = (self._namespace, self._policy)
        policy = parse_policy(patiently(lambda: find_policy(self._cluster, *where), self._clock, self._wait))
        if policy.spec.verification.drill is None:
            raise InvalidSpec(f"BackupPolicy {self._namespace}/{self._policy} wants no drill any more.")
        begin = self._clock()
        with self._doors.repository(policy) as repository:
            repository.open()
            manifest = latest_backup(self._namespace, self._policy, repository, self._progress.warn)
            self._facts["backupId"] = manifest.backup_id
            purpose = f"drill of {manifest.backup_id}"
            with (
                ExitStack() as stack,
                kept_for_reading(
                    repository.store, self._clock, purpose, self._stop, self._progress.warn, repository.witness
                ),
            ):
                target, crew = self._target(stack, policy, manifest)
                outcome = self._drill(manifest, repository, target, crew)
        seconds = self._clock() - begin
        documents, size = (sum(getattr(one, what) for one in outcome.collections) for what in ("documents", "bytes"))
        self._facts |= {
            "documents": documents,
            "logicalBytes": size,
            "durationSeconds": round(seconds.total_seconds()),
        }
        text = (
            f"Backup {manifest.backup_id} was restored and proven in {human_duration(seconds)}: "
            f"{len(outcome.collections)} collections, {documents} documents ({human_bytes(size)})."
        )
        return WorkerResult(0, WorkerMessage("DrillPassed", text, Phase.SUCCEEDED, dict(self._facts)))

    def _drill(
        self, manifest: Manifest, repository: Repository, target: Target, crew: RestoreCrew | None
    ) -> RestoreOutcome:
        self._take(target)
        try:
            request = RestoreRequest(token=f"drill {self._job_uid}")
            outcome = restore(request, manifest, repository, target, self._progress, self._clock, self._stop, crew=crew)
            require_equal(outcome)
            return outcome
        finally:
            self._clear(target)

    def _target(self, stack: ExitStack, policy: BackupPolicy, manifest: Manifest) -> tuple[Target, RestoreCrew | None]:
        """The target, open. A server that starts together with us is waited for."""
        waited = 0.0
        while True:
            try:
                return stack.enter_context(self._doors.target(policy, manifest))
            except SourceUnavailable:
                if waited >= SERVER_PATIENCE or self._stop.is_set():
                    raise
            self._wait(1.0)
            waited += 1.0

    def _take(self, target: Target) -> None:
        """Have the database empty but for our marker. What a drill that died has left goes; what is not ours stays."""
        names = set(target.identities())
        if names and MARKER not in names:
            told = ", ".join(map(repr, sorted(names)[:5]))
            raise TargetNotEmpty(
                f"Database {target.database!r} on the server of the drill holds {told}, and no drill made it.",
                hint="Drop it if nobody needs it, or name another server.",
            )
        if names:
            with leased(target, "a drill that clears up after another", self._stop):
                target.drop_database()
        target.create(MARKER, _EMPTY, "collection")

    def _clear(self, target: Target) -> None:
        try:
            target.drop_database()
        except HoldfastError as error:
            # The next drill does it.
            self._progress.warn(f"Database {target.database!r} of the drill could not be removed: {error}")
