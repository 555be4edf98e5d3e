"""Apply a policy's rule to its repository, by the manifests, and have the BackupRuns say what became of it.

Nothing here can fail a backup: what goes wrong is told beside it, and the operator makes up for it.
"""

from datetime import datetime, timedelta
from threading import Event

from holdfast.domain.human import human_bytes
from holdfast.domain.phases import Phase
from holdfast.domain.schedule import parse_zone
from holdfast.errors import DamagedBackup
from holdfast.ports import BACKUP_RUN, RESTORE_RUN, Clock, Cluster, ClusterTime
from holdfast.repository.holds import follow_runs
from holdfast.repository.repository import Repository
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.retention import REMOVED_LIMIT, RunRetention
from holdfast.resources.run import BackupRun, BackupRunStatus
from holdfast.services.import_runs import import_after_prune
from holdfast.services.policy_runs import backup_id_of, runs_of
from holdfast.services.prune import Known, PruneOutcome, prune
from holdfast.services.worker_report import failure_of
from holdfast.services.write_status import amend_run, parse_restore
from holdfast.specs import run_status

PATIENCE = timedelta(minutes=2)
"""How long a worker waits to be alone. Another prune comes; the next backup must not be late."""


def apply_retention(
    cluster: Cluster, policy: BackupPolicy, repository: Repository, clock: Clock, stop: Event
) -> RunRetention:
    """Given an open repository, remove what the policy's rule does not keep, and return what came of it. Never raises.

    The BackupRuns of backups that are not there any more, whoever removed them, say so afterwards.
    """
    outcome: PruneOutcome | None = None
    try:
        outcome = _prune(cluster, policy, repository, clock, stop)
        if outcome.damaged:
            raise DamagedBackup(
                f"No storage was freed, because {len(outcome.damaged)} backups in {repository.store.address} cannot "
                f"be read: {' '.join(outcome.damaged[:3])}"
            )
        mark_runs(cluster, policy, repository, clock())
        kept = [entry.manifest.backup_id for entry in outcome.plan if entry.decision.keep]
        import_after_prune(cluster, policy, repository, kept, clock, stop, PATIENCE)
    except Exception as error:  # noqa: BLE001 (the backup is good, whatever happened here)
        failure = failure_of(error)
        return _retention(policy, clock(), outcome, failure.reason, failure.text)
    return _retention(policy, clock(), outcome)


def mark_runs(cluster: Cluster, policy: BackupPolicy, repository: Repository, now: datetime) -> None:
    """Have each BackupRun of the policy say whether its backup is in the repository."""
    runs = runs_of(cluster, policy)
    there = set(repository.backup_ids())  # after the runs: what a run that has ended speaks of was there before
    for run in runs:
        status = run.status
        if not status.terminal or status.backup_id is None or (status.backup_id in there) == run.stored:
            continue
        gone = status.backup_id not in there
        message = f"Backup {status.backup_id} is not in {repository.store.address} any more."

        def change(current: BackupRun, gone: bool = gone, message: str = message) -> BackupRunStatus | None:
            generation = current.metadata.generation
            return run_status.pruned(current.status, gone, message, now=now, generation=generation)

        amend_run(cluster, run.metadata.namespace, run.metadata.name, change)


def report_retention(cluster: Cluster, namespace: str, name: str, retention: RunRetention) -> None:
    """Write what came of it into a run that has ended, and record it as an event."""

    def change(run: BackupRun) -> BackupRunStatus:
        status = run.status.model_copy(update={"retention": retention})
        return run_status.with_warnings(status, (_warning(retention),) if retention.error else ())

    if amend_run(cluster, namespace, name, change) is None:
        return
    body = cluster.get(BACKUP_RUN, namespace, name)
    if body is None:
        return
    if retention.error:
        cluster.record(body, BACKUP_RUN, "Warning", "PruneFailed", _warning(retention))
    elif retention.removed:
        count = len(retention.removed)
        removed = "1 older backup was" if count == 1 else f"{count} older backups were"
        note = f"{removed} removed, {retention.freed_size} freed."
        cluster.record(body, BACKUP_RUN, "Normal", "Pruned", note)


def what_runs_know(cluster: Cluster, policy: BackupPolicy, repository: Repository, now: datetime) -> Known:
    """What BackupRuns and RestoreRuns say of backups. The repository takes over which of them are held."""
    runs = runs_of(cluster, policy)
    follow_runs(repository.store, {backup_id_of(run): run.held for run in runs}, now)
    return Known(
        verified=frozenset(backup_id_of(run) for run in runs if run.status.phase is Phase.SUCCEEDED),
        damaged=frozenset(backup_id_of(run) for run in runs if run.status.reason == DamagedBackup.reason),
        in_use=_being_restored(cluster, policy.metadata.namespace),
    )


def _prune(cluster: Cluster, policy: BackupPolicy, repository: Repository, clock: Clock, stop: Event) -> PruneOutcome:
    def find_out() -> Known:
        return what_runs_know(cluster, policy, repository, clock())

    owner = f"{policy.metadata.namespace}/{policy.metadata.name}"
    rule, zone = policy.spec.retention.rule, parse_zone(policy.spec.schedule.time_zone)
    within = policy.spec.point_in_time.within
    since = {owner: ClusterTime(int((clock() - within).timestamp()), 0)} if within else {}
    return prune(
        repository, rule, clock, zone, owner, stop, find_out=find_out, patience=PATIENCE, slices_since=since
    )  # fmt: skip


def _being_restored(cluster: Cluster, namespace: str) -> frozenset[str]:
    """Between two attempts of a restore nobody has a lock, and the next one wants the same backup."""
    restores = map(parse_restore, cluster.list(RESTORE_RUN, namespace))
    return frozenset(one.status.backup_id for one in restores if one.status.backup_id and not one.status.terminal)


def _retention(
    policy: BackupPolicy,
    now: datetime,
    outcome: PruneOutcome | None,
    reason: str | None = None,
    error: str | None = None,
) -> RunRetention:
    freed = outcome.freed_bytes if outcome else None
    return RunRetention(
        time=now,
        generation=policy.metadata.generation,
        removed=outcome.removed[-REMOVED_LIMIT:] if outcome else (),
        freed_bytes=freed,
        freed_size=None if freed is None else human_bytes(freed),
        reason=reason,
        error=error[:1024] if error else None,
    )


def _warning(retention: RunRetention) -> str:
    return f"The backup is good, but older ones could not be removed: {retention.error}"
