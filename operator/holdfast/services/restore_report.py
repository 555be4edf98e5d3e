"""From the spec of a RestoreRun to the engine, and from its plan and outcome to the words of the status."""

from datetime import UTC, datetime
from typing import Any

from holdfast.domain.human import human_bytes
from holdfast.domain.phases import CollectionPhase
from holdfast.resources.point_in_time import ReachedStatus
from holdfast.resources.restore_run import PlannedCollectionStatus, PlanStatus, RestoreRun
from holdfast.services.plan_to_point import Foreseen
from holdfast.services.reach import Reach, told
from holdfast.services.restore_outcome import RestoreOutcome
from holdfast.services.restore_plan import RestorePlan
from holdfast.services.restore_request import RestoreRequest
from holdfast.services.restore_to_point import PointOutcome
from holdfast.specs.restore_status import fitting, texts


def plan_status(plan: RestorePlan) -> PlanStatus:
    """As much of a plan as fits into an object."""
    collections, omitted = fitting(
        (
            PlannedCollectionStatus(
                name=one.name,
                target=one.target if one.target != one.name else None,
                type=one.type,
                action=one.action.capitalize(),
                documents=one.documents,
                bytes=one.bytes,
                indexes=one.indexes,
                existing_documents=one.existing_documents,
                problem=one.problem,
            )
            for one in plan.collections
        ),
    )
    return PlanStatus(
        strategy=plan.strategy.value,
        strategy_reason=plan.reason_for_strategy or None,
        collections=collections,
        collections_omitted=omitted or None,
        documents=plan.documents,
        bytes=plan.bytes,
        size=human_bytes(plan.bytes),
        indexes=plan.indexes,
        conflicts=texts(plan.conflicts),
        warnings=texts(plan.warnings),
        estimated_seconds=None if plan.estimated_seconds is None else round(plan.estimated_seconds),
    )


def planned_text(plan: RestorePlan) -> str:
    if plan.conflicts:
        return f"With mode: Apply this would fail. {' '.join(plan.conflicts[:3])} Nothing was changed."
    return (
        f"{len(plan.collections)} collections with {plan.documents} documents ({human_bytes(plan.bytes)}) would be "
        f"restored into database {plan.database!r} (strategy: {plan.strategy}). Nothing was changed."
    )


def _result(outcome: RestoreOutcome) -> str:
    if outcome.problems:
        return "Different"
    if outcome.merged:
        return "Present"
    return "Replayed" if outcome.repeated else "Equal"


def outcome_facts(outcome: RestoreOutcome) -> dict[str, Any]:
    """Under the names of the status, without the collections."""
    documents = sum(one.documents for one in outcome.collections)
    return {
        "documents": documents,
        "logicalBytes": sum(one.bytes for one in outcome.collections),
        "verification": {
            "result": _result(outcome),
            "collections": len(outcome.collections),
            "documents": documents,
            "differences": list(texts(outcome.problems)),
        },
    }


def outcome_collections(outcome: RestoreOutcome) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "phase": CollectionPhase.SUCCEEDED.value,
            "documents": one.documents,
            "bytes": one.bytes,
            "indexes": one.indexes,
        }
        for one in outcome.collections
    ]


def outcome_text(database: str, outcome: RestoreOutcome) -> str:
    if outcome.problems:
        told = " ".join(outcome.problems[:5])
        return f"What was restored into database {database!r} is not what was backed up. Do not use it. {told}"
    documents, size = sum(one.documents for one in outcome.collections), sum(one.bytes for one in outcome.collections)
    proof = (
        f"merged into database {database!r}: each document of the backup is there."
        if outcome.merged
        else f"restored into database {database!r}, compared, and are equal to the backup."
    )
    text = f"{len(outcome.collections)} collections with {documents} documents ({human_bytes(size)}) were {proof}"
    if outcome.repeated:
        text += f" Then {outcome.repeated} writes that were done during the backup were repeated, and none refused."
    for one in outcome.collections[:20]:
        if merged := one.merged:
            text += (
                f" {one.name}: {merged.inserted} inserted, {merged.equal} equal, {merged.different} different and left."
            )
    if outcome.skipped:
        text += f" NOT restored, because the backup does not hold them: {', '.join(outcome.skipped[:20])}."
    return text


def reached(reach: Reach, foreseen: Foreseen | None = None) -> ReachedStatus:
    """Where a restore goes to, and what lies on the way as far as that is known."""
    return ReachedStatus(
        time=datetime.fromtimestamp(reach.until.seconds, UTC),
        cluster_time=str(reach.until),
        last_change=str(foreseen.last) if foreseen and foreseen.last else None,
        operations=foreseen.operations if foreseen else None,
    )


def point_planned_text(plan: RestorePlan, reach: Reach, foreseen: Foreseen) -> str:
    if plan.conflicts:
        return planned_text(plan)
    return (
        f"Backup {plan.backup_id} ({plan.documents} documents, {human_bytes(plan.bytes)}) would be restored into "
        f"database {plan.database!r}, and the {foreseen.operations} changes behind it up to {told(reach.until)} be "
        "repeated. Nothing was changed."
    )


def point_facts(outcome: PointOutcome, reach: Reach) -> dict[str, Any]:
    """Under the names of the status, without the collections."""
    base = outcome_facts(outcome.base) if outcome.base else {}
    verification = {"result": "Replayed", "collections": len(outcome.collections), "differences": []}
    return {**base, "verification": verification, "pointInTime": reached(reach, outcome.foreseen).to_wire()}


def point_collections(outcome: PointOutcome) -> list[dict[str, Any]]:
    return [{"name": name, "phase": CollectionPhase.SUCCEEDED.value} for name in outcome.collections]


def point_text(database: str, outcome: PointOutcome, reach: Reach) -> str:
    return (
        f"Database {database!r} is as {reach.manifest.database!r} was at {told(reach.until)}: backup "
        f"{reach.manifest.backup_id} was restored, compared and equal, and the {outcome.foreseen.operations} changes "
        f"behind it were repeated. {len(outcome.collections)} collections."
    )


def restore_request(run: RestoreRun, bytes_per_second: float | None) -> RestoreRequest:
    spec = run.spec
    return RestoreRequest(
        include=spec.include,
        exclude=spec.exclude,
        rename=tuple((one.from_, one.to) for one in spec.rename),
        existing=spec.existing,
        strategy=spec.strategy,
        confirm=spec.confirm,
        token=run.metadata.uid,  # the same for every attempt: what an earlier one left is known again
        bytes_per_second=bytes_per_second,
    )
