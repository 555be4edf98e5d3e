"""Which collections of a database a policy means. Globs are those of the shell: ``*``, ``?``, ``[a-z]``."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from holdfast.domain.restoring import is_own

BACKUP_COLLECTIONS = frozenset({"backupmetadatas", "backupdatas"})
"""Where the MongoDB store keeps backups. They are never backed up: a backup would hold all those before it."""


@dataclass(frozen=True)
class Selection:
    """``chosen`` in the order given; ``missing``: names, not globs, that the database does not have."""

    chosen: tuple[str, ...]
    missing: tuple[str, ...]


def select(names: Iterable[str], include: Sequence[str] = (), exclude: Sequence[str] = ()) -> Selection:
    """Apply globs to the names that exist. No ``include`` means all."""
    existing = [name for name in names if name not in BACKUP_COLLECTIONS and not is_own(name)]
    chosen = tuple(name for name in existing if (not include or matches(name, include)) and not matches(name, exclude))
    missing = tuple(
        pattern
        for pattern in dict.fromkeys(include)
        if not any(fnmatchcase(name, pattern) or name == pattern for name in existing) and pattern not in exclude
    )
    return Selection(chosen, missing)


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name equals or matches any of the patterns; a name with ``[`` in it may be given as it is."""
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)
