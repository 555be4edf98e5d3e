"""A store in memory, for tests: the same contract as the real ones."""

from collections.abc import Callable, Iterator, Sequence
from threading import Lock

from holdfast.ports import Labels


class MemoryStore:
    """Holds objects in a dictionary. Thread-safe."""

    address = "memory:"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self._lock = Lock()

    def create(self, key: str, data: bytes, labels: Labels | None = None) -> bool:  # noqa: ARG002
        with self._lock:
            if key in self.objects:
                return False
            self.objects[key] = bytes(data)
            return True

    def read(self, key: str) -> bytes | None:
        return self.objects.get(key)

    def size(self, key: str) -> int | None:
        data = self.objects.get(key)
        return None if data is None else len(data)

    def keys(self, prefix: str) -> Iterator[str]:
        return iter(sorted(key for key in list(self.objects) if key.startswith(prefix)))

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        for key in self.keys(prefix):
            if (size := self.size(key)) is not None:
                yield key, size

    def delete(self, key: str) -> None:
        with self._lock:
            self.objects.pop(key, None)

    def delete_many(self, keys: Sequence[str], before: Callable[[], object] = lambda: None) -> None:
        for key in keys:
            before()
            self.delete(key)

    def check_writable(self) -> None:
        return

    def free_bytes(self) -> int | None:
        return None

    def close(self) -> None:
        return
