"""A queue of keys that are to be reconciled.

One key is never worked on twice at a time; what is added while it is worked on is looked at again afterwards; a key
that failed comes back later and later. What is routine waits behind what is not, so that news never waits behind a
survey of everything, however long that takes.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_BACKOFF = 1.0
LONGEST_BACKOFF = 60.0


class WorkQueue(Generic[K]):
    """``work`` takes a key and returns after how many seconds it is due again, or None; it raises to have it retried.

    ``now`` is a monotonic clock; by default that of the event loop.
    """

    def __init__(self, work: Callable[[K], Awaitable[float | None]], now: Callable[[], float] | None = None) -> None:
        self._work = work
        self._now = now or (lambda: asyncio.get_running_loop().time())
        self._due: dict[bool, dict[K, float]] = {False: {}, True: {}}
        """When each key is due: out of turn, and (True) by routine."""
        self._heaps: dict[bool, list[tuple[float, int, K]]] = {False: [], True: []}
        self._busy: set[K] = set()
        self._failures: dict[K, int] = {}
        self._changed = asyncio.Condition()
        self._order = 0

    async def add(self, key: K, delay: float = 0.0, *, routine: bool = False) -> None:
        """Have ``key`` looked at after ``delay`` seconds, or earlier if it already is due earlier.

        ``routine``: it may wait for all that is not."""
        async with self._changed:
            self._put(key, delay, routine)
            self._changed.notify()

    async def run(self, workers: int) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._worker())

    async def _worker(self) -> None:
        while True:
            await self._work_on(await self._take())

    async def _work_on(self, key: K) -> None:
        delay: float | None = None
        try:
            delay = await self._work(key)
            self._failures.pop(key, None)
        except Exception:  # noqa: BLE001 (``work`` has logged it; one bad object must not stop the others)
            delay = self._backoff(key)
        finally:
            async with self._changed:
                self._busy.discard(key)
                if delay is not None:
                    self._put(key, delay)
                self._changed.notify_all()

    async def _take(self) -> K:
        async with self._changed:
            while True:
                key, wait = self._ready()
                if key is not None:
                    self._busy.add(key)
                    return key
                try:
                    async with asyncio.timeout(wait):
                        await self._changed.wait()
                except TimeoutError:
                    pass

    def _ready(self) -> tuple[K | None, float | None]:
        """A key that is due and that nobody works on, or how long until there may be one."""
        waits: list[float] = []
        for routine in (False, True):
            key, wait = self._first(routine)
            if key is not None:
                return key, None
            if wait is not None:
                waits.append(wait)
        return None, min(waits, default=None)

    def _first(self, routine: bool) -> tuple[K | None, float | None]:
        now, held, heap = self._now(), [], self._heaps[routine]
        found: K | None = None
        wait: float | None = None
        while heap:
            due, _, key = heap[0]
            if self._due[routine].get(key) != due:
                heapq.heappop(heap)  # it was made due earlier
            elif due > now:
                wait = due - now
                break
            elif key in self._busy:
                held.append(heapq.heappop(heap))
            else:
                heapq.heappop(heap)
                self._take_off(key, now)
                found = key
                break
        for entry in held:
            heapq.heappush(heap, entry)
        return found, wait

    def _take_off(self, key: K, now: float) -> None:
        """It is about to be looked at, whyever it is due."""
        for due in self._due.values():
            if due.get(key, now + 1) <= now:
                del due[key]

    def _put(self, key: K, delay: float, routine: bool = False) -> None:
        due, dues = self._now() + delay, self._due[routine]
        if key in dues and dues[key] <= due:
            return
        dues[key] = due
        self._order += 1
        heapq.heappush(self._heaps[routine], (due, self._order, key))

    def _backoff(self, key: K) -> float:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        return float(min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(failures - 1, 10)))
