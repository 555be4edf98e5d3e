"""The status of a RestoreRun: each move from one to the next, as a pure function."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from holdfast.domain.human import human_bytes, human_duration
from holdfast.domain.phases import CollectionPhase, RestorePhase, may_restore_move
from holdfast.domain.run_end import RunEnd
from holdfast.resources.conditions import MESSAGE_LIMIT
from holdfast.resources.restore_run import (
    Mode,
    PlannedCollectionStatus,
    PlanStatus,
    RestoredCollectionStatus,
    RestoreRun,
    RestoreRunStatus,
)
from holdfast.resources.run import COLLECTIONS_LIMIT, WARNINGS_LIMIT
from holdfast.resources.stored import as_far_as_known
from holdfast.specs.run_status import run_conditions

TEXT_LIMIT = 1024
"""Of one warning, conflict or error."""

_FACTS = (
    "backupId",
    "policy",
    "database",
    "strategy",
    "documents",
    "logicalBytes",
    "verification",
    "pointInTime",
    "preRestoreBackupId",
)
_COLLECTION_ORDER = {CollectionPhase.FAILED: 0, CollectionPhase.MISSING: 1, CollectionPhase.RUNNING: 2}

PAST_RUNS = 5
SHORTEST = timedelta(seconds=1)


def moved(
    status: RestoreRunStatus, phase: RestorePhase, *, reason: str, message: str, now: datetime, generation: int
) -> RestoreRunStatus:
    """``status`` in another phase that is not an end; where the phases forbid the move, in the phase that it is in."""
    if status.phase is not None and status.phase is not phase and not may_restore_move(status.phase, phase):
        phase = status.phase
    conditions = run_conditions(
        status.conditions, complete=False, failed=False, reason=reason, message=message, now=now, generation=generation
    )
    return status.model_copy(
        update={
            "observed_generation": generation,
            "phase": phase,
            "reason": reason,
            "message": message[:MESSAGE_LIMIT],
            "conditions": conditions,
        }
    )


def started(status: RestoreRunStatus, *, now: datetime, generation: int) -> RestoreRunStatus:
    """One more pod works on it."""
    attempts = (status.attempts or 0) + 1
    message = "" if attempts == 1 else f"Attempt {attempts}."
    planning = moved(status, RestorePhase.PLANNING, reason="Planning", message=message, now=now, generation=generation)
    return planning.model_copy(update={"attempts": attempts, "start_time": status.start_time or now})


def joined(status: RestoreRunStatus, *, now: datetime, generation: int) -> RestoreRunStatus | None:
    """One more of several pods works on it: no other attempt. None if that is told already."""
    if status.phase not in (None, RestorePhase.PENDING):
        return None
    planning = moved(status, RestorePhase.PLANNING, reason="Planning", message="", now=now, generation=generation)
    return planning.model_copy(update={"start_time": status.start_time or now})


def ended(status: RestoreRunStatus, end: RunEnd, *, now: datetime, generation: int) -> RestoreRunStatus:
    """The run is over. What the worker said about it is taken over."""
    phase = RestorePhase(end.phase.value)
    if end.worker:
        status = with_facts(status, end.worker.status)
    began = status.start_time or now
    complete = phase is RestorePhase.SUCCEEDED
    conditions = run_conditions(
        status.conditions, complete, not complete, end.reason, end.message, now=now, generation=generation
    )
    return status.model_copy(
        update={
            "observed_generation": generation,
            "phase": phase,
            "reason": end.reason,
            "message": end.message[:MESSAGE_LIMIT],
            "start_time": began,
            "completion_time": now,
            "duration": human_duration(now - began),
            "progress": "100%" if complete else status.progress,
            "conditions": conditions,
        }
    )


def with_facts(status: RestoreRunStatus, facts: Mapping[str, Any]) -> RestoreRunStatus:
    """``status`` with what is known of the restore, under the same names."""
    merged = {**status.to_wire(), **{name: facts[name] for name in _FACTS if name in facts}}
    if "collections" in facts:
        shown, omitted = shorten(RestoredCollectionStatus.model_validate(item) for item in facts["collections"])
        merged["collections"] = [item.to_wire() for item in shown]
        merged["collectionsOmitted"] = omitted or None
    if "logicalBytes" in facts:
        merged["size"] = human_bytes(facts["logicalBytes"])
    # A newer worker may have words that this release has not.
    return as_far_as_known(RestoreRunStatus.model_validate, merged)[0]


def with_plan(status: RestoreRunStatus, plan: PlanStatus) -> RestoreRunStatus:
    return status.model_copy(update={"plan": plan, "strategy": plan.strategy})


def fitting(
    collections: Iterable[PlannedCollectionStatus],
) -> tuple[tuple[PlannedCollectionStatus, ...], int]:
    """What of a plan fits into an object, collections with a problem first, and how many were left out."""
    ordered = sorted(collections, key=lambda item: (not item.problem, item.name))
    shown = tuple(
        item.model_copy(update={"problem": item.problem[:TEXT_LIMIT]}) if item.problem else item
        for item in ordered[:COLLECTIONS_LIMIT]
    )
    return shown, max(0, len(ordered) - COLLECTIONS_LIMIT)


def shorten(
    collections: Iterable[RestoredCollectionStatus],
) -> tuple[tuple[RestoredCollectionStatus, ...], int]:
    """What fits into an object, failed ones first, and how many were left out."""
    ordered = sorted(collections, key=lambda item: (_COLLECTION_ORDER.get(item.phase, 3), item.name))
    return tuple(ordered[:COLLECTIONS_LIMIT]), max(0, len(ordered) - COLLECTIONS_LIMIT)


def with_warnings(status: RestoreRunStatus, warnings: Iterable[str]) -> RestoreRunStatus:
    return status.model_copy(update={"warnings": texts([*status.warnings, *warnings])})


def bytes_per_second(past: Sequence[RestoreRun], policy: str) -> float | None:
    """How fast the last restores of a policy were, from plan to proof; None if there was none to measure."""
    measured: list[tuple[datetime, int, float]] = []
    for run in past:
        status = run.status
        done = run.spec.mode is Mode.APPLY and status.phase is RestorePhase.SUCCEEDED and status.policy == policy
        if done and status.start_time and status.completion_time and status.logical_bytes:
            span = max(status.completion_time - status.start_time, SHORTEST)
            measured.append((status.completion_time, status.logical_bytes, span.total_seconds()))
    last = sorted(measured, reverse=True)[:PAST_RUNS]
    return sum(size for _, size, _ in last) / sum(seconds for _, _, seconds in last) if last else None


def texts(said: Iterable[str]) -> tuple[str, ...]:
    """As much of what was said as fits into an object."""
    return tuple(dict.fromkeys(text[:TEXT_LIMIT] for text in said))[:WARNINGS_LIMIT]
