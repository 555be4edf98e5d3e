"""How often somebody may do what is dear, or what an attacker would do often."""

import threading
from collections import Counter
from collections.abc import Callable, Hashable
from math import ceil

from holdfast.domain.rate import Rate

LIMIT = 10_000
"""Keys that are remembered: somebody with many addresses must not fill the memory."""


BUSY_SECONDS = 5
"""When to try again where all places are taken: nobody knows when one is given back."""


class TooMany(Exception):
    """Refused for now; ``seconds`` from now it may be tried again."""

    reason = "TooManyRequests"

    def __init__(self, what: str, seconds: int) -> None:
        super().__init__(what)
        self.what, self.seconds = what, seconds


class Limiter:
    """One rate for each key, such as a user's name or an address. Thread-safe.

    ``clock``: seconds that never go back. ``what``: what there is too much of, for people, such as ``downloads``.
    """

    def __init__(self, what: str, rate: Rate, clock: Callable[[], float], *, limit: int = LIMIT) -> None:
        self._what, self._rate, self._clock, self._limit = what, rate, clock, limit
        self._lock = threading.Lock()
        self._full: dict[Hashable, float] = {}

    def check(self, key: Hashable) -> None:
        """Raises TooMany if ``admit`` would."""
        now = self._clock()
        with self._lock:
            wait = self._rate.wait(self._full.get(key, now), now)
        if wait:
            raise TooMany(self._what, ceil(wait))

    def admit(self, key: Hashable) -> None:
        """Count one more of this key. Raises TooMany, and then does not count it."""
        now = self._clock()
        with self._lock:
            full = self._full.pop(key, now)
            wait = self._rate.wait(full, now)
            self._full[key] = full if wait else self._rate.after(full, now)
            self._forget(now)
        if wait:
            raise TooMany(self._what, ceil(wait))

    def _forget(self, now: float) -> None:
        """The oldest, once there are too many; those that have all back first, as they lose nothing."""
        if len(self._full) <= self._limit:
            return
        self._full = {key: full for key, full in self._full.items() if full > now}
        while len(self._full) > self._limit:
            del self._full[next(iter(self._full))]


class Places:
    """How many of something go on at once, and whose they are: nobody takes all of them. Thread-safe."""

    def __init__(self, what: str, most: int, most_of_one: int) -> None:
        self._what, self._most, self._most_of_one = what, most, most_of_one
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    def take(self, name: str) -> None:
        """Raises TooMany."""
        with self._lock:
            if self._taken[name] >= self._most_of_one or self._taken.total() >= self._most:
                raise TooMany(self._what, BUSY_SECONDS)
            self._taken[name] += 1

    def give_back(self, name: str) -> None:
        with self._lock:
            self._taken[name] -= 1
            self._taken += Counter()  # keeps only who has some
