"""Where a repository lives."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

Labels = Mapping[str, str | int | datetime]


class Store(Protocol):
    """Immutable objects under string keys such as ``chunks/ab/abcd…``; the contract is ``tests/…/store_contract.py``.

    ``StoreUnavailable`` when it does not answer, ``AuthenticationFailed`` or ``NotAuthorized`` when it refuses.
    """

    @property
    def address(self) -> str:
        """Where it is, for messages. Never holds credentials."""
        ...

    def create(self, key: str, data: bytes, labels: Labels | None = None) -> bool:
        """Store ``data`` under ``key`` unless the key exists. True if this call stored it.

        Atomic: a reader sees the whole object or none. ``labels`` are for people and indexes (the MongoDB store keeps
        them as searchable fields); nothing reads them back.
        """
        ...

    def read(self, key: str) -> bytes | None:
        """The object, or None if there is none."""
        ...

    def size(self, key: str) -> int | None:
        """Stored bytes of the object, or None if there is none (or if it is not whole)."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys below ``prefix``, which ends in a slash, in whatever order. It may be changed meanwhile."""
        ...

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """The same keys, each with the stored bytes of its object: by the listing, without a look at each."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object; no error if there is none."""
        ...

    def delete_many(self, keys: Sequence[str], before: Callable[[], object] = lambda: None) -> None:
        """Remove these objects, in as few requests as the store allows; no error for any that is not there.

        ``before`` is called ahead of each request, and raises where no more may be removed: who was frozen meanwhile
        must not go on. Where it raises, some of them may be gone."""
        ...

    def check_writable(self) -> None:
        """Prove that objects can be created and deleted here, leaving nothing behind."""
        ...

    def free_bytes(self) -> int | None:
        """Room that is left, or None where that cannot be known."""
        ...

    def close(self) -> None: ...
