"""What a restore writes down in its target, so that whoever comes after it knows what it had made and how far it was.

``restore/ID`` is one restore, ``restore/ID/NAME`` a collection that it made. A collection is known by its UUID, which a
rename keeps: what somebody else made under the same name is not ours.
"""

from collections.abc import Container, Iterable, Mapping
from datetime import datetime

from holdfast.domain.restoring import identity_of, is_own, scratch_name
from holdfast.ports import CollectionInfo, Target

_PREFIX = "restore/"


def token_of(token: str, backup_id: str, database: str) -> str:
    """The token that was given, or one for those who give none: the same backup into the same database."""
    return token or f"{backup_id} {database}"


class Notes:
    """The notes of one restore. Reads them when it is made."""

    def __init__(self, target: Target, token: str) -> None:
        self._target, self.token = target, token
        self._key = f"{_PREFIX}{identity_of(token)}"
        self._all = target.notes(_PREFIX)

    @property
    def begun(self) -> bool:
        """An earlier attempt has left notes."""
        return self._key in self._all

    @property
    def replacing(self) -> bool:
        """An earlier attempt had proven what it had made ready, and had begun to change what is seen."""
        return self._all.get(self._key, {}).get("replacing") == "yes"

    @property
    def strategy(self) -> str | None:
        """By which an earlier attempt went: what it put into place must not look like a reason for another."""
        return self._all.get(self._key, {}).get("strategy")

    @property
    def done(self) -> bool:
        """An earlier attempt had proven all of it, and died while it cleared up."""
        return self._all.get(self._key, {}).get("done") == "yes"

    def scratch(self, name: str) -> str:
        return scratch_name(self.token, name)

    def is_made(self, name: str, uuid: bytes | None) -> bool:
        """Whether the collection with this UUID is what this restore made for ``name``."""
        note = self._of(name)
        return note is not None and uuid is not None and note["uuid"] == uuid.hex()

    def is_ours(self, there: CollectionInfo, uuid: bytes | None) -> bool:
        """Whether what has this name in the target was made by this restore, finished or not.

        A kill between the creation of a collection and the note of its UUID leaves an empty one that was announced.
        """
        note = self._of(there.name)
        if note is None:
            return False
        if self.is_made(there.name, uuid):
            return True
        announced = note["place"] == there.name and not note["uuid"]
        return announced and (there.type == "view" or self._is_empty(there))

    def ours(self, catalogue: Iterable[CollectionInfo]) -> set[str]:
        """Names in the target behind which is what this restore made."""
        identities = self._target.identities() if self.begun else {}
        return {one.name for one in catalogue if self.is_ours(one, identities.get(one.name))}

    def begin(self, backup_id: str, strategy: str, now: datetime) -> None:
        if not self.begun:
            begun = f"{now:%Y-%m-%d %H:%M} UTC"
            note = {"token": self.token, "backupId": backup_id, "strategy": strategy, "begun": begun}
            self._write(self._key, note)

    def begin_replacing(self) -> None:
        """From here on, others see changes."""
        self._write(self._key, self._all[self._key] | {"replacing": "yes"})

    def make(self, name: str, place: str, uuid: bytes | None) -> None:
        """``place``: the collection's name for now. Without a ``uuid``, it is about to be made."""
        self._write(self._key_of(name), {"name": name, "place": place, "uuid": uuid.hex() if uuid else ""})

    def withdraw(self, names: Iterable[str]) -> None:
        """Somebody else was faster: of what was about to be made under these names, nothing is ours."""
        for name in names:
            note = self._of(name)
            if note and note["place"] == name and not note["uuid"]:
                key = self._key_of(name)
                self._target.delete_note(key)
                del self._all[key]

    def finish(self, *, keep: bool = False) -> None:
        """All is in place and proven: forget this restore. Whoever finds the notes half removed knows that it is so.
        ``keep``: let somebody else forget it, later."""
        self._write(self._key, self._all[self._key] | {"done": "yes"})
        if not keep:
            self.clear()

    def clear(self) -> None:
        """Forget this restore."""
        ours = [key for key in self._all if key.startswith(self._key)]
        for key in sorted(ours, reverse=True):  # its own note last: until then the others are known to be its
            self._target.delete_note(key)
            del self._all[key]

    def drop_scratch(self, keep: Container[str] = frozenset()) -> None:
        """Drop what this restore had made ready aside, but for the collections of these names."""
        self._drop_scratch_of(self._key, keep)

    def drop_dead(self) -> None:
        """Drop what restores that died had made ready, and never put into place. The lease is ours: none of them lives.

        One that had begun to replace is left as it is: to run it again would finish it.
        """
        for key, note in list(self._all.items()):
            unfinished = note.get("replacing") == "yes" and note.get("done") != "yes"
            if key == self._key or not _is_restore(key) or unfinished:
                continue
            self._drop_scratch_of(key)
            for one in [one for one in self._all if one.startswith(key)]:
                self._target.delete_note(one)
                del self._all[one]

    def left_by_others(self) -> list[str]:
        """What restores that died, or are at work, have left."""
        told = []
        for key, note in self._all.items():
            if key == self._key or not _is_restore(key):
                continue
            places = sorted(one["place"] for name, one in self._all.items() if name.startswith(f"{key}/"))
            what = f"A restore of backup {note['backupId']}, begun {note['begun']}, has not ended"
            if note.get("replacing") == "yes":
                told.append(f"{what}, and may be half in place: {', '.join(places[:10])}. To run it again finishes it.")
            else:
                told.append(f"{what}. If it is dead, what it left is removed: {', '.join(places[:10]) or 'nothing'}.")
        return told

    def _drop_scratch_of(self, key: str, keep: Container[str] = frozenset()) -> None:
        there = self._target.identities()
        for name, one in self._all.items():
            if name.startswith(f"{key}/") and is_own(place := one["place"]) and place in there and place not in keep:
                self._target.drop(place)

    def _of(self, name: str) -> Mapping[str, str] | None:
        return self._all.get(self._key_of(name))

    def _key_of(self, name: str) -> str:
        return f"{self._key}/{identity_of(name)}"

    def _is_empty(self, there: CollectionInfo) -> bool:
        # By reading: the server keeps no count of a time-series, and a wrong one after a crash.
        return not any(self._target.read(there, None))

    def _write(self, key: str, note: dict[str, str]) -> None:
        self._target.write_note(key, note)
        self._all[key] = note


def _is_restore(key: str) -> bool:
    return key.startswith(_PREFIX) and key.count("/") == 1
