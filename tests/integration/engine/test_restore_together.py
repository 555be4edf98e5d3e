"""Several pods do one restore together: what comes back is what one pod brings back, whoever dies meanwhile."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

import pytest
from bson import Timestamp, encode
from pymongo.database import Database

from holdfast.domain.restoring import STATE, Existing, Strategy
from holdfast.domain.teamwork import Patience, Seat
from holdfast.errors import CollectionFailed, DamagedBackup
from holdfast.mongo.target import MongoTarget
from holdfast.ports import CollectionInfo, Target
from holdfast.repository.repository import Repository
from holdfast.services import target_lease
from holdfast.services.backup_request import BackupOutcome
from holdfast.services.restore import restore
from holdfast.services.restore_outcome import RestoreOutcome
from holdfast.services.restore_request import RestoreRequest
from holdfast.services.restore_share import Team
from holdfast.services.restore_together import forget, restore_together
from holdfast.stores.files import FileStore
from holdfast.wiring.opening import now, open_target
from tests.integration.engine.test_divided import ODD_KEYS, fill
from tests.support.compare import differences, snapshot_of
from tests.support.engine import ORIGIN, Engine, Recorder

Db = Database[dict[str, Any]]
QUICK = Patience(stall=timedelta(seconds=0.5), finish=timedelta(seconds=1), look=timedelta(seconds=0.05))
FORK = get_context("fork")


@pytest.fixture(autouse=True)
def _small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("domain.segments", "domain.portions", "services.restore_layout"):
        monkeypatch.setattr(f"holdfast.{module}.SEGMENT", 2**20)
    monkeypatch.setattr("holdfast.services.prepare_backup.WORTH_A_CREW", 0)
    monkeypatch.setattr("holdfast.services.load.WORTH_A_CREW", 0)
    monkeypatch.setattr(target_lease, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr(target_lease, "RENEWAL_SECONDS", 0.2)
    monkeypatch.setattr(target_lease, "_LOOK_SECONDS", 0.1)


@pytest.fixture
def shop(database: Db) -> Db:
    """About 10 MB in one collection, and a small one of each kind."""
    fill(database, 0, 8_000)
    database["c"].insert_many([{"_id": key} for key in ODD_KEYS if key not in (-1, 2.5)])
    database["c"].create_index("of")
    for name in ("a", "b"):
        database[name].insert_many([{"_id": n, "of": name} for n in range(50)])
    database["b"].create_index("of", unique=False, expireAfterSeconds=3600)
    database.create_collection("capped", capped=True, size=2**20)
    database["capped"].insert_many([{"_id": n} for n in (3, 1, 2)])
    database.create_collection("series", timeseries={"timeField": "t"})
    database["series"].insert_many([{"t": now(), "n": n} for n in range(5)])
    database.create_collection("other_order", collation={"locale": "de", "strength": 1})
    database["other_order"].insert_many([{"_id": word} for word in ("Zug", "äpfel", "birne")])
    database["a"].update_one({"_id": 7}, [{"$set": {"zero": {"$literal": Timestamp(0, 0)}}}])
    database.create_collection("empty")
    database.command("create", "v", viewOn="a", pipeline=[])
    return database


class Pods:
    """The pods of one Job. Each has its own connection and its own view of the repository."""

    def __init__(self, uri: str, directory: Path, outcome: BackupOutcome, database: str, **wanted: Any) -> None:
        self.uri, self.directory, self.outcome, self.database = uri, directory, outcome, database
        self.request = RestoreRequest(token="one run", **wanted)
        self.end = directory / "ended"
        """Stands in for the status of the RestoreRun."""
        self.recorders: dict[int, Recorder] = {}

    def run(
        self, index: int, of: int, through: Callable[[Target], Any] = lambda target: target, *, tells: bool = True
    ) -> RestoreOutcome | None:
        repository = Repository(FileStore(self.directory))
        repository.open()
        recorder = self.recorders.setdefault(index, Recorder())
        team = Team(Seat(index, of), now, self.end.exists, QUICK)
        with closing(open_target(self.uri, self.database, origin=ORIGIN)) as real:
            target, stop = through(real), Event()
            parts = (self.request, self.outcome.manifest, repository, target)
            try:
                outcome = restore_together(
                    *(*parts, team, None, stop),
                    lead=lambda: restore(*(*parts, recorder, now, stop), team=team),
                )
            except (CollectionFailed, DamagedBackup) as error:
                self.end.write_text(str(error))
                raise
            if not tells:
                return outcome
            if outcome is not None:
                self.end.write_text("Succeeded")
            forget(self.request, self.outcome.manifest, target, stop)
        return outcome

    def all(self, of: int) -> list[RestoreOutcome | None]:
        with ThreadPoolExecutor(of) as pool:
            return list(pool.map(lambda index: self.run(index, of), range(of)))


@pytest.fixture
def backup(engine_of: Callable[[Path], Engine], shop: Db, tmp_path: Path) -> Callable[..., Pods]:
    engine = engine_of(tmp_path)
    outcome = engine.back_up(shop.name)

    def pods(database: str, **wanted: Any) -> Pods:
        return Pods(engine.uri, tmp_path, outcome, database, **wanted)

    return pods


@pytest.fixture
def engine_of(engine: Engine) -> Callable[[Path], Engine]:
    return lambda path: Engine(engine.uri, Repository(FileStore(path)))


def brought_back(shop: Db, restored: Db) -> list[str]:
    assert not [name for name in restored.list_collection_names() if name.startswith(STATE)]
    return list(differences(snapshot_of(shop), snapshot_of(restored)))


@pytest.mark.parametrize("of", [2, 3])
def test_it_is_what_one_pod_brings_back(of: int, backup: Callable[..., Pods], shop: Db, restored: Db) -> None:
    outcomes = backup(restored.name).all(of)
    [outcome] = [one for one in outcomes if one is not None]
    assert outcome.problems == ()
    assert brought_back(shop, restored) == []


def test_what_is_replaced_is_swapped_when_all_have_done_their_share(
    backup: Callable[..., Pods], shop: Db, restored: Db
) -> None:
    restored["a"].insert_one({"_id": "old"})
    restored["series"].insert_one({"_id": "not even a time-series"})
    pods = backup(restored.name, existing=Existing.DROP, confirm=restored.name)
    [outcome] = [one for one in pods.all(2) if one is not None]
    assert (outcome.problems, outcome.strategy) == ((), Strategy.SWAP)
    assert brought_back(shop, restored) == []


class Watched:
    """A target that tells what is written to it. ``before`` is called before each insert, with how many there were."""

    def __init__(self, target: Target, before: Callable[[int], object] = lambda _: None) -> None:
        self._target, self._before = target, before
        self.written: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def insert(self, collection: Any, data: bytes, **options: Any) -> int:
        self._before(len(self.written))
        self.written.append(data)
        return self._target.insert(collection, data, **options)


def watching(made: list[Watched], before: Callable[[int], object] = lambda _: None) -> Callable[[Target], Any]:
    def through(target: Target) -> Watched:
        made.append(Watched(target, before))
        return made[-1]

    return through


def test_each_pod_writes_its_share(backup: Callable[..., Pods], restored: Db) -> None:
    pods = backup(restored.name)
    made: tuple[list[Watched], ...] = ([], [])
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda index: pods.run(index, 2, watching(made[index])), range(2)))
    first, second = ([data for target in pod for data in target.written] for pod in made)
    assert first
    assert second
    assert sum(map(len, (*first, *second))) < 1.5 * pods.outcome.manifest.logical_bytes


def done_portions(restored: Db) -> int:
    return restored[STATE].count_documents({"_id": {"$regex": "^together/.*/.*/[0-9]+$"}})


def killed_after(pods: Pods, restored: Db, index: int, of: int, wanted: int) -> None:
    """A pod that is killed once so many portions are done."""
    process = FORK.Process(target=pods.run, args=(index, of), daemon=True)
    process.start()
    while process.is_alive() and done_portions(restored) < wanted:
        process.join(0.002)
    process.kill()
    process.join()


def test_the_first_pod_that_comes_back_goes_on_with_what_is_done(
    backup: Callable[..., Pods], shop: Db, restored: Db
) -> None:
    restored["a"].insert_one({"_id": "old"})
    pods = backup(restored.name, existing=Existing.DROP, confirm=restored.name)
    killed_after(pods, restored, 0, 2, 5)
    assert done_portions(restored) >= 5
    made: list[Watched] = []
    assert pods.run(0, 2, watching(made)) is not None
    written = sum(len(data) for target in made for data in target.written)
    assert written < 0.8 * pods.outcome.manifest.logical_bytes
    assert brought_back(shop, restored) == []


@pytest.mark.parametrize("existing", [Existing.FAIL, Existing.DROP])
@pytest.mark.parametrize("seed", range(2))
def test_whoever_is_killed_whenever_it_is_the_same(
    seed: int, existing: Existing, backup: Callable[..., Pods], shop: Db, restored: Db
) -> None:
    random = Random(seed)  # noqa: S311 (the same deaths for the same seed)
    if existing is Existing.DROP:
        restored["a"].insert_one({"_id": "old"})
    pods = backup(restored.name, existing=existing, confirm=restored.name if existing is Existing.DROP else None)
    for _ in range(3):
        helper = FORK.Process(target=pods.run, args=(1, 3), daemon=True)
        helper.start()
        killed_after(pods, restored, 0, 3, random.randrange(12))
        helper.kill()
        helper.join()
    pods.all(3)
    assert pods.end.read_text() == "Succeeded"
    assert brought_back(shop, restored) == []


def test_where_the_first_pod_does_not_come_back_another_one_leads(
    backup: Callable[..., Pods], shop: Db, restored: Db
) -> None:
    pods = backup(restored.name)
    killed_after(pods, restored, 0, 2, 3)
    assert pods.run(1, 2) is not None
    assert brought_back(shop, restored) == []


def test_what_is_done_and_not_yet_told_is_told_and_not_begun_once_more(
    backup: Callable[..., Pods], shop: Db, restored: Db
) -> None:
    restored["a"].insert_one({"_id": "old"})
    pods = backup(restored.name, existing=Existing.DROP, confirm=restored.name)
    pods.run(0, 2, tells=False)
    made: list[Watched] = []
    outcome = pods.run(1, 2, watching(made))
    assert outcome is not None
    assert outcome.problems == ()
    assert [target.written for target in made] == [[]]
    assert brought_back(shop, restored) == []


def test_a_chunk_that_another_pod_finds_damaged_ends_the_restore(backup: Callable[..., Pods], restored: Db) -> None:
    restored["a"].insert_one({"_id": "old"})
    before = snapshot_of(restored)
    pods = backup(restored.name, existing=Existing.DROP, confirm=restored.name)
    largest = max((pods.directory / "chunks").rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    found = largest.read_bytes()
    largest.write_bytes(found[:-9] + bytes(9))
    turns = {0: Event(), 1: Event()}

    def run(index: int) -> RestoreOutcome | str | None:
        def wait_for_the_other(written: int) -> None:
            turns[index].set()
            assert written or turns[1 - index].wait(60)

        try:
            return pods.run(index, 2, watching([], wait_for_the_other))
        except DamagedBackup as error:
            return error.message

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(run, range(2))
    assert "The target is as it was" in str(first)
    assert second is None
    assert differences(before, snapshot_of(restored)) == []
    assert not [name for name in restored.list_collection_names() if name.startswith(STATE)]


def test_a_server_that_cannot_be_told_which_collection_is_meant_is_written_to_by_one_pod(
    backup: Callable[..., Pods], shop: Db, restored: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.mongo.target.MongoTarget.writes_by_uuid", lambda _: False)
    pods, made = backup(restored.name), list[Watched]()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda index: pods.run(index, 2, watching(made) if index else lambda one: one), range(2)))
    assert [target.written for target in made] == [[]]
    assert "older than MongoDB 6.0" in " ".join(pods.recorders[0].warnings)
    assert brought_back(shop, restored) == []


def test_progress_is_that_of_all(backup: Callable[..., Pods], restored: Db) -> None:
    pods = backup(restored.name)
    pods.all(2)
    told = [advance.logical_bytes for advance in pods.recorders[0].advances]
    assert told[-1] == pods.recorders[0].advances[-1].total_bytes
    assert told == sorted(told)


@pytest.fixture
def written(engine: Engine, database: Db) -> Iterator[tuple[MongoTarget, CollectionInfo, bytes]]:
    """A target, a collection of it that is empty, and the UUID of that."""
    with closing(open_target(engine.uri, database.name, origin=ORIGIN)) as target:
        target.create("c", encode({}), "collection")
        uuid = target.identities()["c"]
        assert uuid is not None
        yield target, CollectionInfo("c", "collection", encode({}), (), uuid), uuid


def test_what_was_written_and_nobody_heard_of_is_completed(
    written: tuple[MongoTarget, CollectionInfo, bytes], database: Db
) -> None:
    target, info, uuid = written
    documents: list[dict[str, Any]] = [{"_id": 1, "t": Timestamp(0, 0)}, {"_id": 2}]
    # The server puts its own time there, and whoever would have put it right was killed.
    database["c"].insert_one(documents[0])
    assert target.insert(info, b"".join(map(encode, documents)), once_into=uuid) == 2
    assert list(database["c"].find(sort=[("_id", 1)])) == documents


def test_nothing_is_written_into_another_collection_of_the_same_name(
    written: tuple[MongoTarget, CollectionInfo, bytes], database: Db
) -> None:
    target, info, uuid = written
    database["c"].drop()
    for made in (False, True):
        if made:
            database.create_collection("c")
        with pytest.raises(CollectionFailed, match="dropped or renamed"):
            target.insert(info, encode({"_id": 1}), once_into=uuid)
        assert database["c"].count_documents({}) == 0
