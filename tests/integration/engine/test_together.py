"""Several pods take one backup together: it is the same backup as that of one pod, whoever dies meanwhile."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from threading import Event
from typing import Any

import pytest
from pymongo.database import Database

from holdfast.domain.consistency import Consistency
from holdfast.domain.teamwork import Patience
from holdfast.ports import Member, Source
from holdfast.repository.manifest import Manifest
from holdfast.repository.repository import Repository, new_backup_id
from holdfast.repository.shared_work import SHARED
from holdfast.services.back_up import back_up
from holdfast.services.back_up_together import Seat, back_up_together
from holdfast.services.backup_request import BackupOutcome, BackupRequest
from holdfast.services.verify import verify
from holdfast.stores.files import FileStore
from holdfast.wiring import now, open_source
from tests.integration.engine.test_divided import ODD_KEYS, fill
from tests.support.compare import differences, snapshot_of
from tests.support.engine import ORIGIN, Engine, Recorder
from tests.support.mongod import Mongod

Db = Database[dict[str, Any]]
QUICK = Patience(
    plan=timedelta(seconds=5), stall=timedelta(seconds=2), finish=timedelta(seconds=2), look=timedelta(seconds=0.05)
)


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("segments", "portions"):
        monkeypatch.setattr(f"holdfast.domain.{module}.SEGMENT", 2 * 2**20)
    monkeypatch.setattr("holdfast.services.prepare_backup.WORTH_A_CREW", 0)


@pytest.fixture
def shop(database: Db) -> Db:
    """About 20 MB in one collection, small ones, and a view."""
    fill(database, 0, 16_000)
    database["c"].insert_many([{"_id": key} for key in ODD_KEYS if key not in (-1, 2.5)])
    for name in ("a", "b", "d"):
        database[name].insert_many([{"_id": n, "of": name} for n in range(50)])
    database["b"].create_index("of")
    database.create_collection("empty")
    database.command("create", "v", viewOn="a", pipeline=[])
    return database


class Pods:
    """The pods of one Job: each has its own source and its own view of the repository."""

    def __init__(self, mongod: Mongod, database: str, directory: Path) -> None:
        self.mongod, self.database, self.directory = mongod, database, directory
        directory.mkdir(exist_ok=True)
        self.request = BackupRequest(new_backup_id(now(), token_hex(8)), None, (), (), Consistency.REQUIRED, now())
        self.recorders: dict[int, Recorder] = {}

    @contextmanager
    def source(self, member: Member | None) -> Iterator[tuple[Source, None]]:
        source = open_source(self.mongod.uri, self.database, origin=ORIGIN, member=member)
        try:
            yield source, None
        finally:
            source.close()

    def run(self, index: int, of: int, opener: Any = None) -> BackupOutcome | None:
        recorder = self.recorders.setdefault(index, Recorder())
        repository = Repository(FileStore(self.directory))
        seat = Seat(index, of)
        return back_up_together(
            self.request, seat, opener or self.source, repository, recorder, now, Event(), patience=QUICK
        )

    def all(self, of: int) -> list[BackupOutcome | None]:
        with ThreadPoolExecutor(of) as pool:
            return list(pool.map(lambda index: self.run(index, of), range(of)))

    @property
    def repository(self) -> Repository:
        repository = Repository(FileStore(self.directory))
        repository.open()
        return repository

    @property
    def manifest(self) -> Manifest:
        manifest = self.repository.find(self.request.backup_id)
        assert manifest is not None
        return manifest


def content(manifest: Manifest) -> Manifest:
    """A manifest without what two backups of the same data may differ in."""
    moment = manifest.start_time
    return manifest.model_copy(
        update={
            "backup_id": "",
            "start_time": moment.min,
            "completion_time": moment.min,
            "consistency": manifest.consistency.model_copy(update={"cluster_time": None}),
        }
    )


@pytest.mark.parametrize("of", [2, 4])
def test_the_manifest_is_that_of_one_pod(of: int, mongod: Mongod, shop: Db, tmp_path: Path) -> None:
    alone = Pods(mongod, shop.name, tmp_path / "one")
    with alone.source(None) as (source, _):
        repository = Repository(FileStore(alone.directory))
        one = back_up(alone.request, source, repository, Recorder(), now, Event())
    together = Pods(mongod, shop.name, tmp_path / "many")
    outcomes = together.all(of)
    assert content(together.manifest) == content(one.manifest)
    assert sum(outcome is not None for outcome in outcomes) >= 1
    assert verify(together.repository, together.manifest, read_data=True).good


def test_nothing_of_the_shared_work_stays_behind(mongod: Mongod, shop: Db, tmp_path: Path) -> None:
    pods = Pods(mongod, shop.name, tmp_path)
    pods.all(2)
    assert list(pods.repository.store.keys(SHARED)) == []
    assert list(pods.repository.store.keys("locks/")) == []


def test_it_comes_back_byte_for_byte(mongod: Mongod, shop: Db, restored: Db, tmp_path: Path) -> None:
    pods = Pods(mongod, shop.name, tmp_path)
    pods.all(3)
    manifest = pods.manifest
    engine = Engine(mongod.uri, pods.repository)
    engine.restore(BackupOutcome(manifest, manifest.new_bytes, manifest.warnings), restored.name)
    assert differences(snapshot_of(shop), snapshot_of(restored)) == []
