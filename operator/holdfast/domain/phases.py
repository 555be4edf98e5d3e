"""The phases of a run, and the only place that says which move is allowed.

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


class CollectionPhase(StrEnum):
    """Where one collection of a run stands."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    MISSING = "Missing"
    """Named in the policy but not in the database: a warning, never silence."""


TERMINAL = frozenset({Phase.SUCCEEDED, Phase.PARTIALLY_FAILED, Phase.FAILED, Phase.CANCELLED})

MOVES: dict[Phase, frozenset[Phase]] = {
    Phase.PENDING: frozenset({Phase.RUNNING, Phase.FAILED, Phase.CANCELLED}),
    # A retried pod starts again from Running; a partial backup is verified too.
    Phase.RUNNING: frozenset({Phase.RUNNING, Phase.VERIFYING, Phase.FAILED, Phase.CANCELLED}),
    Phase.VERIFYING: frozenset({Phase.RUNNING, Phase.SUCCEEDED, Phase.PARTIALLY_FAILED, Phase.FAILED, Phase.CANCELLED}),
} | dict.fromkeys(TERMINAL, frozenset())


def may_move(current: Phase, to: Phase) -> bool:
    """Whether a run in ``current`` may be reported as ``to``."""
    return to in MOVES[current]
