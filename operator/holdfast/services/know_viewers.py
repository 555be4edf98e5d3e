"""Who somebody is and what they may do, remembered for seconds: a page asks for both many times."""

import hashlib
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from random import uniform
from typing import Any

from holdfast.ports import Kind, Reviewer, Viewer

SECONDS = 10.0
"""How long a right that was taken away may still be used."""
AHEAD = 0.4, 0.9
"""After which part of its seconds an answer is renewed, where somebody still wants it."""
LIMIT = 10_000
"""Answers that are kept: somebody who tries tokens must not fill the memory."""


@dataclass(frozen=True)
class _Known:
    """``time``: when it was asked for; ``patience``: how long after that it is asked for anew."""

    answer: Any
    time: float
    patience: float


class KnownViewers:
    """A Reviewer that asks another one, and not twice within ``seconds``. A failure to ask is not remembered.

    ``clock``: seconds that never go back. ``renew`` does something in the background: what is asked for all the time is
    asked anew before its seconds are over, so that nobody waits for it. Tokens themselves are not kept, only hashes.
    """

    def __init__(
        self,
        reviewer: Reviewer,
        clock: Callable[[], float],
        *,
        renew: Callable[[Callable[[], None]], object] | None = None,
        seconds: float = SECONDS,
        limit: int = LIMIT,
    ) -> None:
        self._reviewer, self._clock, self._seconds, self._limit = reviewer, clock, seconds, limit
        self._renew = renew
        self._lock = threading.Lock()
        self._answers: dict[Hashable, _Known] = {}
        self._asked: dict[Hashable, Future[Any]] = {}
        """What is being asked for: who wants to know the same meanwhile waits for that answer."""

    def identify(self, token: str) -> Viewer | None:
        viewer: Viewer | None = self._answer(_key(token), lambda: self._reviewer.identify(token))
        return viewer

    def remembers(self, token: str) -> bool:
        """Whether ``identify`` answers at once."""
        with self._lock:
            known = self._answers.get(_key(token))
        return known is not None and self._clock() - known.time < self._seconds

    def allows(self, viewer: Viewer, verb: str, kind: Kind, namespace: str | None) -> bool:
        key = (viewer, verb, kind, namespace)
        return bool(self._answer(key, lambda: self._reviewer.allows(viewer, verb, kind, namespace)))

    def _answer(self, key: Hashable, ask: Callable[[], Any]) -> Any:
        now = self._clock()
        with self._lock:
            known, asked = self._answers.get(key), self._asked.get(key)
            fresh = known is not None and now - known.time < self._seconds
            due = not fresh or (self._renew is not None and known is not None and now - known.time >= known.patience)
            mine = due and asked is None
            if asked is None:
                asked = Future()
            if mine:
                self._asked[key] = asked
        if fresh and known is not None:
            if mine and self._renew is not None:
                self._renew(lambda: self._ask(key, ask, asked, now))
            return known.answer
        if mine:
            self._ask(key, ask, asked, now)
        return asked.result()

    def _ask(self, key: Hashable, ask: Callable[[], Any], asked: Future[Any], now: float) -> None:
        """For all who want to know it."""
        try:
            answer = ask()
        except BaseException as error:  # noqa: BLE001 (it is raised by who waits for it)
            with self._lock:
                del self._asked[key]
            asked.set_exception(error)
            return
        with self._lock:
            del self._asked[key]
            self._answers.pop(key, None)
            while len(self._answers) >= self._limit:
                del self._answers[next(iter(self._answers))]
            # Not all at once: what was asked together is renewed apart.
            patience = self._seconds * uniform(*AHEAD)  # noqa: S311
            self._answers[key] = _Known(answer, now, patience)
        asked.set_result(answer)


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
