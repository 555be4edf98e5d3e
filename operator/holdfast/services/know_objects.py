"""The cluster as it was last seen, so that a look at a policy asks the API server for next to nothing.

Events keep it fresh (``note``, ``forget``), and so does all that we write ourselves; listing a kind anew (``each``)
sets it right, whatever was missed. Answers come from it only when a kind has been listed once. What is not known is
asked for: a message that is late must not look like an object that is gone. And who was refused a write, as what was
known was old, finds the newest state at the next look.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from holdfast.ports import (
    BACKUP_POLICY,
    BACKUP_RUN,
    CRON_JOB,
    DEPLOYMENT,
    JOB,
    RESTORE_RUN,
    ROLE,
    ROLE_BINDING,
    SECRET,
    SERVICE_ACCOUNT,
    Cluster,
    Kind,
    KubeObject,
)
from holdfast.specs.names import MANAGED, POLICY_LABEL

OURS = (BACKUP_POLICY, BACKUP_RUN, RESTORE_RUN)
"""Of these all are known."""
MADE = (CRON_JOB, DEPLOYMENT, JOB, SERVICE_ACCOUNT, ROLE, ROLE_BINDING)
"""Of these those that belong to a policy, as their labels say."""
SECRET_SECONDS = 10.0
"""How long a Secret that was changed may still be used. They are never listed or watched: nobody tells of a change."""

_EVER = float("inf")


class KnownObjects:
    """A Cluster in front of another one. It may be used by several threads at once.

    ``clock``: seconds that never go back."""

    def __init__(self, cluster: Cluster, clock: Callable[[], float], *, secret_seconds: float = SECRET_SECONDS) -> None:
        self._cluster, self._clock, self._secret_seconds = cluster, clock, secret_seconds
        self._lock = threading.Lock()
        self._shelves = {kind: _Shelf(whole=kind in OURS) for kind in (*OURS, *MADE)}
        self._secrets: dict[_Place, tuple[float, bytes]] = {}

    # --- what is told ---------------------------------------------------------------------------------------------

    def note(self, kind: Kind, body: KubeObject) -> None:
        """An object is as it is now."""
        shelf, metadata = self._shelves.get(kind), body["metadata"]
        if shelf is None or not shelf.takes(body):
            return
        if "deletionTimestamp" in metadata and not metadata.get("finalizers"):
            self.forget(kind, body)  # nothing holds it: it is gone, or about to be
            return
        with self._lock:
            shelf.put(body)

    def forget(self, kind: Kind, body: KubeObject) -> None:
        """An object is not there any more."""
        if shelf := self._shelves.get(kind):
            with self._lock:
                shelf.drop(_place(body), _version(body))

    # --- what is asked for ----------------------------------------------------------------------------------------

    def get(self, kind: Kind, namespace: str, name: str) -> KubeObject | None:
        if kind == SECRET:
            return self._secret(namespace, name)
        shelf = self._shelves.get(kind)
        if shelf is not None:
            with self._lock:
                data = shelf.get((namespace, name))
            if data is not None:
                return _body(data)
        return self._ask(kind, namespace, name)

    def list(
        self, kind: Kind, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Sequence[KubeObject]:
        shelf, wanted = self._shelves.get(kind), dict(labels or {})
        if shelf is None or namespace is None or not (shelf.whole or POLICY_LABEL in wanted):
            return self._cluster.list(kind, namespace, labels)
        with self._lock:
            known = shelf.list(namespace, wanted.get(POLICY_LABEL))
        if known is None:
            return self._cluster.list(kind, namespace, labels)
        bodies = map(_body, known)
        return [body for body in bodies if wanted.items() <= (body["metadata"].get("labels") or {}).items()]

    def each(
        self, kind: Kind, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Iterator[KubeObject]:
        """Always asked for. Read to its end, it replaces what was known."""
        shelf = self._shelves.get(kind)
        if shelf is None or labels not in (None, MANAGED) or (labels is None) is not shelf.whole:
            yield from self._cluster.each(kind, namespace, labels)
            return
        with self._lock:
            begin = shelf.begin()
        for body in self._cluster.each(kind, namespace, labels):
            if shelf.takes(body):
                with self._lock:
                    shelf.put(body, listed=True)
            yield body
        with self._lock:
            shelf.end(namespace, begin)

    def events(self, about: KubeObject, reason: str) -> Sequence[KubeObject]:
        return self._cluster.events(about, reason)

    # --- what is written ------------------------------------------------------------------------------------------

    def create(self, kind: Kind, body: KubeObject) -> KubeObject | None:
        return self._noted(kind, self._cluster.create(kind, body))

    def apply(self, kind: Kind, body: KubeObject) -> KubeObject:
        applied = self._cluster.apply(kind, body)
        self.note(kind, applied)
        return applied

    def patch(self, kind: Kind, current: KubeObject, changes: Mapping[str, Any]) -> KubeObject | None:
        return self._noted(kind, self._cluster.patch(kind, current, changes), current)

    def patch_status(self, kind: Kind, current: KubeObject, changes: Mapping[str, Any]) -> KubeObject | None:
        return self._noted(kind, self._cluster.patch_status(kind, current, changes), current)

    def delete(self, kind: Kind, current: KubeObject) -> bool:
        deleted = self._cluster.delete(kind, current)
        if shelf := self._shelves.get(kind):
            with self._lock:
                # It may stay for a while, for a finalizer: then it is asked for.
                shelf.drop(_place(current), _EVER)
        return deleted

    def record(
        self, about: KubeObject, kind: Kind, event: Literal["Normal", "Warning"], reason: str, note: str
    ) -> None:
        self._cluster.record(about, kind, event, reason, note)

    def _noted(self, kind: Kind, written: KubeObject | None, before: KubeObject | None = None) -> KubeObject | None:
        """``before`` was what we knew; if nothing was written, it was old."""
        if written is not None:
            self.note(kind, written)
        elif before is not None and kind in self._shelves:
            self._ask(kind, *_place(before))
        return written

    def _ask(self, kind: Kind, namespace: str, name: str) -> KubeObject | None:
        body = self._cluster.get(kind, namespace, name)
        if body is not None:
            self.note(kind, body)
        elif shelf := self._shelves.get(kind):
            with self._lock:
                shelf.drop((namespace, name), None)
        return body

    def _secret(self, namespace: str, name: str) -> KubeObject | None:
        now, place = self._clock(), (namespace, name)
        with self._lock:
            known = self._secrets.get(place)
        if known and now - known[0] < self._secret_seconds:
            return _body(known[1])
        body = self._cluster.get(SECRET, namespace, name)
        with self._lock:
            self._secrets = {key: one for key, one in self._secrets.items() if now - one[0] < self._secret_seconds}
            if body is not None:
                self._secrets[place] = (now, _data(body))
        return body


_Place = tuple[str, str]
"""Namespace and name."""


@dataclass(slots=True)
class _Entry:
    data: bytes
    policy: str | None
    version: float | None
    stamp: int


@dataclass
class _Shelf:
    """All that is known of a kind."""

    whole: bool
    _entries: dict[str, dict[str, _Entry]] = field(default_factory=dict)
    """By namespace and name."""
    _of_policy: dict[_Place, set[str]] = field(default_factory=dict)
    """Names, by namespace and policy."""
    _complete: set[str | None] = field(default_factory=set)
    """The namespaces that have been listed; None is all of them."""
    _gone: dict[_Place, float | None] = field(default_factory=dict)
    """What has gone since a list began, and at which version."""
    _stamp: int = 0

    def takes(self, body: KubeObject) -> bool:
        return self.whole or bool(_policy(body))

    def get(self, place: _Place) -> bytes | None:
        entry = self._entries.get(place[0], {}).get(place[1])
        return entry.data if entry and self._knows(place[0]) else None

    def list(self, namespace: str, policy: str | None) -> Sequence[bytes] | None:
        """By name, as the API server does; None if not all are known."""
        if not self._knows(namespace):
            return None
        entries = self._entries.get(namespace, {})
        names = entries if policy is None else self._of_policy.get((namespace, policy), ())
        return [entries[name].data for name in sorted(names)]

    def put(self, body: KubeObject, *, listed: bool = False) -> None:
        place, version = _place(body), _version(body)
        if listed and place in self._gone and not _newer(version, self._gone[place]):
            return  # it was deleted while the list was under way
        before = self._entries.get(place[0], {}).get(place[1])
        if before is not None:
            if version is not None and version == before.version:
                before.stamp = self._stamp
                return
            if before.version is not None and version is not None and version < before.version:
                return  # it comes late
            self._unlink(place, before)
        entry = _Entry(_data(body), _policy(body), version, self._stamp)
        self._entries.setdefault(place[0], {})[place[1]] = entry
        if entry.policy:
            self._of_policy.setdefault((place[0], entry.policy), set()).add(place[1])

    def drop(self, place: _Place, version: float | None) -> None:
        """``version``: at which it was gone; None if that is not known."""
        self._gone[place] = version
        entry = self._entries.get(place[0], {}).get(place[1])
        if entry is None or (entry.version is not None and version is not None and version < entry.version):
            return  # another of its name came after it
        self._unlink(place, entry)
        del self._entries[place[0]][place[1]]

    def begin(self) -> int:
        self._stamp += 1
        self._gone.clear()
        return self._stamp

    def end(self, namespace: str | None, begin: int) -> None:
        """All that there is has been put since ``begin``."""
        for where in [namespace] if namespace is not None else list(self._entries):
            names = self._entries.get(where, {})
            for name, entry in [(name, entry) for name, entry in names.items() if entry.stamp < begin]:
                self._unlink((where, name), entry)
                del names[name]
        self._complete.add(namespace)

    def _knows(self, namespace: str) -> bool:
        return None in self._complete or namespace in self._complete

    def _unlink(self, place: _Place, entry: _Entry) -> None:
        if entry.policy:
            names = self._of_policy[place[0], entry.policy]
            names.discard(place[1])
            if not names:
                del self._of_policy[place[0], entry.policy]


def _place(body: KubeObject) -> _Place:
    return body["metadata"]["namespace"], body["metadata"]["name"]


def _policy(body: KubeObject) -> str | None:
    return (body["metadata"].get("labels") or {}).get(POLICY_LABEL)


def _version(body: KubeObject) -> float | None:
    """Versions of one kind count upwards; one that is no number is only told apart."""
    text = str(body["metadata"].get("resourceVersion", ""))
    return int(text) if text.isdigit() else None


def _newer(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and one > other


def _data(body: KubeObject) -> bytes:
    """Small, as thousands are kept: without who wrote which field."""
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return json.dumps({**body, "metadata": metadata}, separators=(",", ":")).encode()


def _body(data: bytes) -> KubeObject:
    body: KubeObject = json.loads(data)
    return body
