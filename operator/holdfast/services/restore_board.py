"""Where several pods that restore together meet: notes in the target, beside those of the restore itself.

- ``together/ID``: which work is open to all. Whoever leads the restore opens it.
- ``together/ID/WORK``: what it is: collections that are written, or read again.
- ``together/ID/WORK/PORTION``: a portion of it is done, and what came of it.
- ``together/ID/WORK/failed``: why it cannot be done at all.

What is open names each collection by its UUID, and is itself known by a hash of all that. So another leader that opens
the same goes on with what is done; and what was done to a collection that has gone since counts for nothing.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from holdfast.domain.restoring import identity_of
from holdfast.errors import (
    CollectionFailed,
    DamagedBackup,
    HoldfastError,
    NotAuthorized,
    OperationFailed,
    StoreFull,
)
from holdfast.ports import Target
from holdfast.services.restore_work import Sum
from holdfast.services.target_lease import LEASE

_PREFIX = "together/"
_FAILED = "failed"
_KINDS = {kind.reason: kind for kind in (DamagedBackup, NotAuthorized, OperationFailed, StoreFull)}


class Kind(StrEnum):
    """What is done to the collections."""

    WRITE = "write"
    READ = "read"


@dataclass(frozen=True)
class OpenCollection:
    """``title``: its name once all is in place. ``place``: its name for now. ``starts``: where the stretches begin that
    are read, but for the first: documents ``{_id: …}``."""

    title: str
    place: str
    uuid: bytes
    starts: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class OpenWork:
    """What is open to all pods."""

    kind: Kind
    collections: tuple[OpenCollection, ...]

    @cached_property
    def name(self) -> str:
        """The same for the same work."""
        return identity_of(self.to_text())

    def to_text(self) -> str:
        collections = [
            [one.title, one.place, one.uuid.hex(), [b64encode(start).decode() for start in one.starts]]
            for one in self.collections
        ]
        return json.dumps({"kind": self.kind.value, "collections": collections})

    @classmethod
    def from_text(cls, text: str) -> "OpenWork":
        said = json.loads(text)
        return cls(
            Kind(said["kind"]),
            tuple(
                OpenCollection(title, place, bytes.fromhex(uuid), tuple(map(b64decode, starts)))
                for title, place, uuid, starts in said["collections"]
            ),
        )


Done = Mapping[int, Sum]
"""What became of the collections in one portion, by their numbers."""


@dataclass(frozen=True)
class Standing:
    """``done``: by the numbers of portions. ``failure``: why the work cannot be done."""

    done: Mapping[int, Done]
    failure: HoldfastError | None = None


class Board:
    """The notes of one restore that several pods do, known by its token."""

    def __init__(self, target: Target, token: str) -> None:
        self._target, self.token, self.identity = target, token, identity_of(token)
        self._key = f"{_PREFIX}{self.identity}"

    def open(self, work: OpenWork) -> None:
        """Have all pods do this."""
        self._target.write_note(f"{self._key}/{work.name}", {"work": work.to_text()})
        self._target.write_note(self._key, {"open": work.name})

    def opened(self) -> str | None:
        """The name of what is open, if anything is."""
        note = self._target.note(self._key)
        return note["open"] if note else None

    def work(self, name: str) -> OpenWork | None:
        note = self._target.note(f"{self._key}/{name}")
        return OpenWork.from_text(note["work"]) if note else None

    def standing(self, work: OpenWork) -> Standing:
        root = f"{self._key}/{work.name}/"
        done, failure = {}, None
        for key, note in self._target.notes(root).items():
            what = key.removeprefix(root)
            if what == _FAILED:
                kind = _KINDS.get(note["reason"], CollectionFailed)
                failure = kind(note["message"], hint=note["hint"])
            else:
                done[int(what)] = _read(note["sums"])
        return Standing(done, failure)

    def is_done(self, work: OpenWork, portion: int) -> bool:
        return self._target.note(self._portion(work, portion)) is not None

    def add(self, work: OpenWork, portion: int, done: Done) -> None:
        sums = {number: [one.documents, one.bytes, f"{one.document_hash:x}"] for number, one in done.items()}
        self._target.write_note(self._portion(work, portion), {"sums": json.dumps(sums)})

    def fail(self, work: OpenWork, error: HoldfastError) -> None:
        """Have whoever leads end the restore."""
        note = {"reason": error.reason, "message": error.message, "hint": error.hint}
        self._target.write_note(f"{self._key}/{work.name}/{_FAILED}", note)

    def close(self) -> None:
        """Forget all of it."""
        self._target.delete_notes(f"{self._key}/")
        self._target.delete_note(self._key)

    def leader(self) -> Mapping[str, str] | None:
        """The note by which somebody holds the target, if it is for this restore. It changes while that one lives."""
        note = self._target.note(LEASE)
        return note if note and note.get("restore") == self.identity else None

    def _portion(self, work: OpenWork, portion: int) -> str:
        return f"{self._key}/{work.name}/{portion:06d}"


def forget_boards(target: Target, keep: str = "") -> None:
    """Forget what restores by several pods left that died; ``keep``: the identity of the one that is at work."""
    for key in {key.split("/")[1] for key in target.notes(_PREFIX)} - {keep}:
        target.delete_notes(f"{_PREFIX}{key}")


def _read(text: str) -> Done:
    sums = json.loads(text).items()
    return {int(number): Sum(documents, size, int(total, 16)) for number, (documents, size, total) in sums}
