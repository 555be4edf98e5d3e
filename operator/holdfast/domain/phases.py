"""The phases of backups and restores, and the only place that says which move is allowed.

A run that has reached a terminal phase never leaves it.
"""

from enum import StrEnum


class Phase(StrEnum):
    PENDING = "Pending"
    RUNNING = "Running"
    VERIFYING = "Verifying"
    SUCCEEDED = "Succeeded"
    PARTIALLY_FAILED = "PartiallyFailed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"

    @property
    def terminal(self) -> bool:
        return self in TERMINAL


class RestorePhase(StrEnum):
    """Of a RestoreRun. There is no good in part: a restore is proven equal to its backup, or it failed."""

    PENDING = "Pending"
    PLANNING = "Planning"
    RESTORING = "Restoring"
    VERIFYING = "Verifying"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"

    @property
    def terminal(self) -> bool:
        return self in RESTORE_TERMINAL


class CollectionPhase(StrEnum):
    """Where one collection of a run stands."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    MISSING = "Missing"
    """Named in the policy but not in the database: a warning, never silence."""


TERMINAL = frozenset({Phase.SUCCEEDED, Phase.PARTIALLY_FAILED, Phase.FAILED, Phase.CANCELLED})
RESTORE_TERMINAL = frozenset({RestorePhase.SUCCEEDED, RestorePhase.FAILED, RestorePhase.CANCELLED})

MOVES: dict[Phase, frozenset[Phase]] = {
    # From here a run that is imported ends at once: its backup was taken before.
    Phase.PENDING: frozenset({Phase.RUNNING, *TERMINAL}),
    # A retried pod starts again from Running. Who was away while it was verified learns of its end alone.
    Phase.RUNNING: frozenset({Phase.VERIFYING, *TERMINAL}),
    Phase.VERIFYING: frozenset({Phase.RUNNING, *TERMINAL}),
} | dict.fromkeys(TERMINAL, frozenset())

_RESTORE_ENDS_BADLY = frozenset({RestorePhase.FAILED, RestorePhase.CANCELLED})

RESTORE_MOVES: dict[RestorePhase, frozenset[RestorePhase]] = {
    RestorePhase.PENDING: frozenset({RestorePhase.PLANNING}) | _RESTORE_ENDS_BADLY,
    # A retried pod plans again, whatever the one before it did; a run that only plans ends here.
    RestorePhase.PLANNING: frozenset({RestorePhase.PLANNING, RestorePhase.RESTORING, RestorePhase.SUCCEEDED})
    | _RESTORE_ENDS_BADLY,
    RestorePhase.RESTORING: frozenset({RestorePhase.PLANNING, RestorePhase.RESTORING, RestorePhase.VERIFYING})
    | _RESTORE_ENDS_BADLY,
    # Collection by collection, each is verified before the next is restored.
    RestorePhase.VERIFYING: frozenset({RestorePhase.PLANNING, RestorePhase.RESTORING, RestorePhase.SUCCEEDED})
    | _RESTORE_ENDS_BADLY,
} | dict.fromkeys(RESTORE_TERMINAL, frozenset())


def may_move(current: Phase, to: Phase) -> bool:
    """Whether a run in ``current`` may be reported as ``to``."""
    return to in MOVES[current]


def may_restore_move(current: RestorePhase, to: RestorePhase) -> bool:
    """The same of a restore."""
    return to in RESTORE_MOVES[current]
