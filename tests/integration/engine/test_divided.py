"""Large collections are read in ranges of keys, by several processes, and come back as if they were not."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from bson import MaxKey, MinKey, ObjectId, encode
from bson.raw_bson import RawBSONDocument
from pymongo.database import Database

from holdfast.domain.consistency import Consistency
from holdfast.ports import Source
from holdfast.processes import Processes
from holdfast.repository.repository import Repository, new_backup_id
from holdfast.services.back_up import back_up
from holdfast.services.backup_request import BackupOutcome, BackupRequest
from holdfast.services.read_segment import segment_work
from holdfast.stores.files import FileStore
from holdfast.wiring.opening import now, open_source
from tests.support.compare import differences, snapshot_of
from tests.support.engine import ORIGIN, Engine
from tests.support.mongod import Mongod

Db = Database[dict[str, Any]]
ODD_KEYS = [MinKey(), None, -1, 2.5, "text", {"a": 1}, b"bytes", True, ObjectId(), MaxKey()]


@contextmanager
def opened(uri: str, database: str, directory: Path) -> Iterator[tuple[Source, Repository]]:
    source = open_source(uri, database, origin=ORIGIN)
    try:
        yield source, Repository(FileStore(directory))
    finally:
        source.close()


@pytest.fixture
def processes() -> Iterator[Processes]:
    with Processes(2) as made:
        yield made


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.domain.segments.SEGMENT", 2 * 2**20)
    monkeypatch.setattr("holdfast.services.prepare_backup.WORTH_A_CREW", 0)


def fill(database: Db, first: int, count: int) -> None:
    text = "word " * 200
    documents = [RawBSONDocument(encode({"_id": n, "text": f"{n} {text}"})) for n in range(first, first + count)]
    database["c"].insert_many(documents)


def take(processes: Processes, mongod: Mongod, database: Db, directory: Path) -> BackupOutcome:
    engine = Engine(mongod.uri)
    opener = partial(opened, mongod.uri, database.name, directory)
    request = BackupRequest(new_backup_id(now(), token_hex(8)), None, (), (), Consistency.REQUIRED, now())
    with opener() as (source, repository):
        crew = processes.crew(partial(segment_work, opener, now))
        return back_up(request, source, repository, engine.recorder, now, engine.stop, crew)


def restored_equal(mongod: Mongod, outcome: BackupOutcome, database: Db, restored: Db, directory: Path) -> bool:
    repository = Repository(FileStore(directory))
    repository.open()
    Engine(mongod.uri, repository).restore(outcome, restored.name)
    return differences(snapshot_of(database), snapshot_of(restored)) == []


def test_a_divided_collection_comes_back_byte_for_byte(
    processes: Processes, mongod: Mongod, database: Db, restored: Db, tmp_path: Path
) -> None:
    fill(database, 0, 12_000)
    outcome = take(processes, mongod, database, tmp_path)
    repository = Repository(FileStore(tmp_path))
    repository.open()
    starts = [ref.start for ref in repository.chunk_refs(outcome.manifest.collections[0]) if ref.start]
    assert len(starts) >= 4
    assert restored_equal(mongod, outcome, database, restored, tmp_path)


def test_keys_of_every_type_are_in_exactly_one_range(
    processes: Processes, mongod: Mongod, database: Db, restored: Db, tmp_path: Path
) -> None:
    fill(database, 0, 6_000)
    database["c"].insert_many([{"_id": f"key {n:05}", "text": "word " * 200} for n in range(6_000)])
    database["c"].delete_one({"_id": 2.5})
    database["c"].insert_many([{"_id": key} for key in ODD_KEYS])
    outcome = take(processes, mongod, database, tmp_path)
    assert outcome.manifest.documents == 12_000 + len(ODD_KEYS)
    assert restored_equal(mongod, outcome, database, restored, tmp_path)


@pytest.mark.parametrize(
    "options",
    [{"clusteredIndex": {"key": {"_id": 1}, "unique": True}}, {"collation": {"locale": "en", "strength": 2}}],
    ids=["clustered", "collation"],
)
def test_clustered_and_collated_collections_come_back(
    options: dict[str, Any], processes: Processes, mongod: Mongod, database: Db, restored: Db, tmp_path: Path
) -> None:
    database.create_collection("c", **options)
    fill(database, 0, 6_000)
    database["c"].insert_many([{"_id": key} for key in ODD_KEYS if key != 2.5])
    outcome = take(processes, mongod, database, tmp_path)
    assert restored_equal(mongod, outcome, database, restored, tmp_path)


def test_an_unchanged_collection_adds_nothing_however_it_was_divided(
    processes: Processes, mongod: Mongod, database: Db, tmp_path: Path
) -> None:
    fill(database, 0, 12_000)
    take(processes, mongod, database, tmp_path)
    assert take(processes, mongod, database, tmp_path).new_bytes == 0


def test_an_append_divides_only_what_was_appended(
    processes: Processes, mongod: Mongod, database: Db, restored: Db, tmp_path: Path
) -> None:
    fill(database, 0, 12_000)
    first = take(processes, mongod, database, tmp_path)
    fill(database, 12_000, 6_000)
    second = take(processes, mongod, database, tmp_path)
    repository = Repository(FileStore(tmp_path))
    repository.open()
    ids = [[ref.id for ref in repository.chunk_refs(o.manifest.collections[0])] for o in (first, second)]
    assert set(ids[0][:-1]) <= set(ids[1])
    assert restored_equal(mongod, second, database, restored, tmp_path)


def test_deleting_what_a_range_held_leaves_the_others_as_they_were(
    processes: Processes, mongod: Mongod, database: Db, restored: Db, tmp_path: Path
) -> None:
    fill(database, 0, 12_000)
    take(processes, mongod, database, tmp_path)
    database["c"].delete_many({"_id": {"$gte": 2_000, "$lt": 9_000}})
    outcome = take(processes, mongod, database, tmp_path)
    assert outcome.manifest.documents == 5_000
    assert restored_equal(mongod, outcome, database, restored, tmp_path)
