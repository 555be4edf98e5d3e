"""Which run of a policy was the last, and which the last good one."""

from datetime import UTC, datetime

from holdfast.domain.phases import Phase
from holdfast.ports import BACKUP_RUN, Cluster
from holdfast.resources.policy import BackupPolicyStatus, LastRun, LastSuccessfulRun
from holdfast.resources.run import BackupRun
from holdfast.services.write_status import parse_run
from holdfast.specs.names import POLICY_LABEL

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def last_runs(
    cluster: Cluster, namespace: str, policy: str, known: BackupPolicyStatus
) -> tuple[LastRun | None, LastSuccessfulRun | None]:
    """Given what the status already says, return what it ought to say.

    A run that somebody deleted stays in the status until a newer one takes its place: it did happen.
    """
    bodies = cluster.list(BACKUP_RUN, namespace, {POLICY_LABEL: policy})
    runs = [run for run in map(parse_run, bodies) if run.spec.policy_ref.name == policy]
    return _last(runs, known.last_run), _last_good(runs, known.last_successful_run)


def _last(runs: list[BackupRun], known: LastRun | None) -> LastRun | None:
    newest = max(runs, key=lambda run: (run.born or _NEVER, run.metadata.name), default=None)
    if newest is None:
        return known
    status = newest.status
    return LastRun(
        name=newest.metadata.name,
        phase=status.phase or Phase.PENDING,
        start_time=status.start_time,
        completion_time=status.completion_time,
        message=(status.message or None) if status.terminal else None,
    )


def _last_good(runs: list[BackupRun], known: LastSuccessfulRun | None) -> LastSuccessfulRun | None:
    good = [run for run in runs if run.status.phase is Phase.SUCCEEDED]
    newest = max(good, key=lambda run: run.status.completion_time or _NEVER, default=None)
    if newest is None or (known and (newest.status.completion_time or _NEVER) < (known.completion_time or _NEVER)):
        return known
    status = newest.status
    return LastSuccessfulRun(
        name=newest.metadata.name,
        backup_id=status.backup_id,
        completion_time=status.completion_time,
        documents=status.documents,
        stored_bytes=status.stored_bytes,
    )
