"""Remove the slices of oplogs that nobody needs: those that end before the backups that a replay begins from."""

from collections.abc import Mapping
from datetime import timedelta

from holdfast.ports import ClusterTime
from holdfast.repository.repository import Repository
from holdfast.repository.slices import Slices, any_slices, drop_old
from holdfast.services.reach import can_begin, owner_of, time_of_backup

_Stream = tuple[str, str, str]

MARGIN = timedelta(minutes=10)
"""A transaction that was open when a backup was taken began earlier. Servers end one after a minute."""


def prune_slices(
    repository: Repository,
    since: Mapping[str, ClusterTime] | None = None,
    in_use: frozenset[str] = frozenset(),
    margin: timedelta = MARGIN,
) -> int:
    """Given a repository of which no manifest is damaged, return how many went. May be run at any time.

    ``since``: by policy (``NAMESPACE/NAME``), the moment up to which its backups are too old to be replayed from; but
    those ``in_use`` are not. A database without any backup keeps its slices: nobody knows when its first one comes.
    """
    if not any_slices(repository.store):
        return 0
    since = since or {}
    oldest: dict[_Stream, ClusterTime] = {}
    too_old: dict[_Stream, ClusterTime] = {}
    damaged: list[object] = []
    for one in repository.manifests(damaged.append):
        if not can_begin(one):
            continue
        owner, time = owner_of(one), time_of_backup(one)
        stream = (one.server.replica_set or "", one.database)
        _keep(oldest, (*stream, ""), time)  # what is archived beside the policy is not for the policy to decide on
        if owner in since and time < since[owner] and one.backup_id not in in_use:
            too_old[*stream, owner] = since[owner]
        else:
            _keep(oldest, (*stream, owner), time)
    if damaged:
        return 0
    ahead = int(margin.total_seconds())
    return sum(
        drop_old(Slices(repository, *stream), ClusterTime(max(0, time.seconds - ahead), time.increment))
        for stream, time in (too_old | oldest).items()
    )


def _keep(oldest: dict[_Stream, ClusterTime], stream: _Stream, time: ClusterTime) -> None:
    oldest[stream] = min(time, oldest.get(stream, time))
