"""The time for which a real server keeps the moment of a backup."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from pymongo.database import Database

from holdfast.domain.snapshot_window import seconds_needed
from holdfast.errors import SnapshotLost
from tests.support.engine import Engine, Meddler
from tests.support.mongod import Mongod

Db = Database[dict[str, Any]]
WINDOW = "minSnapshotHistoryWindowInSeconds"


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.services.back_up.random.uniform", lambda *_: 0.01)


@pytest.fixture
def hurried() -> Iterator[Mongod]:
    """A server that keeps a moment for one second, with two collections."""
    with Mongod(parameters={WINDOW: "1"}) as own:
        fill(own.client["db"])
        yield own


@pytest.fixture
def two(database: Db) -> Db:
    fill(database)
    return database


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every backup takes some minutes more than the server's window, or so it thinks."""
    monkeypatch.setattr("holdfast.domain.snapshot_window._START", 400)


def fill(database: Db) -> None:
    for name in ("a", "z"):
        database[name].insert_many([{"_id": n, "text": "x" * 100} for n in range(500)])


def window(server: Mongod) -> int:
    return int(server.client.admin.command({"getParameter": 1, WINDOW: 1})[WINDOW])


def set_window(server: Mongod, seconds: int) -> None:
    server.client.admin.command({"setParameter": 1, WINDOW: seconds})


def let_the_window_pass(server: Mongod) -> None:
    """The oldest moment that is kept moves on with writes: as many as fill four seconds."""

    def newest() -> int:
        return int(server.client.admin.command("hello")["lastWrite"]["majorityOpTime"]["ts"].time)

    start = newest()
    while newest() < start + 4:
        server.client["other"]["clock"].insert_one({})
    server.client.admin.command("fsync")


@pytest.mark.usefixtures("slow")
def test_it_is_raised_for_a_backup_that_needs_longer_and_set_back(mongod: Mongod, two: Db) -> None:
    during: list[int] = []
    engine = Engine(mongod.uri)
    engine.back_up(two.name, meddle=lambda _: during.append(window(mongod)))
    assert 400 < during[0] < 500
    assert window(mongod) == 300
    assert engine.recorder.warnings == []


@pytest.mark.usefixtures("slow")
def test_it_is_set_back_when_the_backup_fails(mongod: Mongod, two: Db) -> None:
    during: list[int] = []

    def fail(_: str) -> None:
        during.append(window(mongod))
        raise KeyError

    with pytest.raises(KeyError):
        Engine(mongod.uri).back_up(two.name, meddle=fail)
    assert during[0] > 400
    assert window(mongod) == 300


def test_it_is_left_alone_where_it_is_long_enough(mongod: Mongod, two: Db) -> None:
    password = mongod.create_user(f"reader-{two.name}", [{"role": "read", "db": two.name}])
    during: list[int] = []
    engine = Engine(mongod.uri_for(f"reader-{two.name}", password, database=two.name))
    engine.back_up(two.name, meddle=lambda _: during.append(window(mongod)))
    assert during == [300]
    assert engine.recorder.warnings == []


@pytest.mark.usefixtures("slow")
def test_a_user_who_may_not_raise_it_gets_a_backup_and_a_warning(mongod: Mongod, two: Db) -> None:
    password = mongod.create_user(f"reader-{two.name}", [{"role": "read", "db": two.name}])
    engine = Engine(mongod.uri_for(f"reader-{two.name}", password, database=two.name))
    assert engine.back_up(two.name).manifest.documents == 1000
    assert "role hostManager on admin" in engine.recorder.warnings[0]


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("also", ["hostManager", "backup"])
def test_the_role_that_the_warning_names_is_enough(mongod: Mongod, two: Db, also: str) -> None:
    """hostManager may set it and may not ask for it; with backup, one may ask too."""
    roles = [{"role": "read", "db": two.name}, *({"role": name, "db": "admin"} for name in {"hostManager", also})]
    password = mongod.create_user(f"manager-{two.name}", roles)
    engine = Engine(mongod.uri_for(f"manager-{two.name}", password, database=two.name))
    during: list[int] = []
    engine.back_up(two.name, meddle=lambda _: during.append(window(mongod)))
    assert 400 < during[0] < 500
    assert window(mongod) == 300
    assert engine.recorder.warnings == []


@pytest.mark.usefixtures("slow")
def test_the_first_of_two_backups_to_end_does_not_lower_it_under_the_other(mongod: Mongod, two: Db) -> None:
    reading, first_has_ended = Event(), Event()

    def wait(_: str) -> None:
        reading.set()
        assert first_has_ended.wait(60)

    with ThreadPoolExecutor() as pool:

        def begin_another(_: str) -> None:
            others.append(pool.submit(Engine(mongod.uri).back_up, two.name, meddle=wait))
            assert reading.wait(60)

        others: list[Future[Any]] = []
        Engine(mongod.uri).back_up(two.name, meddle=begin_another)
        between = window(mongod)
        first_has_ended.set()
        assert others[0].result(60).manifest.documents == 1000
    assert between > 400
    assert window(mongod) == 300


def test_a_lost_moment_leads_to_a_longer_window_and_a_backup_of_one_later_moment(hurried: Mongod) -> None:
    database = hurried.client["db"]
    windows: list[int] = []

    def lose(_: str) -> None:
        windows.append(window(hurried))
        set_window(hurried, 0)  # somebody meddles with it, and the moment is gone
        for name in ("a", "z"):
            database[name].delete_many({"_id": {"$lt": 100}})
            database[name].insert_one({"_id": "later"})
        let_the_window_pass(hurried)
        set_window(hurried, 1)

    class Watcher(Meddler):
        def cluster_time(self) -> Any:
            windows.append(window(hurried))
            return super().cluster_time()

    asked: list[dict[str, Any]] = []

    def remember(size: int, **facts: Any) -> int:
        asked.append(facts)
        return seconds_needed(size, **facts)

    engine = Engine(hurried.uri)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.support.engine.Meddler", Watcher)
        patch.setattr("holdfast.services.prepare_backup.seconds_needed", remember)
        patch.setattr("holdfast.domain.snapshot_window._TELLING", 1)
        outcome = engine.back_up("db", meddle=lose)
    first, second = asked
    assert (first["lost"], first["rate"]) == (0, None)
    assert second["lost"] == 1
    assert second["rate"], "the rate of the first attempt is used"
    assert isinstance(engine.used, Meddler)
    assert len(engine.used.times) == 2
    assert outcome.manifest.consistency.cluster_time == str(engine.used.times[1])
    assert min(windows) > 300, "both attempts chose their moment with a longer window"
    assert window(hurried) == 1
    engine.restore(outcome, "copy")
    for name in ("a", "z"):
        assert sorted(map(str, hurried.client["copy"][name].distinct("_id"))) == sorted(
            [*map(str, range(100, 500)), "later"]
        )


def test_a_moment_that_is_lost_each_time_ends_the_backup_and_says_what_to_do(hurried: Mongod) -> None:
    password = hurried.create_user("reader", [{"role": "read", "db": "db"}])
    original = Meddler.read

    def read(self: Meddler, collection: Any, at: Any, keys: Any, **how: Any) -> Any:
        for batch in original(self, collection, at, keys, **how):
            yield batch
            if collection.name == "a":
                let_the_window_pass(hurried)

    engine = Engine(hurried.uri_for("reader", password, database="db"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Meddler, "read", read)
        with pytest.raises(SnapshotLost, match="3 attempts were made") as caught:
            engine.back_up("db", meddle=lambda _: None)
    assert "hostManager" in caught.value.hint
    assert isinstance(engine.used, Meddler)
    assert len(set(engine.used.times)) == 3
    assert engine.repository.backup_ids() == []
