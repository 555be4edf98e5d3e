"""Restore a database as it was at a point in time: a backup from before it, and then what the oplog says.

May be killed anywhere: a note in the target says how far it is, from the moment when the backup is in place.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from struct import Struct
from threading import Event

from holdfast.domain.restoring import is_own
from holdfast.ports import Clock, Progress, Replayer, Target
from holdfast.repository.documents import elements
from holdfast.repository.manifest import CollectionRecord, Manifest
from holdfast.repository.repository import Repository
from holdfast.services.plan_to_point import (
    Foreseen,
    base_request,
    conflict_with,
    course_of,
    foresee,
    note_of,
    token_of,
    warnings_of,
)
from holdfast.services.reach import Reach, told
from holdfast.services.replay import Course, Replay
from holdfast.services.restore import restore
from holdfast.services.restore_notes import Notes
from holdfast.services.restore_outcome import RestoreOutcome, require_equal
from holdfast.services.restore_request import RestoreRequest
from holdfast.services.restore_work import RestoreCrew
from holdfast.services.target_lease import leased

_INT32 = Struct("<i")
_NEVER = 2_147_483_647


@dataclass(frozen=True)
class PointOutcome:
    """``operations``: how many changes of the oplog were repeated, by this attempt. ``collections``: that are there.
    ``base``: what was restored of the backup; None where an earlier attempt did, or nothing of it is wanted."""

    collections: tuple[str, ...]
    operations: int
    warnings: tuple[str, ...]
    foreseen: Foreseen
    base: RestoreOutcome | None = None


def restore_to_point(
    request: RestoreRequest,
    reach: Reach,
    repository: Repository,
    target: Target,
    replayer: Replayer,
    progress: Progress,
    clock: Clock,
    stop: Event,
    *,
    crew: RestoreCrew | None = None,
    foreseen: Foreseen | None = None,
) -> PointOutcome:
    """Given where to and how to get there, do it. ``foreseen``: what a plan of the same has found.

    Before anything is written, all slices are read, with the errors of ``foresee``, TargetNotEmpty and NotAuthorized.
    Then what ``restore`` raises, and CollectionFailed for any change that the server refuses.
    """
    if foreseen is None:
        progress.phase("Planning", "reading the oplog")
        foreseen = foresee(request, reach)
    token = token_of(request, reach, target.database)
    note, content = note_of(token), {"backupId": reach.manifest.backup_id, "at": str(reach.since)}
    base: RestoreOutcome | None = None
    if note not in target.notes():
        if conflict := conflict_with(foreseen, request, reach.manifest, target):
            raise type(conflict)(f"{conflict.message} Nothing was written.", hint=conflict.hint)
        wanted = base_request(replace(request, token=token), reach.manifest)
        if wanted is None:
            target.write_note(note, content)
        else:
            base = restore(
                wanted, _unexpiring(reach.manifest), repository, target, progress, clock, stop,
                crew=crew, when_equal=lambda: target.write_note(note, content),
            )  # fmt: skip
            require_equal(base)
    with leased(target, f"the replay up to {reach.until}", stop) as lease:
        Notes(target, token).clear()  # a kill may have left them
        progress.phase("Replaying", f"Repeating what the oplog says, up to {told(reach.until)}.")
        way = course_of(request, reach)
        replay = Replay(way, replayer, target, note, lease.check, stop)
        replay.run(target.notes()[note])
        _finish(way, replayer, target, lease.check)
        target.settle()
        target.delete_note(note)
    return PointOutcome(way.names.targets, replay.operations, warnings_of(way), foreseen, base)


def _finish(way: Course, replayer: Replayer, target: Target, check: Callable[[], object]) -> None:
    """What a restore in the source had made ready and not put into place goes; what expires may begin to."""
    for name in way.names.targets:
        if is_own(name):
            target.drop(name)
    for (collection, index), seconds in sorted(way.expiries.items()):
        if not is_own(collection) and collection in way.names.targets:
            check()
            replayer.expire(collection, index, seconds)


def _unexpiring(manifest: Manifest) -> Manifest:
    """The backup with nothing in it that expires soon: that is put right at the end."""
    return manifest.model_copy(update={"collections": tuple(map(_unexpiring_collection, manifest.collections))})


def _unexpiring_collection(record: CollectionRecord) -> CollectionRecord:
    return record.model_copy(
        update={
            "indexes": tuple(map(_never, record.indexes)),
            "options": _without_expiry(record.options) if record.options else record.options,
        }
    )


def _never(index: bytes) -> bytes:
    return _changed(index, b"\x10expireAfterSeconds\0" + _INT32.pack(_NEVER))


def _without_expiry(options: bytes) -> bytes:
    return _changed(options, b"")


def _changed(document: bytes, instead: bytes) -> bytes:
    fields = b""
    for kind, name, start, end in elements(document):
        given = bytes((kind,)) + name + b"\0" + document[start:end]
        fields += instead if name == b"expireAfterSeconds" else given
    return _INT32.pack(len(fields) + 5) + fields + b"\0"
