"""What every store does, whatever is behind it. A new adapter joins by one line in ``STORES``."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_bytes
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.database import Database

from holdfast.errors import (
    AuthenticationFailed,
    InvalidSpec,
    NotAuthorized,
    RepositoryBusy,
    StoreFull,
    StoreUnavailable,
)
from holdfast.ports import Store
from holdfast.stores.addresses import Place
from holdfast.stores.buckets import open_bucket
from holdfast.stores.files import FileStore
from holdfast.stores.memory import MemoryStore
from holdfast.wiring.opening import open_mongodb_store
from tests.support.azure import Azure
from tests.support.gcs import Gcs
from tests.support.mongod import Mongod
from tests.support.s3 import S3

Db = Database[dict[str, Any]]
Fixture = Callable[[str], Any]
STORES: dict[str, Callable[[Fixture], Store]] = {
    "memory": lambda _fixture: MemoryStore(),
    "files": lambda fixture: FileStore(fixture("tmp_path")),
    "mongodb": lambda fixture: open_mongodb_store(fixture("mongod").uri, fixture("database").name, origin="the test"),
    "s3": lambda fixture: bucket_of(fixture("s3"), "s3"),
    "gcs": lambda fixture: bucket_of(fixture("gcs"), "gs"),
    "azure": lambda fixture: bucket_of(fixture("azure"), "az"),
}
MIB = 1024 * 1024
CHUNK = "chunks/ab/abcd"
MANIFEST = "backups/1"
FOLDERS = {CHUNK: "chunks/ab/", MANIFEST: "backups/"}


def bucket_of(server: S3 | Gcs | Azure, kind: str) -> Store:
    return open_bucket(Place(kind, server.new_bucket(), "some/prefix"), server.settings)


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    store = STORES[request.param](request.getfixturevalue)
    yield store
    store.close()


@pytest.fixture(params=[CHUNK, MANIFEST])
def key(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("size", [0, 1, 4 * MIB, 4 * MIB + 1, 40 * MIB])
def test_an_object_of_any_size_is_read_as_it_was_stored(store: Store, key: str, size: int) -> None:
    data = token_bytes(size)
    assert store.create(key, data)
    assert store.read(key) == data
    assert store.size(key) == size


@pytest.mark.parametrize("size", [10, 30 * MIB])
def test_an_object_that_exists_is_kept(store: Store, key: str, size: int) -> None:
    first = token_bytes(size)
    store.create(key, first)
    assert not store.create(key, token_bytes(size))
    assert store.read(key) == first


def test_what_is_not_there_is_none(store: Store, key: str) -> None:
    assert (store.read(key), store.size(key)) == (None, None)


def test_a_deleted_object_is_gone_and_may_be_deleted_again(store: Store, key: str) -> None:
    store.create(key, token_bytes(30 * MIB))
    store.delete(key)
    store.delete(key)
    assert (store.read(key), store.size(key), list(store.keys(FOLDERS[key]))) == (None, None, [])


def test_many_objects_are_deleted_at_once_also_where_some_are_not_there(store: Store) -> None:
    names = [f"chunks/ab/{number:04}" for number in range(30)]
    for name in (*names, CHUNK, MANIFEST, "backups/2"):
        store.create(name, b"data")
    store.delete_many([*names, "chunks/ab/nothing", "backups/nothing", MANIFEST])
    assert [*store.keys("chunks/"), *store.keys("backups/")] == [CHUNK, "backups/2"]
    store.delete_many([])


def test_who_must_not_go_on_is_stopped_ahead_of_the_next_request(store: Store) -> None:
    def frozen_too_long() -> None:
        raise RepositoryBusy("The lock was lost.")

    store.create(CHUNK, b"data")
    with pytest.raises(RepositoryBusy):
        store.delete_many([CHUNK], frozen_too_long)
    assert store.read(CHUNK) == b"data"


def test_an_object_in_parts_goes_with_its_parts(store: Store) -> None:
    store.create(CHUNK, token_bytes(30 * MIB))
    store.delete_many([CHUNK])
    assert (store.read(CHUNK), store.size(CHUNK), list(store.sizes("chunks/"))) == (None, None, [])
    assert store.create(CHUNK, b"anew")


def test_keys_are_listed_with_the_sizes_of_their_objects(store: Store) -> None:
    sizes = {"chunks/ab/1": 0, "chunks/ab/2": 7, "chunks/b/1": 5 * MIB}
    for name, size in sizes.items():
        store.create(name, bytes(size))
    assert dict(store.sizes("chunks/")) == sizes


def test_a_deleted_object_can_be_created_anew(store: Store, key: str) -> None:
    store.create(key, b"one")
    store.delete(key)
    assert store.create(key, b"two")
    assert store.read(key) == b"two"


def test_keys_are_found_by_their_folder(store: Store) -> None:
    for name in ("chunks/ab/2", "chunks/ab/1", "chunks/b/1", "backups/1", "backups/2", "locks/shared/1/1"):
        store.create(name, b"")
    assert sorted(store.keys("chunks/ab/")) == ["chunks/ab/1", "chunks/ab/2"]
    assert sorted(store.keys("chunks/")) == ["chunks/ab/1", "chunks/ab/2", "chunks/b/1"]
    assert sorted(store.keys("backups/")) == ["backups/1", "backups/2"]


def test_an_object_in_parts_is_one_key(store: Store) -> None:
    store.create(CHUNK, token_bytes(40 * MIB))
    assert list(store.keys("chunks/")) == [CHUNK]


# No part of a key begins with a dot, and no key is a folder of another: digits begin names, letters folders.
FOLDER = st.text("abyz09._-", max_size=8).map(lambda text: f"f{text}")
NAME = st.text("abyzABYZ0189._-", max_size=60).map(lambda text: f"1{text}")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(folders=st.lists(FOLDER, max_size=3), name=NAME, data=st.binary(max_size=100))
def test_any_plain_key_is_taken(store: Store, folders: list[str], name: str, data: bytes) -> None:
    key = "/".join(["backups", *folders, name])
    store.delete(key)
    assert store.create(key, data)
    assert store.read(key) == data
    assert store.size(key) == len(data)
    assert key in list(store.keys("backups/"))


def test_more_keys_than_a_page_holds_are_listed_once_each(store: Store) -> None:
    names = {f"chunks/ab/{number:04}" for number in range(1100)}
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda name: store.create(name, b""), sorted(names)))
    assert sorted(store.keys("chunks/")) == sorted(names)


def test_what_is_deleted_while_it_is_listed_does_no_harm(store: Store) -> None:
    for number in range(5):
        store.create(f"chunks/ab/{number}", b"")
    for key in store.keys("chunks/"):
        store.delete(key)
    assert list(store.keys("chunks/")) == []


@pytest.mark.parametrize("size", [100, 15 * MIB])
def test_of_many_who_create_one_object_one_does(store: Store, key: str, size: int) -> None:
    with ThreadPoolExecutor(6) as pool:
        candidates = [bytes([n]) * size for n in range(6)]
        won = list(pool.map(lambda data: store.create(key, data), candidates))
    assert won.count(True) == 1
    assert store.read(key) == candidates[won.index(True)]


def test_a_check_for_writing_leaves_nothing_behind(store: Store) -> None:
    store.check_writable()
    assert [*store.keys("probe/"), *store.keys("chunks/")] == []


def test_room_is_a_number_or_unknown(store: Store) -> None:
    free = store.free_bytes()
    assert free is None or free > 0


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_directory_that_is_not_there_is_no_empty_repository(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="nowhere"):
        FileStore(tmp_path / "nowhere")


def test_an_unfinished_file_is_no_object(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.create(CHUNK, b"data")
    (tmp_path / "chunks/ab/.0123456789abcdef").write_bytes(b"da")
    assert list(store.keys("chunks/")) == [CHUNK]


def test_checks_at_once_do_not_trip_over_each_other(tmp_path: Path) -> None:
    script = """if True:
        import sys
        from pathlib import Path
        from holdfast.stores.files import FileStore
        for _ in range(500):
            FileStore(Path(sys.argv[1])).check_writable()
    """
    checks = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path)]) for _ in range(4)]
    assert [check.wait() for check in checks] == [0, 0, 0, 0]
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_and_leaves_nothing_half(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path], check=True)
    try:
        store = FileStore(tmp_path)
        with pytest.raises(StoreFull, match="no room"):
            store.create(CHUNK, bytes(2 * MIB))
        assert (store.size(CHUNK), list(store.keys("chunks/"))) == (None, [])
        assert store.create(MANIFEST, b"small")
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_read_only_file_system_is_said(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", tmp_path], check=True)
    try:
        with pytest.raises(NotAuthorized, match="Read-only"):
            FileStore(tmp_path).check_writable()
    finally:
        subprocess.run(["umount", tmp_path], check=True)


# --- MongoDB ----------------------------------------------------------------------------------------------------------


def test_documents_of_an_older_system_in_the_same_collections_are_left_alone(mongod: Mongod, database: Db) -> None:
    database["backupmetadatas"].insert_one({"filename": "backup-1.json", "status": "completed"})
    database["backupdatas"].insert_one({"backupId": "x", "data": {"users": []}})
    store = open_mongodb_store(mongod.uri, database.name, origin="the test")
    store.create(CHUNK, b"data")
    assert list(store.keys("chunks/")) == [CHUNK]
    assert list(store.keys("backups/")) == []
    store.delete(CHUNK)
    store.close()
    assert [database[name].count_documents({}) for name in ("backupmetadatas", "backupdatas")] == [1, 1]


def test_an_object_that_lost_a_part_counts_as_absent(mongod: Mongod, database: Db) -> None:
    store = open_mongodb_store(mongod.uri, database.name, origin="the test")
    store.create(CHUNK, token_bytes(30 * MIB))
    database["backupdatas"].delete_one({"_id": {"$regex": "^parts/"}})
    assert store.size(CHUNK) is None
    store.close()


def test_a_user_who_may_only_read_is_told_what_is_needed(mongod: Mongod, database: Db) -> None:
    password = mongod.create_user(f"reader-{database.name}", [{"role": "read", "db": database.name}])
    uri = mongod.uri_for(f"reader-{database.name}", password, database=database.name)
    store = open_mongodb_store(uri, None, origin="file x")
    with pytest.raises(NotAuthorized, match="readWrite") as refused:
        store.check_writable()
    assert password not in str(refused.value)
    store.close()


def test_a_wrong_password_is_said_without_it(mongod: Mongod, database: Db) -> None:
    with pytest.raises(AuthenticationFailed, match="file x") as refused:
        open_mongodb_store(mongod.uri_for("nobody", "hunter2"), database.name, origin="file x")
    assert "hunter2" not in str(refused.value)


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1"):
        open_mongodb_store("mongodb://127.0.0.1:1/x?serverSelectionTimeoutMS=200", None, origin="file x")


def test_an_address_shows_no_credentials(mongod: Mongod, database: Db) -> None:
    store = open_mongodb_store(mongod.uri, database.name, origin="file x")
    assert "@" not in store.address
    store.close()
