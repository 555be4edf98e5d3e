"""How chunks get into a target."""

from threading import Event
from typing import Any, cast

import pytest

from holdfast.errors import CollectionFailed
from holdfast.ports import CollectionInfo, Target
from holdfast.repository.repository import Repository
from holdfast.services.restore_work import Insertion, Sum, worker
from holdfast.stores.memory import MemoryStore

DATA = b"\x05\0\0\0\0" * 2
INFO = CollectionInfo("a", "collection", b"\x05\0\0\0\0", (), None)


class Taking:
    """A target that takes two documents, whatever it is told."""

    def insert(self, collection: CollectionInfo, data: bytes, **_: Any) -> int:
        del collection
        return len(data) // 5


@pytest.fixture
def repository() -> Repository:
    made = Repository(MemoryStore())
    made.open(create=True)
    made.put_chunk(made.identity(DATA), DATA, namespace="shop.a", documents=2)
    return made


def inserted(repository: Repository, count: int) -> Sum | Exception:
    work = worker(cast("Target", Taking()), repository)
    return work(Insertion(INFO, ((repository.identity(DATA), count),)), lambda *_: None, Event())


def test_a_chunk_with_as_many_documents_as_its_list_says_is_inserted(repository: Repository) -> None:
    assert inserted(repository, 2) == Sum(2, len(DATA))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_chunk_with_another_number_of_documents_than_its_list_says_fails(repository: Repository, count: int) -> None:
    failed = inserted(repository, count)
    assert isinstance(failed, CollectionFailed)
    assert failed.message == f"A chunk of collection 'a' holds 2 documents; its list says {count}."
