"""What a rule does not keep goes, with what only it needed; what is kept can be restored."""

from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pymongo.database import Database

from holdfast.domain.retention import Rule
from holdfast.errors import RepositoryBusy
from holdfast.repository.locks import Lock, LockKind
from holdfast.repository.repository import MANIFESTS, Repository
from holdfast.services.prune import PruneOutcome, plan_prune, prune
from holdfast.services.verify import verify_all
from holdfast.stores.memory import MemoryStore
from tests.support.compare import differences, snapshot_of
from tests.support.engine import Engine
from tests.support.mongod import Mongod

Db = Database[dict[str, Any]]
ZONE = ZoneInfo("Etc/UTC")


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def engine(mongod: Mongod) -> Engine:
    return Engine(mongod.uri, Repository(MemoryStore()))


@pytest.fixture
def three(engine: Engine, database: Db) -> list[str]:
    """Three backups, each of other data; the newest first. Their ids, of one second, tell nothing about the order."""
    ids: list[str] = []
    for number in range(3):
        database["c"].drop()
        database["c"].insert_many([{"_id": n, "text": f"{number} {n} " * 50} for n in range(500)])
        ids.append(engine.back_up(database.name).manifest.backup_id)
    return ids[::-1]


def kept(engine: Engine, rule: Rule, policy: str | None = None) -> PruneOutcome:
    return prune(engine.repository, rule, now, ZONE, policy, Event())


def test_what_no_rule_keeps_goes_with_its_chunks(engine: Engine, three: list[str]) -> None:
    outcome = kept(engine, Rule(keep_last=1))
    assert set(outcome.removed) == set(three[1:])
    assert outcome.removed_chunks > 0
    assert outcome.freed_bytes > 0


def test_what_is_kept_is_whole_and_can_be_restored(
    engine: Engine, three: list[str], database: Db, restored: Db
) -> None:
    kept(engine, Rule(keep_last=1))
    assert verify_all(engine.repository, read_data=True).good
    last = engine.back_up(database.name, backup_id=three[0])
    engine.restore(last, restored.name)
    assert differences(snapshot_of(database), snapshot_of(restored)) == []


def test_a_second_prune_finds_nothing_to_do(engine: Engine, three: list[str]) -> None:
    kept(engine, Rule(keep_last=2))
    outcome = kept(engine, Rule(keep_last=2))
    assert (outcome.removed, outcome.removed_chunks) == ((), 0)
    assert len(engine.repository.backup_ids()) == len(three) - 1


def test_a_plan_changes_nothing(engine: Engine, three: list[str]) -> None:
    outcome = plan_prune(engine.repository, Rule(keep_last=1), now, ZONE, None)
    assert {entry.manifest.backup_id: entry.decision.keep for entry in outcome.plan} == {
        three[0]: True,
        three[1]: False,
        three[2]: False,
    }
    assert set(engine.repository.backup_ids()) == set(three)


def test_each_database_is_planned_by_itself(engine: Engine, three: list[str], restored: Db) -> None:
    restored["c"].insert_one({})
    other = engine.back_up(restored.name).manifest.backup_id
    outcome = kept(engine, Rule(keep_last=1))
    assert other not in outcome.removed
    assert len(outcome.removed) == len(three) - 1


def test_another_policys_backups_are_left_alone(engine: Engine, three: list[str]) -> None:
    assert kept(engine, Rule(keep_last=1), policy="team/shop").plan == ()
    assert set(engine.repository.backup_ids()) == set(three)


def test_a_prune_that_is_never_alone_gives_up_and_disturbs_nobody(
    engine: Engine, three: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.repository.locks.PATIENCE", timedelta())
    lock = Lock(engine.repository.store, now, LockKind.SHARED, "restore")
    lock.acquire()
    with pytest.raises(RepositoryBusy):
        kept(engine, Rule(keep_last=1))
    lock.release()
    assert set(engine.repository.backup_ids()) == set(three)


def test_while_a_manifest_cannot_be_read_no_chunk_goes(engine: Engine, three: list[str]) -> None:
    store = engine.repository.store
    assert isinstance(store, MemoryStore)
    store.objects[MANIFESTS + three[1]] = b"damaged"
    outcome = kept(engine, Rule(keep_last=1))
    assert len(outcome.damaged) == 1
    assert outcome.removed_chunks == 0
    assert three[1] in engine.repository.backup_ids()


def test_chunks_of_a_prune_that_was_cut_short_go_with_the_next(engine: Engine, three: list[str]) -> None:
    engine.repository.remove(three[2])
    outcome = kept(engine, Rule(keep_within=timedelta(days=1)))
    assert outcome.removed == ()
    assert outcome.removed_chunks > 0
