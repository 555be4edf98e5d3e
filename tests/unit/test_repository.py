"""The format, on a store in memory."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256

import pytest
import zstandard
from bson import encode
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.consistency import ConsistencyLevel
from holdfast.errors import BackupNotFound, DamagedBackup, RepositoryTooNew
from holdfast.repository.chunks import ChunkRef, read_list
from holdfast.repository.collection_writer import CollectionWriter, WrittenCollection
from holdfast.repository.locks import Lock, LockKind
from holdfast.repository.manifest import CollectionRecord, ConsistencyRecord, Manifest, ServerRecord
from holdfast.repository.marker import MARKER
from holdfast.repository.repository import Repository, new_backup_id
from holdfast.repository.segment_writer import SegmentWriter
from holdfast.services.verify import verify, verify_all
from holdfast.stores.memory import MemoryStore
from tests.support.chunk_lists import write_lists

MOMENT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
DOCUMENTS = [encode({"_id": number, "text": f"entry {number}"}) for number in range(500)]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture(params=[None, b"k" * 32], ids=["clear", "encrypted"])
def repository(store: MemoryStore, request: pytest.FixtureRequest) -> Repository:
    repository = Repository(store, key=request.param)
    repository.open(create=True)
    return repository


def write(
    repository: Repository, documents: list[bytes], known: dict[bytes, ChunkRef] | None = None
) -> WrittenCollection:
    with ThreadPoolExecutor(2) as pool:
        segment = SegmentWriter(repository, pool, namespace="db.c", known=known or {})
        segment.add(documents)
        writer = CollectionWriter(repository, namespace="db.c", counted=set())
        writer.take(segment.finish())
        return writer.finish()


def manifest_of(written: WrittenCollection, backup_id: str = "20261123T020000Z-00000001") -> Manifest:
    record = CollectionRecord(
        name="c",
        type="collection",
        documents=written.documents,
        logical_bytes=written.logical_bytes,
        stored_bytes=written.stored_bytes,
        new_bytes=written.new_bytes,
        document_hash=f"{written.document_hash:064x}",
        chunks=written.chunks,
        chunk_lists=tuple(i.hex() for i in written.chunk_lists),
    )
    return Manifest(
        holdfast_version="0",
        backup_id=backup_id,
        database="db",
        server=ServerRecord(version="6.0.5", topology="standalone"),
        start_time=MOMENT,
        completion_time=MOMENT,
        consistency=ConsistencyRecord(level=ConsistencyLevel.NONE),
        documents=written.documents,
        logical_bytes=written.logical_bytes,
        stored_bytes=written.stored_bytes,
        new_bytes=written.new_bytes,
        collections=(record,),
    )


def commit(repository: Repository, manifest: Manifest) -> Manifest:
    lock = Lock(repository.store, lambda: MOMENT, LockKind.SHARED, "test")
    lock.acquire()
    try:
        return repository.commit(manifest, lock)
    finally:
        lock.release()


def committed(repository: Repository) -> Manifest:
    return commit(repository, manifest_of(write(repository, DOCUMENTS)))


def data_key(store: MemoryStore) -> str:
    return max(store.keys("chunks/"), key=lambda key: len(store.objects[key]))


def test_what_was_written_is_read_back_byte_for_byte(repository: Repository) -> None:
    refs = list(repository.chunk_refs(committed(repository).collections[0]))
    assert b"".join(repository.read_chunk(ref.id) for ref in refs) == b"".join(DOCUMENTS)


def test_the_same_data_a_second_time_adds_nothing(repository: Repository) -> None:
    first = write(repository, DOCUMENTS)
    second = write(repository, DOCUMENTS)
    assert (second.new_bytes, second.stored_bytes, second.chunk_lists) == (0, first.stored_bytes, first.chunk_lists)


def test_a_known_chunk_that_the_store_has_lost_is_stored_again(repository: Repository, store: MemoryStore) -> None:
    manifest = committed(repository)
    known = {ref.id: ref for ref in repository.chunk_refs(manifest.collections[0])}
    assert write(repository, DOCUMENTS, known).new_bytes == 0
    del store.objects[data_key(store)]
    assert write(repository, DOCUMENTS, known).new_bytes > 0
    assert verify(repository, manifest, read_data=True).good


def test_the_document_hash_does_not_depend_on_the_order(repository: Repository) -> None:
    assert write(repository, DOCUMENTS).document_hash == write(repository, DOCUMENTS[::-1]).document_hash


def test_no_manifest_no_backup(repository: Repository) -> None:
    write(repository, DOCUMENTS)
    assert repository.backup_ids() == []


def test_a_committed_manifest_is_never_replaced(repository: Repository) -> None:
    first = committed(repository)
    other = first.model_copy(update={"documents": 0})
    assert commit(repository, other) == first


def test_backups_are_listed_newest_first(repository: Repository) -> None:
    written = write(repository, DOCUMENTS)
    ids = ["20261121T020000Z-00000001", "20261123T020000Z-00000001", "20261122T020000Z-00000001"]
    for backup_id in ids:
        commit(repository, manifest_of(written, backup_id))
    assert [m.backup_id for m in repository.manifests(lambda damage: pytest.fail(str(damage)))] == sorted(
        ids, reverse=True
    )


def test_latest_a_prefix_and_a_full_id_name_a_backup(repository: Repository) -> None:
    written = write(repository, DOCUMENTS)
    for backup_id in ("20261122T020000Z-00000001", "20261123T020000Z-00000001"):
        commit(repository, manifest_of(written, backup_id))
    assert repository.resolve("latest").backup_id == "20261123T020000Z-00000001"
    assert repository.resolve("20261122").backup_id == "20261122T020000Z-00000001"


@pytest.mark.parametrize("name", ["2026", "1999", ""])
def test_an_ambiguous_or_unknown_name_is_refused(repository: Repository, name: str) -> None:
    written = write(repository, DOCUMENTS)
    for backup_id in ("20261122T020000Z-00000001", "20261123T020000Z-00000001"):
        commit(repository, manifest_of(written, backup_id))
    with pytest.raises(BackupNotFound):
        repository.resolve(name)


def test_a_good_backup_verifies(repository: Repository) -> None:
    report = verify(repository, committed(repository), read_data=True)
    assert (report.problems, report.bytes_read) == ((), sum(map(len, DOCUMENTS)))


@pytest.mark.parametrize("read_data", [False, True])
def test_a_missing_chunk_is_found(repository: Repository, store: MemoryStore, read_data: bool) -> None:
    manifest = committed(repository)
    del store.objects[data_key(store)]
    assert "missing" in " ".join(verify(repository, manifest, read_data=read_data).problems)


@given(position=st.integers(0), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found_when_data_is_read(position: int, bit: int) -> None:
    store = MemoryStore()
    repository = Repository(store)
    repository.open(create=True)
    manifest = committed(repository)
    key = data_key(store)
    data = bytearray(store.objects[key])
    data[position % len(data)] ^= 1 << bit
    store.objects[key] = bytes(data)
    chunk = bytes.fromhex(key.rsplit("/", 1)[1])
    try:
        unharmed = repository.read_chunk(chunk) == b"".join(DOCUMENTS)  # a bit that means nothing to zstd
    except DamagedBackup:
        unharmed = False
    assert unharmed == verify(repository, manifest, read_data=True).good


def test_a_truncated_chunk_is_found(repository: Repository, store: MemoryStore) -> None:
    manifest = committed(repository)
    store.objects[data_key(store)] = store.objects[data_key(store)][:-3]
    assert not verify(repository, manifest, read_data=True).good


def test_a_chunk_in_the_place_of_another_is_found(repository: Repository, store: MemoryStore) -> None:
    manifest = committed(repository)
    store.objects[data_key(store)] = zstandard.compress(encode({"a": 1}))
    assert not verify(repository, manifest, read_data=True).good


def test_a_damaged_manifest_is_named(repository: Repository, store: MemoryStore) -> None:
    backup_id = committed(repository).backup_id
    store.objects[f"backups/{backup_id}"] = b"nonsense"
    with pytest.raises(DamagedBackup, match=backup_id):
        repository.find(backup_id)


def test_a_newer_format_is_refused(repository: Repository, store: MemoryStore) -> None:
    store.objects[MARKER] = json.dumps({"format": 2}).encode()
    with pytest.raises(RepositoryTooNew):
        repository.open()


def test_reading_where_there_is_no_repository_says_so() -> None:
    with pytest.raises(BackupNotFound):
        Repository(MemoryStore()).open()


def test_a_manifest_survives_its_json(repository: Repository) -> None:
    manifest = committed(repository)
    assert Manifest.from_json(manifest.to_json()) == manifest


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=5_000))
def test_lists_of_chunks_give_back_what_they_hold(ids: list[bytes]) -> None:
    refs = [ChunkRef(i, 1, 2, 3, int.from_bytes(i, "big")) for i in ids]
    assert [ref for text in write_lists(refs) for ref in read_list(text)] == refs


def test_an_append_to_a_long_list_keeps_the_lists_before_it() -> None:
    refs = [ChunkRef(sha256(str(n).encode()).digest(), 1, 2, 3, n) for n in range(9_000)]
    before, after = list(write_lists(refs[:8_900])), list(write_lists(refs))
    assert len(before) > 2
    assert after[: len(before) - 1] == before[:-1]


def test_an_id_starts_with_its_time_and_repeats_for_the_same_run() -> None:
    assert new_backup_id(MOMENT, "uid").startswith("20261123T020000Z-")
    assert new_backup_id(MOMENT, "uid") == new_backup_id(MOMENT, "uid")
    assert new_backup_id(MOMENT, "uid") != new_backup_id(MOMENT, "other")


def test_damage_to_a_shared_chunk_names_every_backup_that_needs_it(repository: Repository, store: MemoryStore) -> None:
    written = write(repository, DOCUMENTS)
    ids = ["20261123T020000Z-00000001", "20261122T020000Z-00000001"]
    for backup_id in ids:
        commit(repository, manifest_of(written, backup_id))
    store.objects[data_key(store)] += b"x"
    [damage] = verify_all(repository, read_data=True).damage
    assert sorted(damage.backups) == sorted(ids)


def test_a_whole_repository_is_read_once_however_many_backups_share_it(repository: Repository) -> None:
    written = write(repository, DOCUMENTS)
    for backup_id in ("20261123T020000Z-00000001", "20261122T020000Z-00000001"):
        commit(repository, manifest_of(written, backup_id))
    report = verify_all(repository, read_data=True)
    assert (report.good, report.backups, report.bytes_read) == (True, 2, sum(map(len, DOCUMENTS)))


def test_a_manifest_that_cannot_be_read_is_damage_of_its_backup(repository: Repository, store: MemoryStore) -> None:
    backup_id = committed(repository).backup_id
    store.objects[f"backups/{backup_id}"] = b"nonsense"
    [damage] = verify_all(repository).damage
    assert damage.backups == (backup_id,)


def test_a_damaged_manifest_hides_no_other_backup(repository: Repository, store: MemoryStore) -> None:
    written = write(repository, DOCUMENTS)
    for backup_id in ("20261123T020000Z-00000001", "20261122T020000Z-00000001"):
        commit(repository, manifest_of(written, backup_id))
    store.objects["backups/20261123T020000Z-00000001"] = b"nonsense"
    damaged: list[DamagedBackup] = []
    assert [m.backup_id for m in repository.manifests(damaged.append)] == ["20261122T020000Z-00000001"]
    assert "20261123T020000Z-00000001" in str(damaged[0])
