"""What became of a restore."""

from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.domain.restoring import Strategy
from holdfast.errors import CollectionFailed
from holdfast.services.merge import Merged
from holdfast.services.restore_plan import Decision


@dataclass(frozen=True)
class RestoredCollection:
    """``name``: in the target. ``merged``: what became of its documents where others were there already."""

    name: str
    documents: int
    bytes: int
    indexes: int
    merged: Merged | None = None


@dataclass(frozen=True)
class RestoreOutcome:
    """``problems`` is empty when every collection was compared and found equal to the backup.

    A merge is good when every document of the backup is there; those that differ are told in ``warnings``.
    """

    collections: tuple[RestoredCollection, ...]
    skipped: tuple[str, ...]
    """Collections that the backup itself could not read, and so cannot give back."""
    problems: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    strategy: Strategy = Strategy.DIRECT
    repeated: int = 0
    """Writes done during the backup that were repeated behind the comparison, to make all show one moment."""
    proof_seconds: float = 0.0
    """What the comparison of the documents took, of the whole."""

    @property
    def merged(self) -> bool:
        """Whether it was added to what was there: equal to the backup is then only what was restored as new."""
        return any(one.merged for one in self.collections)


def outcome_of(decision: Decision, merged: Mapping[str, Merged] | None = None) -> RestoreOutcome:
    """That all is as it was planned."""
    done = merged or {}
    return RestoreOutcome(
        collections=tuple(
            RestoredCollection(
                one.plan.target, one.plan.documents, one.plan.bytes, one.plan.indexes, done.get(one.plan.target)
            )
            for one in decision.chosen
        ),
        skipped=tuple(one.name for one in decision.plan.collections if one.action == "skip"),
        problems=(),
        warnings=tuple(warning for one in done.values() for warning in one.warnings),
        strategy=decision.plan.strategy,
    )


def require_equal(outcome: RestoreOutcome) -> None:
    """CollectionFailed, with every difference, unless the restored data was proven equal to the backup."""
    if outcome.problems:
        raise CollectionFailed(" ".join(outcome.problems[:10]), hint="Do not use what was restored.")
