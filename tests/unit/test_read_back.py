"""What is read back after a restore is what is there, whatever should be there."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from threading import Event
from typing import Any, cast

import pytest
from bson import encode
from hypothesis import given
from hypothesis import strategies as st

from holdfast.ports import WHOLE, CollectionInfo, KeyRange, Target
from holdfast.repository.chunks import HASH_MODULUS
from holdfast.repository.manifest import CollectionRecord
from holdfast.repository.repository import Repository
from holdfast.services import read_back
from holdfast.services.crew import Alone
from holdfast.services.read_back import ReadBack
from holdfast.services.restore_work import Sum, worker
from holdfast.stores.memory import MemoryStore

C = CollectionInfo("c", "collection", encode({}), (), None)


class There:
    """A target with a collection, that tells how it was read."""

    def __init__(self, documents: Sequence[bytes], *, divides: bool = True, size: int = 2) -> None:
        self.documents, self.divides, self.size = documents, divides, size
        self.asked: list[str] = []

    def can_divide(self, collection: CollectionInfo) -> bool:
        del collection
        return self.divides

    def key(self, *_: Any) -> None:
        return None

    def read(self, _: CollectionInfo, at: None, keys: KeyRange = WHOLE) -> Iterator[Sequence[bytes]]:
        assert (at, keys) == (None, WHOLE)
        self.asked.append("by key")
        return self._batches(self.documents)

    def sweep(
        self, _: CollectionInfo, *, backwards: bool = False, most: int | None = None
    ) -> Iterator[Sequence[bytes]]:
        self.asked.append("all" if most is None else "back" if backwards else "front")
        return self._batches((self.documents[::-1] if backwards else self.documents)[:most])

    def _batches(self, documents: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
        return (documents[start : start + self.size] for start in range(0, len(documents), self.size))


class Pair(Alone[Any, Any, Any]):
    """As if two did it."""

    size = 2


def some(numbers: Sequence[int]) -> list[bytes]:
    return [encode({"_id": number}) for number in numbers]


def true_sum(documents: Sequence[bytes]) -> Sum:
    total = sum(int.from_bytes(sha256(one).digest(), "big") for one in documents)
    return Sum(len(documents), sum(map(len, documents)), total % HASH_MODULUS)


def found(there: There, expected: int, *, crew: type[Alone[Any, Any, Any]] = Pair) -> Sum:
    target, repository = cast("Target", there), Repository(MemoryStore())
    record = CollectionRecord(name="c", type="collection", documents=expected, logical_bytes=expected)
    again = ReadBack(repository, target, crew(worker(target, repository)), Event(), lambda: None)
    return again.sums([record], {"c": C})["c"]


@pytest.fixture(autouse=True)
def two_for_the_smallest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_back, "_WORTH_TWO", 0)


@given(st.lists(st.integers(0, 30), unique=True), st.integers(0, 30), st.integers(1, 5), st.booleans())
def test_it_is_what_is_there_however_much_should_be(
    numbers: list[int], expected: int, size: int, divides: bool
) -> None:
    there = There(some(numbers), divides=divides, size=size)
    assert found(there, expected) == true_sum(there.documents)


def test_a_collection_as_it_should_be_is_read_once_and_from_both_ends() -> None:
    there = There(some(range(9)))
    assert found(there, 9) == true_sum(there.documents)
    assert there.asked == ["front", "back"]


@pytest.mark.parametrize("there", [8, 10], ids=["one is missing", "one is too many"])
def test_where_the_ends_do_not_meet_it_is_read_by_its_keys(there: int) -> None:
    target = There(some(range(there)))
    assert found(target, 9) == true_sum(target.documents)
    assert target.asked == ["front", "back", "by key"]


@pytest.mark.parametrize(
    ("there", "crew"),
    [(There(some(range(9)), divides=False), Pair), (There(some(range(9))), Alone)],
    ids=["no unique ids", "nobody helps"],
)
def test_else_it_is_read_as_a_whole(there: There, crew: type[Alone[Any, Any, Any]]) -> None:
    there.asked.clear()
    assert found(there, 9, crew=crew) == true_sum(there.documents)
    assert there.asked == ["all"]
