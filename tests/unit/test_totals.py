"""What all backups of a repository take up together."""

from datetime import UTC, datetime

import pytest
from bson import encode

from holdfast.domain.consistency import ConsistencyLevel
from holdfast.repository.chunks import ChunkRef, document_hash
from holdfast.repository.locks import Lock, LockKind
from holdfast.repository.manifest import CollectionRecord, ConsistencyRecord, Manifest, ServerRecord
from holdfast.repository.repository import Repository
from holdfast.services.totals import Totals, totals
from holdfast.stores.memory import MemoryStore
from tests.support.chunk_lists import write_lists

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)


class Shelf:
    """A repository into which backups are put by hand: a list of numbers each, one chunk for each number."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.repository = Repository(self.store)
        self.repository.open(create=True)
        self.manifests: list[Manifest] = []

    def put(self, *numbers: int) -> Manifest:
        refs = [self._chunk(number) for number in numbers]
        [text] = write_lists(refs)
        name = self.repository.identity(text)
        self.repository.write_chunk(name, text, namespace="", documents=0)
        size = sum(ref.logical_bytes for ref in refs)
        stored = sum(ref.stored_bytes for ref in refs)
        collection = CollectionRecord(
            name="c", type="collection", documents=len(refs), logical_bytes=size, chunk_lists=(name.hex(),)
        )
        manifest = Manifest(
            holdfast_version="0", backup_id=f"backup-{len(self.manifests)}", database="db",
            server=ServerRecord(version="6.0.5", topology="replicaSet"), start_time=NOW, completion_time=NOW,
            consistency=ConsistencyRecord(level=ConsistencyLevel.NONE), documents=len(refs), logical_bytes=size,
            stored_bytes=stored, new_bytes=stored, collections=(collection,),
        )  # fmt: skip
        lock = Lock(self.store, lambda: NOW, LockKind.SHARED, "the test")
        lock.acquire()
        self.manifests.append(self.repository.commit(manifest, lock))
        return manifest

    def _chunk(self, number: int) -> ChunkRef:
        data = encode({"_id": number, "text": f"{number} " * 1000})
        name = self.repository.identity(data)
        stored, _ = self.repository.write_chunk(name, data, namespace="", documents=1)
        hashed, count = document_hash(data)
        return ChunkRef(name, count, len(data), stored, hashed)

    def totals(self, unreadable: int = 0) -> Totals:
        return totals(self.repository, self.manifests, unreadable)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def test_an_empty_repository_has_nothing(shelf: Shelf) -> None:
    found = shelf.totals()
    assert (found.backups, found.logical_bytes, found.stored_bytes, found.reuse) == (0, 0, 0, 1.0)


def test_stored_bytes_are_those_in_the_store_of_all_chunks_and_lists(shelf: Shelf) -> None:
    shelf.put(1, 2, 3)
    shelf.put(2, 3, 4)
    in_store = sum(len(data) for key, data in shelf.store.objects.items() if key.startswith("chunks/"))
    assert shelf.totals().stored_bytes == in_store
    assert shelf.totals().chunks == 4


def test_what_two_backups_share_is_counted_once(shelf: Shelf) -> None:
    one = shelf.put(1, 2, 3, 4)
    shelf.put(1, 2, 3, 4)
    found = shelf.totals()
    assert (found.logical_bytes, found.unique_bytes) == (2 * one.logical_bytes, one.logical_bytes)
    assert found.sharing == 2.0
    assert found.reuse == pytest.approx(found.sharing * found.compression)


def test_garbage_is_not_counted(shelf: Shelf) -> None:
    shelf.put(1, 2)
    before = shelf.totals()
    shelf.put(3, 4)
    shelf.repository.remove(shelf.manifests.pop().backup_id)
    assert shelf.totals() == before


def test_a_backup_whose_list_is_damaged_is_told_and_not_counted(shelf: Shelf) -> None:
    shelf.put(1, 2)
    alone = shelf.totals()
    damaged = shelf.put(1, 9)
    key = f"chunks/{damaged.collections[0].chunk_lists[0][:2]}/{damaged.collections[0].chunk_lists[0]}"
    shelf.store.objects[key] = b"nonsense"
    found = shelf.totals(unreadable=1)
    assert found.damaged == 2
    assert (found.backups, found.chunks, found.stored_bytes) == (1, alone.chunks, alone.stored_bytes)


def test_a_backup_that_is_removed_meanwhile_is_not_damaged(shelf: Shelf) -> None:
    shelf.put(1)
    gone = shelf.put(2)
    shelf.repository.remove(gone.backup_id)
    name = gone.collections[0].chunk_lists[0]
    shelf.store.delete(f"chunks/{name[:2]}/{name}")
    found = shelf.totals()
    assert (found.backups, found.damaged) == (1, 0)
