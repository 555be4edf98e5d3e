"""What a restore is about to replace is backed up first: once, whole, and under a BackupRun where that can be."""

from contextlib import closing
from typing import Any

import pytest
from pymongo.database import Database

from holdfast.domain.restoring import Strategy
from holdfast.errors import CollectionFailed, HoldfastError, NotAuthorized
from holdfast.kube.run_progress import KubeProgress
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, RESTORE_RUN, Kind
from holdfast.repository.manifest import PRE_RESTORE
from holdfast.services.back_up_before import BackUpBefore
from holdfast.services.restore_plan import PlannedCollection, RestorePlan
from holdfast.services.write_status import parse_policy, parse_restore
from tests.support.engine import Engine
from tests.support.fake_cluster import FakeCluster
from tests.support.kube_objects import NAMESPACE, policy_body, restore_body
from tests.support.mongod import Mongod

RUN = "before-back"


class Restore:
    """A RestoreRun that is about to replace collections of a database."""

    def __init__(self, engine: Engine, database: Database[dict[str, Any]]) -> None:
        self._engine, self._database = engine, database
        self.cluster = FakeCluster()
        self._policy = parse_policy(self.cluster.put(BACKUP_POLICY, policy_body()))
        self._run = parse_restore(self.cluster.put(RESTORE_RUN, restore_body()))
        engine.repository.open(create=True)

    def back_up(self, *names: str, source: Any = None) -> str | None:
        planned = tuple(PlannedCollection(name, name, "collection", 0, 0, 0, "replace") for name in names)
        kept = PlannedCollection("kept", "kept", "collection", 0, 0, 0, "create")
        database = self._database.name
        plan = RestorePlan("b", database, Strategy.DIRECT, "", (*planned, kept), (), (), 0, 0, 0)
        clock = self.cluster._clock
        before = BackUpBefore(
            self.cluster,
            "restore-back",
            "job-uid",
            progress_of=lambda run: KubeProgress(self.cluster, NAMESPACE, run, clock),
            clock=clock,
            stop=self._engine.stop,
        )
        with closing(source or self._engine.source(database)) as reader:
            return before(self._policy, self._run, plan, reader, self._engine.repository)

    def told(self) -> dict[str, Any]:
        body = self.cluster.get(BACKUP_RUN, NAMESPACE, RUN)
        assert body is not None
        return body


@pytest.fixture
def restore(engine: Engine, database: Database[dict[str, Any]]) -> Restore:
    for name in ("orders", "users", "kept"):
        database[name].insert_many([{"_id": number} for number in range(3)])
    return Restore(engine, database)


def test_only_what_is_replaced_is_backed_up(restore: Restore, engine: Engine) -> None:
    backup_id = restore.back_up("orders", "users")
    manifest = engine.repository.find(str(backup_id))
    assert manifest is not None
    assert [(one.name, one.documents) for one in manifest.collections] == [("orders", 3), ("users", 3)]
    assert manifest.reason == PRE_RESTORE


def test_a_backup_run_tells_it(restore: Restore) -> None:
    backup_id = restore.back_up("orders")
    body = restore.told()
    assert body["spec"] == {"policyRef": {"name": "shop"}, "reason": "PreRestore"}
    assert [owner["kind"] for owner in body["metadata"]["ownerReferences"]] == ["BackupPolicy"]
    assert (body["status"]["phase"], body["status"]["backupId"]) == ("Succeeded", backup_id)


def test_a_second_attempt_keeps_what_the_first_found(
    restore: Restore, engine: Engine, database: Database[dict[str, Any]]
) -> None:
    first = restore.back_up("orders")
    database["orders"].delete_many({})
    assert restore.back_up("orders") == first
    assert len(engine.repository.backup_ids()) == 1
    manifest = engine.repository.find(str(first))
    assert manifest is not None
    assert manifest.documents == 3


def test_nothing_is_backed_up_where_nothing_is_replaced(restore: Restore, engine: Engine) -> None:
    assert restore.back_up() is None
    assert engine.repository.backup_ids() == []


def test_without_the_right_to_write_a_backup_run_it_is_taken_all_the_same(restore: Restore) -> None:
    def forbidden(verb: str, kind: Kind, _name: str) -> HoldfastError | None:
        return NotAuthorized("no") if kind == BACKUP_RUN and verb != "get" else None

    restore.cluster.failing = forbidden
    assert restore.back_up("orders")


def test_what_cannot_be_backed_up_is_not_replaced(
    restore: Restore, mongod: Mongod, database: Database[dict[str, Any]]
) -> None:
    actions = ["listCollections", "dbStats"]
    privileges = [
        {"resource": {"db": database.name, "collection": ""}, "actions": actions},
        {"resource": {"db": database.name, "collection": "users"}, "actions": ["find", "listIndexes", "collStats"]},
    ]
    role = f"only-users-{database.name}"
    mongod.client["admin"].command({"createRole": role, "privileges": privileges, "roles": []})
    password = mongod.create_user(role, [{"role": role, "db": "admin"}])
    blind = Engine(mongod.uri_for(role, password)).source(database.name)
    with pytest.raises(CollectionFailed, match="orders"):
        restore.back_up("orders", "users", source=blind)
    assert (restore.told()["status"]["phase"], restore.told()["status"]["reason"]) == ("Failed", "CollectionFailed")
