"""What a restore to a point in time would do, before anything is changed: all that is to be repeated is read for it."""

from dataclasses import dataclass, replace

from holdfast.domain.oplog import BUCKETS, Operation
from holdfast.domain.privileges import lacking
from holdfast.domain.restoring import Existing, Strategy, identity_of, is_own
from holdfast.domain.selection import matches
from holdfast.errors import BackupNotFound, InvalidSpec, NotAuthorized, TargetNotEmpty
from holdfast.ports import ClusterTime, Target
from holdfast.repository.manifest import Manifest
from holdfast.repository.repository import Repository
from holdfast.services.plan_restore import plan_restore
from holdfast.services.reach import Reach
from holdfast.services.replay import Course, Selection, expiries_in
from holdfast.services.restore_plan import RestorePlan
from holdfast.services.restore_request import RestoreRequest


@dataclass(frozen=True)
class Foreseen:
    """What a replay will do. ``made``: collections that come on the way, by their names in the target. ``rewritten``:
    those of time-series, by the names of their buckets, in which more is done than to insert: a right of its own."""

    operations: int
    last: ClusterTime | None
    made: frozenset[str]
    collections: tuple[str, ...]
    warnings: tuple[str, ...]
    rewritten: frozenset[str] = frozenset()


def base_request(request: RestoreRequest, manifest: Manifest) -> RestoreRequest | None:
    """What of a request is for the backup: collections that came later are in no backup. None if nothing is."""
    known = [one.name for one in manifest.collections]
    include = tuple(one for one in request.include if any(matches(name, (one,)) for name in known))
    if request.include and not include:
        return None
    begun = tuple((old, new) for old, new in request.rename if old in known)
    return replace(request, include=include, rename=begun, strategy=Strategy.DIRECT)


def foresee(request: RestoreRequest, reach: Reach) -> Foreseen:
    """Read all that is to be repeated, and change nothing.

    InvalidSpec for what cannot be wanted, BackupNotFound for a collection that never was, OperationFailed for what
    cannot be repeated, DamagedBackup.
    """
    if request.existing is not Existing.FAIL:
        raise InvalidSpec(
            "A restore to a point in time writes into a database of its own, or what is missing in one, and replaces "
            "nothing.",
            hint="Restore into another database, look at it, back that up, and restore that backup over the live one.",
        )
    way, operations, last = course_of(request, reach), 0, None
    rewritten: set[str] = set()
    for time, done in way.steps():
        operations, last = operations + len(done), time
        rewritten.update(one.collection for one in done if _rewrites(one))
    seen = {one.name for one in reach.manifest.collections} | set(way.names.made)
    for pattern in request.include:
        if not any(matches(name, (pattern,)) for name in seen):
            raise BackupNotFound(
                f"Neither backup {reach.manifest.backup_id} nor the oplog behind it has a collection {pattern!r}.",
                hint="`holdfast show` lists what the backup holds.",
            )
    made = frozenset(name for name in way.names.made.values() if not is_own(name))
    return Foreseen(operations, last, made, way.names.targets, warnings_of(way), frozenset(rewritten))


def _rewrites(one: Operation) -> bool:
    return one.kind in ("update", "delete") and one.collection.startswith(BUCKETS)


def conflict_with(
    foreseen: Foreseen, request: RestoreRequest, manifest: Manifest, target: Target
) -> TargetNotEmpty | NotAuthorized | None:
    """What is in the target and would come on the way too, or what the user may not do there. What the backup itself
    brings, its own plan tells."""
    needed = dict.fromkeys(foreseen.rewritten, frozenset({"update", "remove"}))
    privileges = target.privileges() if needed else None
    if privileges is not None and (missing := sorted(lacking(privileges, target.database, needed))):
        return NotAuthorized(
            f"The user may not update and remove in {', '.join(missing[:10])} of database {target.database!r}, which "
            "the replay of a time-series takes.",
            hint="Give it the role readWriteAnyDatabase on admin, or one with these actions on these collections.",
        )
    rename = dict(request.rename)
    brought = {rename.get(one.name, one.name) for one in manifest.collections}
    there = sorted({one.name for one in target.catalogue()} & (foreseen.made - brought))
    if not there:
        return None
    return TargetNotEmpty(
        f"Database {target.database!r} has {', '.join(map(repr, there[:10]))} already, and the oplog makes it anew.",
        hint="Restore into another database, or leave it out.",
    )


def token_of(request: RestoreRequest, reach: Reach, database: str) -> str:
    """The token that was given, or one for those who give none: to the same moment, into the same database."""
    return request.token or (
        f"point {reach.manifest.backup_id} {reach.until} {database} {request.include} {request.exclude}"
    )


def note_of(token: str) -> str:
    """Under which a target knows how far such a restore is. It is there from when the backup is in place."""
    return f"point/{identity_of(token)}"


def plan_to_point(
    request: RestoreRequest, reach: Reach, repository: Repository, target: Target
) -> tuple[RestorePlan, Foreseen]:
    """What would become of the target. Changes nothing. The errors of ``foresee``, and of ``plan_restore``."""
    foreseen = foresee(request, reach)
    wanted = base_request(request, reach.manifest)
    if wanted:
        plan = plan_restore(wanted, reach.manifest, repository, target)
    else:
        plan = RestorePlan(
            reach.manifest.backup_id, target.database, Strategy.DIRECT, "", (), (), (), documents=0, bytes=0, indexes=0
        )
    why = "The oplog is replayed where the backup was restored."
    if note_of(token_of(request, reach, target.database)) in target.notes():
        told = ("An earlier attempt at this restore was cut short; this finishes it.", *foreseen.warnings)
        return replace(plan, reason_for_strategy=why, conflicts=(), warnings=told), foreseen
    conflict = conflict_with(foreseen, request, reach.manifest, target)
    return replace(
        plan,
        reason_for_strategy=why,
        conflicts=(*plan.conflicts, *([str(conflict)] if conflict else ())),
        warnings=(*plan.warnings, *foreseen.warnings),
    ), foreseen


def course_of(request: RestoreRequest, reach: Reach) -> Course:
    """What is to be repeated."""
    rename = dict(request.rename)
    return Course(reach, Selection(request.include, request.exclude, rename), expiries_in(reach.manifest, rename))


def warnings_of(way: Course) -> tuple[str, ...]:
    """What is wanted and cannot be had."""
    return tuple(
        f"{name!r} is not restored: the backup does not hold it, and the oplog does not show how it began."
        for name in sorted(way.names.passed_by)
    )
