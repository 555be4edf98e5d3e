"""Who somebody is and what they may do, remembered for seconds: a page asks for both many times."""

import hashlib
import threading
from collections.abc import Callable, Hashable
from typing import Any

from holdfast.ports import Kind, Reviewer, Viewer

SECONDS = 10.0
"""How long a right that was taken away may still be used."""
LIMIT = 10_000
"""Answers that are kept: somebody who tries tokens must not fill the memory."""


class KnownViewers:
    """A Reviewer that asks another one, and not twice within ``seconds``. A failure to ask is not remembered.

    ``clock``: seconds that never go back. Tokens themselves are not kept, only their hashes.
    """

    def __init__(
        self, reviewer: Reviewer, clock: Callable[[], float], *, seconds: float = SECONDS, limit: int = LIMIT
    ) -> None:
        self._reviewer, self._clock, self._seconds, self._limit = reviewer, clock, seconds, limit
        self._lock = threading.Lock()
        self._answers: dict[Hashable, tuple[float, Any]] = {}

    def identify(self, token: str) -> Viewer | None:
        key = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        viewer: Viewer | None = self._answer(key, lambda: self._reviewer.identify(token))
        return viewer

    def allows(self, viewer: Viewer, verb: str, kind: Kind, namespace: str | None) -> bool:
        key = (viewer, verb, kind, namespace)
        return bool(self._answer(key, lambda: self._reviewer.allows(viewer, verb, kind, namespace)))

    def _answer(self, key: Hashable, ask: Callable[[], Any]) -> Any:
        now = self._clock()
        with self._lock:
            known = self._answers.get(key)
        if known and now - known[0] < self._seconds:
            return known[1]
        answer = ask()
        with self._lock:
            self._answers.pop(key, None)
            while len(self._answers) >= self._limit:
                del self._answers[next(iter(self._answers))]
            self._answers[key] = (now, answer)
        return answer
