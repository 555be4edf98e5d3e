"""What a repository holds in all, and how much of it is shared between its backups."""

from dataclasses import dataclass

from holdfast.errors import DamagedBackup
from holdfast.repository.repository import Repository


@dataclass(frozen=True)
class Totals:
    backups: int
    logical_bytes: int
    """Raw bytes of all backups, as if nothing were shared."""
    stored_bytes: int
    """Bytes of the chunks and lists that the backups need, each counted once."""
    chunks: int
    damaged: int
    """Backups whose manifest or lists cannot be read; not counted above."""

    @property
    def reuse(self) -> float:
        """Raw bytes for each stored one: what compressing and sharing save together."""
        return self.logical_bytes / self.stored_bytes if self.stored_bytes else 1.0


def totals(repository: Repository) -> Totals:
    """Given an open repository, read all manifests and lists of chunks, each once."""
    damaged: list[DamagedBackup] = []
    lists: dict[str, int] = {}
    chunks: dict[bytes, int] = {}
    backups = logical = 0
    for manifest in repository.manifests(damaged.append):
        try:
            for collection in manifest.collections:
                for list_id in collection.chunk_lists:
                    if list_id not in lists:
                        chunks |= {ref.id: ref.stored_bytes for ref in repository.refs_in((list_id,))}
                        lists[list_id] = repository.chunk_size(bytes.fromhex(list_id)) or 0
        except DamagedBackup as error:
            damaged.append(error)
            continue
        backups += 1
        logical += manifest.logical_bytes
    stored = sum(chunks.values()) + sum(lists.values())
    return Totals(backups, logical, stored, len(chunks), len(damaged))
