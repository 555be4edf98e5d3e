"""What a backup does before it reads: look at the server, at what there was before, and at the room there is."""

from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.domain.consistency import Consistency
from holdfast.domain.selection import select
from holdfast.domain.sharded import HINT, WHAT_IT_WOULD_NEED
from holdfast.domain.snapshot_window import measured_rate, seconds_needed
from holdfast.errors import InvalidSpec, StoreFull
from holdfast.ports import Estimate, Progress, ServerInfo, Source
from holdfast.repository.manifest import Manifest
from holdfast.repository.repository import Repository
from holdfast.services.backup_request import BackupRequest

WORTH_A_CREW = 32 * 1024 * 1024
"""Raw bytes. Less is read before other processes have connected, and is not divided."""


@dataclass(frozen=True)
class Lost:
    """What attempts teach that had too little time: how many there were, and how fast the last one read."""

    snapshots: int = 0
    rate: float | None = None


def server_of(source: Source) -> ServerInfo:
    """What the source is. InvalidSpec for what cannot be backed up."""
    server = source.server()
    if server.topology == "sharded":
        raise InvalidSpec(
            "The source is a sharded cluster (a mongos answered); Holdfast backs up replica sets and standalones. "
            f"{WHAT_IT_WOULD_NEED}",
            hint=HINT,
        )
    return server


def previous_of(repository: Repository, database: str, progress: Progress) -> Manifest | None:
    """The newest backup of the same database: its chunks are known to be in the store."""
    for manifest in repository.manifests(lambda damage: progress.warn(str(damage))):
        if manifest.database == database:
            return manifest
    return None


def window_needed(request: BackupRequest, source: Source, previous: Manifest | None, lost: Lost) -> int:
    """For how many seconds the server must keep its snapshots. 0: none is wanted."""
    if request.consistency is Consistency.NONE:
        return 0
    catalogue = {c.name: c for c in source.catalogue()}
    chosen = select(list(catalogue), request.include, request.exclude).chosen
    size = sum(source.estimate(catalogue[name]).logical_bytes for name in chosen)
    rate = lost.rate
    if rate is None and previous:
        took = previous.completion_time - previous.start_time
        rate = measured_rate(previous.logical_bytes, took.total_seconds())
    return seconds_needed(size, rate=rate, limit=request.max_bytes_per_second, lost=lost.snapshots)


def check_room(repository: Repository, estimates: Mapping[str, Estimate], *, first: bool) -> None:
    """StoreFull if the store says that it has too little room. ``first``: nothing of it is there yet."""
    free = repository.store.free_bytes()
    if free is None:
        return
    on_disk = sum(estimate.storage_bytes for estimate in estimates.values())
    # The server compresses less than we do, so its size on disk is an upper bound for a first backup.
    needed = on_disk if first else on_disk // 10
    if free < needed:
        raise StoreFull(
            f"The store at {repository.store.address} has {free // 2**20} MiB free; this backup needs about "
            f"{needed // 2**20} MiB.",
            hint="Give it more room, or remove old backups.",
        )


def small(estimates: Mapping[str, Estimate]) -> bool:
    """Whether it is not worth more than one reader."""
    return sum(estimate.logical_bytes for estimate in estimates.values()) < WORTH_A_CREW
