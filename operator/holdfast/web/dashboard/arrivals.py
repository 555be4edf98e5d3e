"""What was just written reaches the mirror a moment later: the page that follows is to show it."""

import threading
import time
from collections.abc import Callable

from holdfast.ports import Change, Kind, KubeObject, Mirror

PATIENCE_SECONDS = 5.0
"""Then the next page is shown as things are."""


class Arrivals:
    """Wakes who waits for what they wrote. Thread-safe."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._changed, self._count = threading.Condition(), 0
        mirror.listen(self._tell)

    def wait_for(
        self, kind: Kind, namespace: str, name: str, shown: Callable[[KubeObject], bool] = lambda _body: True
    ) -> None:
        """Until the object is there and ``shown`` of it, or patience ends."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            count = self._count
            for body in self._mirror.objects(kind, namespace):
                if body["metadata"]["name"] == name and shown(body):
                    return
            if not self._wait_after(count, deadline - time.monotonic()):
                return

    def _wait_after(self, count: int, seconds: float) -> bool:
        """Whether anything changed within these seconds since there were ``count`` changes."""
        with self._changed:
            return self._changed.wait_for(lambda: self._count != count, seconds)

    def _tell(self, _change: Change) -> None:
        with self._changed:
            self._count += 1
            self._changed.notify_all()
