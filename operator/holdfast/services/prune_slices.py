"""Remove the slices of oplogs that no backup needs any more: those that end before the oldest one of their database."""

from holdfast.domain.consistency import ConsistencyLevel
from holdfast.ports import ClusterTime
from holdfast.repository.repository import Repository
from holdfast.repository.slices import any_slices, drop_old
from holdfast.services.reach import time_of_backup


def prune_slices(repository: Repository) -> int:
    """Given a repository of which no manifest is damaged, return how many went. May be run at any time.

    A database without any backup keeps its slices: nobody knows when its first one comes.
    """
    if not any_slices(repository.store):
        return 0
    oldest: dict[tuple[str, str], ClusterTime] = {}
    damaged: list[object] = []
    for one in repository.manifests(damaged.append):
        if one.consistency.level is ConsistencyLevel.SNAPSHOT and one.server.replica_set:
            stream, time = (one.server.replica_set, one.database), time_of_backup(one)
            oldest[stream] = min(time, oldest.get(stream, time))
    if damaged:
        return 0
    return sum(drop_old(repository, *stream, time) for stream, time in oldest.items())
