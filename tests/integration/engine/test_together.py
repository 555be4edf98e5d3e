"""Several pods take one backup together: it is the same backup as that of one pod, whoever dies meanwhile."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from random import Random
from secrets import token_hex
from threading import Event
from time import monotonic
from typing import Any, cast

import pytest
from pymongo.database import Database

from holdfast.domain.consistency import Consistency
from holdfast.domain.teamwork import Patience, Seat
from holdfast.errors import SnapshotLost
from holdfast.ports import WHOLE, ClusterTime, CollectionInfo, KeyRange, Member, Source
from holdfast.repository.manifest import Manifest
from holdfast.repository.repository import Repository, new_backup_id
from holdfast.repository.shared_work import SHARED, SharedWork
from holdfast.services.back_up import back_up
from holdfast.services.back_up_together import back_up_together
from holdfast.services.backup_request import BackupOutcome, BackupRequest
from holdfast.services.plan_together import layout_of
from holdfast.services.verify import verify
from holdfast.stores.files import FileStore
from holdfast.wiring.opening import now, open_source
from tests.integration.engine.test_divided import ODD_KEYS, fill
from tests.support.compare import differences, snapshot_of
from tests.support.engine import ORIGIN, Engine, Recorder
from tests.support.mongod import Mongod

Db = Database[dict[str, Any]]
QUICK = Patience(
    plan=timedelta(seconds=2), stall=timedelta(seconds=0.5), finish=timedelta(seconds=2), look=timedelta(seconds=0.05)
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

    def __init__(self, mongod: Mongod, database: str, directory: Path, patience: Patience = QUICK) -> None:
        self.uri, self.database, self.directory, self.patience = mongod.uri, database, directory, patience
        directory.mkdir(exist_ok=True)
        self.request = BackupRequest(new_backup_id(now(), token_hex(8)), None, (), (), Consistency.REQUIRED, now())
        self.recorders: dict[int, Recorder] = {}

    @contextmanager
    def source(self, member: Member | None) -> Iterator[tuple[Source, None]]:
        source = open_source(self.uri, self.database, origin=ORIGIN, member=member)
        try:
            yield source, None
        finally:
            source.close()

    def run(self, index: int, of: int, opener: Any = None) -> BackupOutcome | None:
        recorder = self.recorders.setdefault(index, Recorder())
        repository = Repository(FileStore(self.directory))
        seat = Seat(index, of)
        return back_up_together(
            self.request, seat, opener or self.source, repository, recorder, now, Event(), patience=self.patience
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


def same_data(manifest: Manifest) -> list[tuple[object, ...]]:
    return [(c.name, c.documents, c.document_hash, c.stored_bytes, c.chunk_lists) for c in manifest.collections]


@pytest.mark.parametrize("of", [2, 4])
def test_the_manifest_is_that_of_one_pod(of: int, mongod: Mongod, shop: Db, tmp_path: Path) -> None:
    alone = Pods(mongod, shop.name, tmp_path / "one")
    with alone.source(None) as (source, _):
        repository = Repository(FileStore(alone.directory))
        one = back_up(alone.request, source, repository, Recorder(), now, Event())
    # Nobody dies: one who is slow is not to be taken for dead, or what another does again is not new any more.
    together = Pods(mongod, shop.name, tmp_path / "many", Patience(look=QUICK.look))
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


class Watched:
    """A source that tells what is read of it; ``fails`` is called at the first range."""

    def __init__(self, source: Source, fails: Callable[[], object] | None = None) -> None:
        self._source, self._fails = source, fails
        self.reads: list[tuple[str, ClusterTime | None, KeyRange]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def read(
        self, collection: CollectionInfo, at: ClusterTime | None, keys: KeyRange = WHOLE, **options: Any
    ) -> Iterator[Sequence[bytes]]:
        if self._fails:
            fails, self._fails = self._fails, None
            fails()
        self.reads.append((collection.name, at, keys))
        yield from self._source.read(collection, at, keys, **options)


def watching(pods: Pods, made: list[Watched], fails: Callable[[], object] | None = None) -> Any:
    @contextmanager
    def opener(member: Member | None) -> Iterator[tuple[Source, None]]:
        with pods.source(member) as (source, _):
            made.append(Watched(source, None if made else fails))
            yield cast("Source", made[-1]), None

    return opener


def parts(pods: Pods) -> set[str]:
    return {key.rpartition("/parts/")[2] for key in pods.repository.store.keys(SHARED) if "/parts/" in key}


def killed_after(pods: Pods, index: int, of: int, wanted: int) -> None:
    """A pod that is killed once there are so many parts."""
    process = get_context("fork").Process(target=pods.run, args=(index, of), daemon=True)
    process.start()
    while process.is_alive() and not ((pods.directory / "holdfast.json").exists() and len(parts(pods)) >= wanted):
        process.join(0.002)
    process.kill()
    process.join()


def test_a_pod_that_is_killed_loses_only_what_it_was_reading(mongod: Mongod, shop: Db, tmp_path: Path) -> None:
    pods = Pods(mongod, shop.name, tmp_path)
    killed_after(pods, 0, 2, 2)
    plan = SharedWork(pods.repository, pods.request.backup_id).newest_plan()
    assert plan is not None
    kept = sorted(map(int, parts(pods)))
    ranges = [(c.record.name, keys) for c in plan.collections for keys in c.ranges]
    done = {ranges[segment] for portion in kept for segment in layout_of(plan).portions[portion]}
    assert done
    watched: list[Watched] = []
    pods.run(0, 2, watching(pods, watched))
    read = {(name, keys) for source in watched for name, _, keys in source.reads}
    assert not read & done
    assert pods.manifest.documents == 16_000 + 8 + 150


@pytest.mark.parametrize("seed", range(4))
def test_whoever_is_killed_whenever_it_is_the_same_backup(seed: int, mongod: Mongod, shop: Db, tmp_path: Path) -> None:
    random = Random(seed)  # noqa: S311 (the same deaths for the same seed)
    pods = Pods(mongod, shop.name, tmp_path / "many")
    for _ in range(3):
        killed_after(pods, random.randrange(3), 3, random.randrange(8))
    pods.all(3)
    alone = Pods(mongod, shop.name, tmp_path / "one")
    with alone.source(None) as (source, _):
        one = back_up(alone.request, source, Repository(FileStore(alone.directory)), Recorder(), now, Event())
    # What a pod stored and could not say before it died is found there, and is new to nobody.
    assert same_data(pods.manifest) == same_data(one.manifest)


def test_an_index_that_never_comes_holds_nobody_up(mongod: Mongod, shop: Db, tmp_path: Path) -> None:
    pods = Pods(mongod, shop.name, tmp_path)
    assert pods.run(1, 3) is not None
    assert pods.manifest.documents == 16_000 + 8 + 150


def test_a_lost_snapshot_begins_a_new_time_for_all(mongod: Mongod, shop: Db, tmp_path: Path) -> None:
    pods = Pods(mongod, shop.name, tmp_path)
    watched: dict[int, list[Watched]] = {0: [], 1: []}
    lost = Event()

    def lose() -> None:
        mongod.client["another"]["c"].insert_one({})  # so that there is another time
        lost.set()
        raise SnapshotLost("The server no longer has the snapshot.")

    def work(index: int) -> BackupOutcome | None:
        return pods.run(index, 2, watching(pods, watched[index], lose if index else lambda: lost.wait(60)))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    manifest = pods.manifest
    last = {
        name: [str(at) for source in (*watched[0], *watched[1]) for read, at, _ in source.reads if read == name]
        for name in ("a", "b", "c", "d")
    }
    assert all(times[-1] == manifest.consistency.cluster_time for times in last.values())
    assert len({time for times in last.values() for time in times}) == 2
    assert verify(pods.repository, manifest, read_data=True).good


def test_a_collection_that_is_made_anew_meanwhile_is_read_anew(mongod: Mongod, shop: Db, tmp_path: Path) -> None:
    pods = Pods(mongod, shop.name, tmp_path)
    killed_after(pods, 0, 2, 2)
    shop["d"].drop()
    shop["d"].insert_one({"_id": "another"})
    pods.all(2)
    [record] = [record for record in pods.manifest.collections if record.name == "d"]
    assert (record.error, record.documents) == (None, 1)


def test_a_backup_that_is_there_already_is_told_again(mongod: Mongod, shop: Db, tmp_path: Path) -> None:
    pods = Pods(mongod, shop.name, tmp_path)
    pods.all(2)
    again = pods.run(1, 2)
    assert again is not None
    assert again.manifest == pods.manifest


def test_all_read_within_the_one_limit(mongod: Mongod, shop: Db, tmp_path: Path) -> None:
    pods = Pods(mongod, shop.name, tmp_path)
    pods.request = replace(pods.request, max_bytes_per_second=8 * 2**20)
    began = monotonic()
    pods.all(2)
    assert monotonic() - began >= pods.manifest.logical_bytes / (8 * 2**20) * 0.7


WINDOW = "minSnapshotHistoryWindowInSeconds"


def window(mongod: Mongod) -> int:
    return int(mongod.client.admin.command({"getParameter": 1, WINDOW: 1})[WINDOW])


def looking(pods: Pods, look: Callable[[], object]) -> Any:
    """Looks before the first range that is read of each source."""

    @contextmanager
    def opener(member: Member | None) -> Iterator[tuple[Source, None]]:
        with pods.source(member) as (source, _):
            yield cast("Source", Watched(source, look)), None

    return opener


def test_the_snapshot_window_is_long_enough_before_any_pod_reads_and_set_back_after_the_last(
    mongod: Mongod, shop: Db, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.domain.snapshot_window._START", 400)
    pods = Pods(mongod, shop.name, tmp_path)
    found: dict[int, int] = {}

    def run(index: int) -> BackupOutcome | None:
        return pods.run(index, 2, looking(pods, lambda: found.setdefault(index, window(mongod))))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, range(2)))
    assert set(found) == {0, 1}
    assert all(400 < seconds < 500 for seconds in found.values())
    assert window(mongod) == 300


def test_where_it_may_not_be_raised_that_is_said_once_and_before_anything_is_read(
    mongod: Mongod, shop: Db, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.domain.snapshot_window._START", 400)
    user = f"reader-{shop.name}"
    password = mongod.create_user(user, [{"role": "read", "db": shop.name}])
    pods = Pods(mongod, shop.name, tmp_path)
    pods.uri = mongod.uri_for(user, password, database=shop.name)
    said: list[list[str]] = []
    pods.run(0, 2, looking(pods, lambda: said.append(list(pods.recorders[0].warnings))))
    assert [len(warnings) for warnings in said] == [1]
    assert "role hostManager on admin" in said[0][0]
    assert pods.manifest.documents == 16_000 + 8 + 150
