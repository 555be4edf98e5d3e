"""Restore as a plan says: back up and drop what is replaced, then restore and prove the rest."""

from collections.abc import Callable
from threading import Event

from holdfast.domain.restoring import Existing
from holdfast.errors import DamagedBackup, InvalidSpec, TargetNotEmpty
from holdfast.ports import Clock, Progress, Target
from holdfast.repository.manifest import Manifest
from holdfast.repository.repository import Repository
from holdfast.services import restore as loader
from holdfast.services.plan_restore import RestorePlan, RestoreRequest, plan_restore
from holdfast.services.restore_work import RestoreCrew
from holdfast.services.verify import verify


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
) -> loader.RestoreOutcome:
    """Given what is wanted, do it. ``before_replacing`` is called before anything is dropped.

    Raises: TargetNotEmpty or InvalidSpec before anything is written, and what the loader raises.
    """
    del clock
    plan = plan_restore(request, manifest, repository, target)
    if plan.conflicts:
        raise TargetNotEmpty(
            f"{' '.join(plan.conflicts)} Nothing was written.", hint="Drop it, or name another database."
        )
    replaced = [one.target for one in plan.collections if one.action == "replace"]
    if replaced:
        if request.existing is Existing.DROP and request.confirm is None:
            raise InvalidSpec(f"Database {target.database!r} is not confirmed.", hint="Name it once more.")
        _require_chunks(plan, manifest, repository, stop)
        if before_replacing:
            before_replacing(plan)
        for name in replaced:
            target.drop(name)
    return loader.restore(
        loader.RestoreRequest(request.include, request.exclude), manifest, repository, target, progress, stop, crew
    )


def _require_chunks(plan: RestorePlan, manifest: Manifest, repository: Repository, stop: Event) -> None:
    """DamagedBackup unless every chunk is known to be there, before anything is dropped."""
    names = {one.name for one in plan.collections if one.action != "skip"}
    needed = manifest.model_copy(update={"collections": tuple(c for c in manifest.collections if c.name in names)})
    if problems := verify(repository, needed, stop=stop).problems:
        raise DamagedBackup(
            f"Backup {manifest.backup_id} cannot be restored: {' '.join(problems[:3])}",
            hint="Nothing was changed. Restore another backup.",
        )
