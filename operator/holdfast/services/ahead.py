"""Let what is read be made ready while what was read before is still being done."""

from collections.abc import Callable, Iterable, Iterator
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")

PART, PARTS = 500, 8
"""So many items go over at once, and so many of these wait at most."""
PART_WEIGHT = 1024 * 1024


def ahead(items: Iterable[T], weight: Callable[[T], int]) -> Iterator[T]:
    """The same items in the same order, made by a thread that runs ahead by a bounded ``weight``. What they raise is
    raised here. The thread ends with the iterator."""
    queue: Queue[list[T] | BaseException | None] = Queue(PARTS)
    ended = Event()

    def put(part: list[T] | BaseException | None) -> None:
        while not ended.is_set():
            try:
                queue.put(part, timeout=1.0)
            except Full:
                continue
            return

    def make() -> None:
        part: list[T] = []
        size = 0
        try:
            for item in items:
                part.append(item)
                size += weight(item)
                if len(part) >= PART or size >= PART_WEIGHT:
                    put(part)
                    part, size = [], 0
                    if ended.is_set():
                        return
        except BaseException as error:  # noqa: BLE001 (it is raised where the items are wanted)
            put(part)
            put(error)
            return
        put(part)
        put(None)

    thread = Thread(target=make, name="ahead", daemon=True)
    thread.start()
    try:
        while (part := queue.get()) is not None:
            if isinstance(part, BaseException):
                raise part
            yield from part
    finally:
        ended.set()
        thread.join()
