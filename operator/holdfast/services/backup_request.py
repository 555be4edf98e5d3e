"""What a backup is asked for, and what comes of it."""

from dataclasses import dataclass
from datetime import datetime

from holdfast.domain.consistency import Consistency
from holdfast.repository.manifest import Manifest, PolicyIdentity


@dataclass(frozen=True)
class BackupRequest:
    """What to back up, under which id. ``include`` and ``exclude`` are names or globs; no ``include`` means all."""

    backup_id: str
    policy: PolicyIdentity | None
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    consistency: Consistency
    started: datetime
    max_bytes_per_second: int | None = None
    """Raw bytes read from the source, on average over an attempt; None for as fast as it goes."""
    reason: str | None = None
    """Goes into the manifest."""
    archived: bool = False
    """The oplog is archived beside: the backup must be one that leads on, also where no snapshot is asked for."""

    @property
    def wants_one_moment(self) -> bool:
        return self.archived or self.consistency is not Consistency.NONE


@dataclass(frozen=True)
class BackupOutcome:
    manifest: Manifest
    new_bytes: int
    warnings: tuple[str, ...]
