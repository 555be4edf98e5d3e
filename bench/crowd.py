"""How many runs are at work at once, by the API server's own order of events: no two looks at different moments."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from holdfast.domain.phases import Phase
from holdfast.errors import ClusterUnavailable
from holdfast.kube.cluster import address
from holdfast.kube.connection import Connection
from holdfast.ports import BACKUP_RUN, KubeObject

SILENCE_SECONDS = 600


class Crowd:
    """Whoever has had a turn and has not ended. ``most`` is the greatest number of them that there ever was."""

    def __init__(self) -> None:
        self._at_work: set[str] = set()
        self.most = 0
        self.seen = 0
        """Runs that had a turn."""
        self.trouble = ""

    def take(self, kind: str, run: KubeObject) -> None:
        uid, status = run["metadata"]["uid"], run.get("status") or {}
        phase = status.get("phase")
        ended = kind == "DELETED" or (phase is not None and Phase(phase).terminal)
        has_turn = phase not in (None, "Pending") or "turnTime" in (status.get("queue") or {})
        if ended:
            self._at_work.discard(uid)
        elif has_turn and uid not in self._at_work:
            self._at_work.add(uid)
            self.seen += 1
        self.most = max(self.most, len(self._at_work))


@contextmanager
def watched(connection: Connection) -> Iterator[Crowd]:
    """Follow all runs from now on."""
    crowd, path = Crowd(), address(BACKUP_RUN, None)
    listed = connection.request("GET", path, query={"limit": "1"})
    query = {"watch": "true", "resourceVersion": listed["metadata"]["resourceVersion"]}

    def follow() -> None:
        try:
            for event in connection.lines(path, query=query, silence_seconds=SILENCE_SECONDS):
                crowd.take(event["type"], event["object"])
        except ClusterUnavailable as error:
            crowd.trouble = str(error)

    threading.Thread(target=follow, daemon=True).start()
    yield crowd
