"""The Mirror port: a list and then a watch for each kind, in threads."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from holdfast.errors import HoldfastError
from holdfast.kube.cluster import address
from holdfast.kube.connection import Connection, Refused
from holdfast.ports import Change, Kind, KubeObject

PAGE = 200
WATCH_SECONDS = 240
SILENCE_SECONDS = 300
"""Longer than a watch lasts: a quiet one is no broken one."""
PAUSE_SECONDS = 2
PAUSE_LIMIT_SECONDS = 10
TRIES = 2
"""So many that fail one after the other mean that the cluster cannot be followed: one watch may well break off."""

_Objects = dict[str, dict[str, KubeObject]]
"""By namespace, and there by name: a look is at one namespace more often than at all."""

_log = logging.getLogger(__name__)


class KubeMirror:
    """Follows kinds, in all namespaces or in some. It begins with ``start`` and goes on until ``stop``."""

    def __init__(self, connection: Connection, kinds: Sequence[Kind], namespaces: Sequence[str] = ()) -> None:
        self._listeners: list[Callable[[Change], None]] = []
        self._attending: list[Callable[[], None]] = []
        places = namespaces or (None,)
        self._panes = [_Pane(connection, kind, place, self._tell, self._turn) for kind in kinds for place in places]
        self._stopped = threading.Event()

    def start(self) -> None:
        for pane in self._panes:
            threading.Thread(target=pane.follow, args=(self._stopped,), daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def complete(self) -> bool:
        return all(pane.listed for pane in self._panes)

    def current(self) -> bool:
        return all(pane.current for pane in self._panes)

    def objects(self, kind: Kind, namespace: str | None = None) -> Sequence[KubeObject]:
        return [body for pane in self._panes if pane.kind == kind for body in pane.snapshot(namespace)]

    def listen(self, listener: Callable[[Change], None]) -> None:
        self._listeners.append(listener)

    def attend(self, listener: Callable[[], None]) -> None:
        self._attending.append(listener)

    def _tell(self, change: Change) -> None:
        for listener in self._listeners:
            listener(change)

    def _turn(self) -> None:
        for listener in self._attending:
            listener()


class _Pane:
    """One kind in one namespace, or in all."""

    def __init__(
        self,
        connection: Connection,
        kind: Kind,
        namespace: str | None,
        tell: Callable[[Change], None],
        turn: Callable[[], None],
    ) -> None:
        self._connection, self.kind, self._tell, self._turn = connection, kind, tell, turn
        self._path = address(kind, namespace)
        self._lock = threading.Lock()
        self._objects: _Objects = {}
        self._failures = 0
        self.listed = self.current = False

    def snapshot(self, namespace: str | None) -> list[KubeObject]:
        with self._lock:
            if namespace is not None:
                return list(self._objects.get(namespace, {}).values())
            return [body for place in self._objects.values() for body in place.values()]

    def follow(self, stopped: threading.Event) -> None:
        pause, version = PAUSE_SECONDS, ""
        while not stopped.is_set():
            try:
                version = self._watch(version or self._list(), stopped)
                pause = PAUSE_SECONDS
            except Refused as refused:  # 410: what was missed is not known any more
                _log.debug("%s is listed anew: %s", self.kind.plural, refused)
                version = ""
                stopped.wait(PAUSE_SECONDS)
            except (HoldfastError, KeyError, TypeError) as error:  # the last two: what came makes no sense
                _log.warning("%s cannot be followed, tried again in %s s: %s", self.kind.plural, pause, error)
                version = ""
                self._failures += 1
                self._see(current=self.current and self._failures < TRIES)
                stopped.wait(pause)
                pause = min(2 * pause, PAUSE_LIMIT_SECONDS)

    def _list(self) -> str:
        found: _Objects = {}
        more = version = ""
        while more or not version:
            # In pages: a whole list at once would take several times the memory of what is kept of it.
            query = {"limit": str(PAGE), **({"continue": more} if more else {})}
            answer = self._connection.request("GET", self._path, query=query)
            for body in answer.get("items") or []:
                namespace, name = _key(body)
                found.setdefault(namespace, {})[name] = _lean(body)
            more, version = answer["metadata"].get("continue", ""), str(answer["metadata"]["resourceVersion"])
        with self._lock:
            before, self._objects = self._objects, found
        if self.listed:  # what changed while nobody watched; the first list changes nothing
            self._tell_differences(before, found)
        self.listed = True
        self._failures = 0
        self._see(current=True)
        return version

    def _see(self, *, current: bool) -> None:
        changed, self.current = self.current != current, current
        if changed:
            self._turn()

    def _watch(self, version: str, stopped: threading.Event) -> str:
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        for event in self._connection.lines(self._path, query=query, silence_seconds=SILENCE_SECONDS):
            if stopped.is_set():
                break
            version = self._take(event["type"], event["object"], version)
        return version

    def _take(self, kind: str, body: KubeObject, version: str) -> str:
        if kind == "ERROR":
            raise Refused(int(body.get("code", 0)), str(body.get("reason", "")))
        if kind in ("ADDED", "MODIFIED"):
            lean = _lean(body)
            with self._lock:
                namespace, name = _key(body)
                self._objects.setdefault(namespace, {})[name] = lean
            self._tell(Change(self.kind, lean))
        elif kind == "DELETED":
            with self._lock:
                namespace, name = _key(body)
                self._objects.get(namespace, {}).pop(name, None)
            self._tell(Change(self.kind, _lean(body), gone=True))
        return str(body["metadata"].get("resourceVersion", version))

    def _tell_differences(self, before: _Objects, after: _Objects) -> None:
        old, new = ({_key(body): body for place in one.values() for body in place.values()} for one in (before, after))
        for key in old.keys() - new.keys():
            self._tell(Change(self.kind, old[key], gone=True))
        for key, body in new.items():
            if key not in old or old[key]["metadata"] != body["metadata"]:
                self._tell(Change(self.kind, body))


def _key(body: KubeObject) -> tuple[str, str]:
    return body["metadata"].get("namespace", ""), body["metadata"]["name"]


def _lean(body: KubeObject) -> dict[str, Any]:
    """Without who wrote which field: often more than the rest."""
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return {**body, "metadata": metadata}
