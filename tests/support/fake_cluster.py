"""A cluster in memory, for tests of what talks to one. It keeps the contract in ``cluster_contract``."""

import copy
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from holdfast.errors import HoldfastError
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, RESTORE_RUN, Kind, KubeObject

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class FakeClock:
    """Stands still until it is told to move."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class FakeCluster:
    """``writes`` lists each write as (verb, kind, name); ``failing`` may raise for one before it happens."""

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        self._clock = clock or FakeClock()
        self._objects: dict[tuple[str, str, str], KubeObject] = {}
        self._version = 0
        self.writes: list[tuple[str, str, str]] = []
        self.recorded: list[tuple[str, str]] = []
        self.notes: list[str] = []
        self.refusals: dict[str, list[KubeObject]] = {}
        self.failing: Callable[[str, Kind, str], HoldfastError | None] = lambda _verb, _kind, _name: None

    def get(self, kind: Kind, namespace: str, name: str) -> KubeObject | None:
        self._fail("get", kind, name)
        return copy.deepcopy(self._objects.get((kind.plural, namespace, name)))

    def list(
        self, kind: Kind, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Sequence[KubeObject]:
        self._fail("list", kind, "")
        return [
            copy.deepcopy(body)
            for (plural, where, _), body in sorted(self._objects.items())
            if plural == kind.plural
            and namespace in (None, where)
            and (labels or {}).items() <= (body["metadata"].get("labels") or {}).items()
        ]

    def each(
        self, kind: Kind, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Iterator[KubeObject]:
        return iter(self.list(kind, namespace, labels))

    def create(self, kind: Kind, body: KubeObject) -> KubeObject | None:
        key = _key(kind, body)
        self._fail("create", kind, key[2])
        if key in self._objects:
            return None
        new = {"apiVersion": kind.api_version, "kind": kind.name, **copy.deepcopy(body)}
        new["metadata"] |= {
            "uid": str(uuid.uuid4()),
            "generation": 1,
            "creationTimestamp": self._clock().strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        if kind in (BACKUP_POLICY, BACKUP_RUN, RESTORE_RUN):
            new["status"] = {"observedGeneration": -1}
        return self._store("create", kind, new)

    def apply(self, kind: Kind, body: KubeObject) -> KubeObject:
        if (created := self.create(kind, body)) is not None:
            return created
        existing = self._objects[_key(kind, body)]
        return self._store("apply", kind, _merged(existing, body))

    def patch(self, kind: Kind, current: KubeObject, changes: Mapping[str, Any]) -> KubeObject | None:
        changes = {name: value for name, value in changes.items() if name != "status"}
        return self._patch("patch", kind, current, changes)

    def patch_status(self, kind: Kind, current: KubeObject, changes: Mapping[str, Any]) -> KubeObject | None:
        return self._patch("patch_status", kind, current, {"status": changes})

    def delete(self, kind: Kind, current: KubeObject) -> bool:
        key = _key(kind, current)
        self._fail("delete", kind, key[2])
        existing = self._objects.get(key)
        if existing is None or existing["metadata"]["uid"] != current["metadata"]["uid"]:
            return False
        self.writes.append(("delete", kind.name, key[2]))
        if existing["metadata"].get("finalizers"):
            existing["metadata"].setdefault("deletionTimestamp", self._clock().strftime("%Y-%m-%dT%H:%M:%SZ"))
        else:
            del self._objects[key]
        return True

    def events(self, about: KubeObject, reason: str) -> Sequence[KubeObject]:
        self._fail("events", BACKUP_RUN, reason)
        return [event for event in self.refusals.get(about["metadata"]["name"], []) if event["reason"] == reason]

    def record(
        self, about: KubeObject, kind: Kind, event: Literal["Normal", "Warning"], reason: str, note: str
    ) -> None:
        del about, kind
        self.recorded.append((event, reason))
        self.notes.append(note)

    def put(self, kind: Kind, body: KubeObject) -> KubeObject:
        """Have an object as a test wants it, status and all."""
        status = body.get("status")
        new = self.create(kind, {name: value for name, value in body.items() if name != "status"})
        assert new is not None, f"there is a {kind.name} of this name"
        new["metadata"] |= body["metadata"]
        if status is not None:
            new["status"] = status
        self._objects[_key(kind, new)] = new
        self.writes.clear()
        return copy.deepcopy(new)

    def _patch(self, verb: str, kind: Kind, current: KubeObject, changes: Mapping[str, Any]) -> KubeObject | None:
        key = _key(kind, current)
        self._fail(verb, kind, key[2])
        existing = self._objects.get(key)
        if existing is None:
            return None
        guard = ("uid", "resourceVersion")
        if any(existing["metadata"][field] != current["metadata"][field] for field in guard):
            return None
        new = self._store(verb, kind, _merged(existing, changes))
        if "deletionTimestamp" in new["metadata"] and not new["metadata"].get("finalizers"):
            del self._objects[key]
        return new

    def _store(self, verb: str, kind: Kind, new: KubeObject) -> KubeObject:
        key = _key(kind, new)
        old = self._objects.get(key)
        if old is not None and old == new:
            return copy.deepcopy(old)
        if old is not None and old.get("spec") != new.get("spec"):
            new["metadata"]["generation"] += 1
        self._version += 1
        new["metadata"]["resourceVersion"] = str(self._version)
        self._objects[key] = new
        self.writes.append((verb, kind.name, key[2]))
        return copy.deepcopy(new)

    def _fail(self, verb: str, kind: Kind, name: str) -> None:
        if (error := self.failing(verb, kind, name)) is not None:
            raise error


def _key(kind: Kind, body: KubeObject) -> tuple[str, str, str]:
    return kind.plural, body["metadata"]["namespace"], body["metadata"]["name"]


def _merged(old: Any, changes: Any) -> Any:
    """``old`` after a JSON merge patch."""
    if not isinstance(changes, Mapping):
        return copy.deepcopy(changes)
    result = dict(old) if isinstance(old, Mapping) else {}
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), value)
    return copy.deepcopy(result)
