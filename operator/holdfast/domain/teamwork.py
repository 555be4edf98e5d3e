"""What a pod does next that works together with others, on a backup or on a restore.

Its own share first; then what others leave undone; and at last what finishes it, if it has brought the last part. It
never needs to know who is alive: what is late is done by whoever has nothing else to do, twice if need be.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.domain.portions import others, share


@dataclass(frozen=True)
class Seat:
    """Which of several pods this is. The first one tells how far all are."""

    index: int
    of: int


ALONE = Seat(0, 1)

AT_WORK = 4
"""Portions that one pod may be reading at a time. Where an index has more left, the last of them has not been begun."""


@dataclass(frozen=True)
class Patience:
    """How long one pod waits for the others before it does their work."""

    plan: timedelta = timedelta(minutes=5)
    """For a plan; each index so much longer than the one before, so that not all make one at once."""
    stall: timedelta = timedelta(minutes=1)
    """For news of a portion that another one has read."""
    finish: timedelta = timedelta(minutes=2)
    """For the manifest, once all parts are there."""
    look: timedelta = timedelta(seconds=2)
    """Between two looks."""


@dataclass(frozen=True)
class Turn:
    """What to do next; nothing of it: wait for the others."""

    portions: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    finish: bool = False

    @property
    def work(self) -> bool:
        return bool(self.portions or self.counts)


class Teamwork:
    """One pod's view of one attempt."""

    def __init__(
        self, sizes: Sequence[int], counts: Mapping[int, int], index: int, of: int, patience: Patience
    ) -> None:
        """``sizes``: bytes of the portions. ``counts``: what is to be counted, and in which portion it begins."""
        self._patience = patience
        self._all, self._counts = frozenset(range(len(sizes))), frozenset(counts)
        self._own = frozenset(share(sizes, index, of))
        self._own_counts = frozenset(count for count, portion in counts.items() if portion in self._own)
        self._others = others(sizes, index, of)
        self._shares = [frozenset(share(sizes, (index + step) % of, of)) for step in range(1, of)]
        self._mine: set[int] = set()
        self._news: tuple[Collection[int], Collection[int]] | None = None
        self._heard: datetime | None = None

    def next(self, parts: frozenset[int], counts: frozenset[int], now: datetime, *, after_work: bool) -> Turn:
        """Given which parts and counts are there. ``after_work``: this pod has just done something, or just come."""
        if self._heard is None or (parts - self._mine, counts) != self._news:
            self._news, self._heard = (parts - self._mine, counts), now
        turn = self._turn(parts, counts, now - self._heard, after_work=after_work)
        self._mine.update(turn.portions)
        return turn

    def _turn(self, parts: frozenset[int], counts: frozenset[int], silence: timedelta, *, after_work: bool) -> Turn:
        missing, uncounted = self._all - parts, self._counts - counts
        if not missing and not uncounted:
            # Who brings the last part finishes; the others only if nothing is heard of that one.
            return Turn(finish=after_work or silence >= self._patience.finish)
        own, own_counts = missing & self._own, uncounted & self._own_counts
        if own or own_counts:
            return Turn(tuple(sorted(own)), tuple(sorted(own_counts)))
        if silence >= self._patience.stall:
            late = tuple(portion for portion in self._others if portion in missing)[:1]
            return Turn(late, () if late else tuple(sorted(uncounted)))
        for portions in self._shares:
            if len(waiting := missing & portions) > AT_WORK:
                return Turn((max(waiting),))
        return Turn()
