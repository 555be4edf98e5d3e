"""The status of a BackupRun: each move from one to the next, as a pure function."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from holdfast.domain.human import human_bytes, human_duration
from holdfast.domain.phases import CollectionPhase, Phase, may_move
from holdfast.domain.run_end import RunEnd
from holdfast.resources.conditions import MESSAGE_LIMIT, Condition, condition, find_condition, set_condition
from holdfast.resources.run import COLLECTIONS_LIMIT, WARNINGS_LIMIT, BackupRunStatus, CollectionStatus
from holdfast.resources.stored import as_far_as_known

COMPLETE, FAILED = "Complete", "Failed"
PRUNED = "Pruned"
"""Only there where it holds."""
RECONCILING, STALLED = "Reconciling", "Stalled"
"""The words of kstatus: work is under way; work has stopped short of its end."""

_FACTS = ("backupId", "database", "consistency", "documents", "logicalBytes", "storedBytes", "newBytes")
_COLLECTION_ORDER = {CollectionPhase.FAILED: 0, CollectionPhase.MISSING: 1, CollectionPhase.RUNNING: 2}


def moved(
    status: BackupRunStatus, phase: Phase, *, reason: str, message: str, now: datetime, generation: int
) -> BackupRunStatus:
    """``status`` in another phase that is not an end; where the phases forbid the move, in the phase that it is in.

    What has ended stays as it is."""
    if status.terminal:
        return status
    if status.phase is not None and status.phase is not phase and not may_move(status.phase, phase):
        phase = status.phase
    return status.model_copy(
        update={
            "observed_generation": generation,
            "phase": phase,
            "reason": reason,
            "message": message[:MESSAGE_LIMIT],
            "conditions": _of_phase(status.conditions, phase, reason, message, now, generation),
        }
    )


def started(status: BackupRunStatus, *, now: datetime, generation: int) -> BackupRunStatus:
    """One more pod works on it."""
    attempts = (status.attempts or 0) + 1
    message = "" if attempts == 1 else f"Attempt {attempts}."
    running = moved(status, Phase.RUNNING, reason="Running", message=message, now=now, generation=generation)
    return running.model_copy(update={"attempts": attempts, "start_time": status.start_time or now})


def joined(status: BackupRunStatus, *, now: datetime, generation: int) -> BackupRunStatus | None:
    """One more of several pods works on it: no other attempt. None if that is told already."""
    if status.phase not in (None, Phase.PENDING):
        return None
    running = moved(status, Phase.RUNNING, reason="Running", message="", now=now, generation=generation)
    return running.model_copy(update={"start_time": status.start_time or now})


def ended(status: BackupRunStatus, end: RunEnd, *, now: datetime, generation: int) -> BackupRunStatus:
    """The run is over. What the worker said about its backup is taken over. There is one end, the first."""
    if status.terminal:
        return status
    # While it worked, they told how far it was: of an end, that is not the truth any more.
    failed = tuple(one for one in status.collections if one.phase is CollectionPhase.FAILED)
    status = status.model_copy(update={"collections": failed, "collections_omitted": None})
    if end.worker:
        status = with_facts(status, end.worker.status)
    began = status.start_time or now
    told = end.message or (whole(status) if end.phase is Phase.SUCCEEDED else "")
    return status.model_copy(
        update={
            "observed_generation": generation,
            "phase": end.phase,
            "reason": end.reason,
            "message": end.message[:MESSAGE_LIMIT],
            "start_time": began,
            "completion_time": now,
            "duration": human_duration(now - began),
            "progress": "100%" if end.phase is Phase.SUCCEEDED else status.progress,
            "conditions": _of_phase(status.conditions, end.phase, end.reason, told, now, generation),
        }
    )


def whole(status: BackupRunStatus) -> str:
    """What there is to say of a good backup."""
    size = "" if status.stored_bytes is None else f", {human_bytes(status.stored_bytes)} as stored"
    return f"Backup {status.backup_id} is whole and verified: {status.documents or 0} documents{size}."


def with_facts(status: BackupRunStatus, facts: Mapping[str, Any]) -> BackupRunStatus:
    """``status`` with what a manifest says, under the same names."""
    merged = {**status.to_wire(), **{name: facts[name] for name in _FACTS if name in facts}}
    if "collections" in facts:
        collections = [CollectionStatus.model_validate(item) for item in facts["collections"]]
        shown, omitted = shorten(collections)
        merged["collections"] = [item.to_wire() for item in shown]
        merged["collectionsOmitted"] = omitted or None
    if "storedBytes" in facts:
        merged["storedSize"] = human_bytes(facts["storedBytes"])
    if "newBytes" in facts:
        merged["newSize"] = human_bytes(facts["newBytes"])
    # A newer worker may have words that this release has not.
    return as_far_as_known(BackupRunStatus.model_validate, merged)[0]


def shorten(collections: Iterable[CollectionStatus]) -> tuple[tuple[CollectionStatus, ...], int]:
    """What fits into an object, failed ones first, and how many were left out."""
    ordered = sorted(collections, key=lambda item: (_COLLECTION_ORDER.get(item.phase, 3), item.name))
    return tuple(ordered[:COLLECTIONS_LIMIT]), max(0, len(ordered) - COLLECTIONS_LIMIT)


def with_warnings(status: BackupRunStatus, warnings: Iterable[str]) -> BackupRunStatus:
    known = dict.fromkeys([*status.warnings, *(warning[:1024] for warning in warnings)])
    return status.model_copy(update={"warnings": tuple(known)[:WARNINGS_LIMIT]})


def pruned(status: BackupRunStatus, gone: bool, message: str, *, now: datetime, generation: int) -> BackupRunStatus:
    """The backup of an ended run is not in the repository any more; or it is there again, as in another place."""
    if not gone:
        conditions = tuple(one for one in status.conditions if one.type != PRUNED)
        return status.model_copy(update={"prune_time": None, "conditions": conditions})
    said = condition(PRUNED, True, "Removed", message, now=now, generation=generation)
    update = {"prune_time": status.prune_time or now, "conditions": set_condition(status.conditions, said)}
    return status.model_copy(update=update)


def _of_phase(
    conditions: Sequence[Condition], phase: Phase, reason: str, message: str, now: datetime, generation: int
) -> tuple[Condition, ...]:
    complete, failed = phase is Phase.SUCCEEDED, phase.terminal and phase is not Phase.SUCCEEDED
    return run_conditions(conditions, complete, failed, reason, message, now=now, generation=generation)


def run_conditions(
    conditions: Sequence[Condition],
    complete: bool,
    failed: bool,
    reason: str,
    message: str,
    *,
    now: datetime,
    generation: int,
) -> tuple[Condition, ...]:
    """What a run of either kind says to ``kubectl wait`` and to kstatus; neither complete nor failed: at work."""

    def say(type_: str, holds: bool) -> Condition:
        return condition(type_, holds, reason, message, now=now, generation=generation)

    result = set_condition(conditions, say(COMPLETE, complete))
    result = set_condition(result, say(FAILED, failed))
    for type_, holds in ((RECONCILING, not (complete or failed)), (STALLED, failed)):
        if holds:
            result = set_condition(result, say(type_, True))
        elif find_condition(result, type_):
            result = tuple(one for one in result if one.type != type_)
    return result
