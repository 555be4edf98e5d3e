"""What a restore is asked for."""

from dataclasses import dataclass

from holdfast.domain.restoring import Existing, Strategy


@dataclass(frozen=True)
class RestoreRequest:
    """What is wanted. ``include`` and ``exclude`` are names or globs of the backup; no ``include`` means all."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    rename: tuple[tuple[str, str], ...] = ()
    """Collections that get another name: the backup's, and the new one."""
    existing: Existing = Existing.FAIL
    strategy: Strategy = Strategy.AUTO
    confirm: str | None = None
    """The name of the target database; asked for by ``Existing.DROP``."""
    token: str = ""
    """The same for every attempt at one restore: what an earlier one left is known by it."""
    bytes_per_second: float | None = None
    """How fast past restores were."""
