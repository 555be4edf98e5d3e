"""How a RestoreRun gets to what it wants: a backup, or a backup and the oplog behind it."""

from collections.abc import Callable
from dataclasses import dataclass

from holdfast.ports import ClusterTime
from holdfast.repository.manifest import Manifest
from holdfast.repository.repository import Repository
from holdfast.resources.restore_run import RestoreRun
from holdfast.services.find_backup import find_backup
from holdfast.services.find_event import Accident, time_before
from holdfast.services.reach import END_OF_SECOND, Reach, find_reach, point_of


@dataclass(frozen=True)
class Way:
    """``reach``: how it goes on behind the backup; None if it does not."""

    manifest: Manifest
    reach: Reach | None = None


def find_way(run: RestoreRun, policy: str, repository: Repository, warn: Callable[[str], None]) -> Way:
    """Given a run of a policy's name. BackupNotFound, TimeNotReachable, and what the store raises.

    Where an earlier attempt wanted to go is gone to again: what happened last may be another accident by now.
    """
    if not run.spec.source.replays:
        return Way(find_backup(run, policy, repository, warn))
    owner = (run.metadata.namespace, policy)
    until = _until(run, repository, owner)
    reach = find_reach(repository, None, until, run.status.backup_id or "latest", owner)
    return Way(reach.manifest, reach)


def _until(run: RestoreRun, repository: Repository, owner: tuple[str, str]) -> ClusterTime:
    source = run.spec.source
    if noted := run.status.point_in_time:
        return point_of(noted.cluster_time)
    if source.before:
        accident = Accident(source.before.operation.value, source.before.namespace)
        return time_before(repository, None, accident, owner)
    assert source.point_in_time is not None, "a run of this kind names one of them"  # noqa: S101
    return ClusterTime(int(source.point_in_time.timestamp()), END_OF_SECOND)
