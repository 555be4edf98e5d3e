"""Insert the documents of a backup that a collection does not have, and say which are there in another form."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from holdfast.errors import Interrupted
from holdfast.ports import Advance, CollectionInfo, Progress, Target
from holdfast.repository.documents import split
from holdfast.repository.manifest import CollectionRecord
from holdfast.repository.repository import Repository
from holdfast.services.load import same_options

_BATCH = 1_000


@dataclass(frozen=True)
class Merged:
    """``inserted`` + ``equal`` + ``different`` is all that the backup has, unless there are ``problems``."""

    inserted: int = 0
    equal: int = 0
    different: int = 0
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def merge(
    record: CollectionRecord,
    repository: Repository,
    target: Target,
    progress: Progress,
    stop: Event,
    check: Callable[[], object] = lambda: None,
) -> Merged:
    """Given a collection of a backup, and one of the same name in the target, insert what is missing and compare.

    Nothing that is there is changed, neither documents nor options nor indexes. May be repeated: what an earlier
    attempt inserted is equal then. Raises what reading chunks and inserting raise, and Interrupted.
    """
    there = next((c for c in target.catalogue() if c.name == record.name), None)
    warnings = [] if there is None else _differences(record, there)
    inserted = equal = different = missing = done = size = 0
    for ref in repository.chunk_refs(record) if record.type != "view" else ():
        data = repository.read_chunk(ref.id)
        documents = list(split(data))
        for start in range(0, len(documents), _BATCH):
            if stop.is_set():
                raise Interrupted(
                    f"The merge was stopped in collection {record.name!r}.", hint="To run it again goes on with it."
                )
            check()
            batch = documents[start : start + _BATCH]
            new = target.insert(record.info, b"".join(batch), only_missing=True)
            found = target.counterparts(record.info, batch)
            same = len(set(batch) & set(found))
            inserted += new
            equal += same - new
            different += len(found) - same
            missing += len(batch) - len(found)
            done += len(batch)
        size += len(data)
        progress.advance(Advance(record.name, done, size, 0, record.documents, record.logical_bytes))
    problems = []
    if missing:
        problems.append(
            f"{missing} documents of {record.name!r} are not in the target: other documents there have the values of "
            "their unique indexes, or were removed meanwhile."
        )
    if different:
        warnings.append(f"{different} documents of {record.name!r} are there in another form, and were left so.")
    return Merged(inserted, equal, different, tuple(problems), tuple(warnings))


def _differences(record: CollectionRecord, there: CollectionInfo) -> list[str]:
    told = []
    if not same_options(there, record, ordered=False):
        told.append(f"{record.type.capitalize()} {record.name!r} has other options than in the backup, and kept them.")
    if set(record.indexes) - set(there.indexes):
        told.append(f"Collection {record.name!r} lacks indexes of the backup, or has others of their names.")
    return told
