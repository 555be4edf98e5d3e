"""Stands in for the restore engine to come."""

from collections.abc import Callable
from threading import Event

from holdfast.errors import TargetNotEmpty
from holdfast.ports import Clock, Progress, Target
from holdfast.repository.manifest import Manifest
from holdfast.repository.repository import Repository
from holdfast.services import restore as old
from holdfast.services.plan_restore import RestorePlan, RestoreRequest, plan_restore
from holdfast.services.restore_work import RestoreCrew


def restore(
    request: RestoreRequest,
    manifest: Manifest,
    repository: Repository,
    target: Target,
    progress: Progress,
    clock: Clock,
    stop: Event,
    *,
    before_replacing: Callable[[RestorePlan], None] | None = None,
    crew: RestoreCrew | None = None,
) -> old.RestoreOutcome:
    del clock
    plan = plan_restore(request, manifest, repository, target)
    if plan.conflicts:
        raise TargetNotEmpty(f"{plan.conflicts[0]} Nothing was written.")
    replaced = [c.target for c in plan.collections if c.action == "replace"]
    if replaced:
        if before_replacing:
            before_replacing(plan)
        for name in replaced:
            target._db.drop_collection(name)  # type: ignore[attr-defined]
    small = old.RestoreRequest(request.include, request.exclude)
    return old.restore(small, manifest, repository, target, progress, stop, crew)
