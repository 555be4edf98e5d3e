"""A drill into a server like the one beside the worker: a standalone without users, which starts together with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

import pytest
from pymongo.database import Database

from holdfast.domain.consistency import Consistency
from holdfast.domain.phases import Phase
from holdfast.ports import BACKUP_POLICY
from holdfast.repository.manifest import Manifest, PolicyIdentity
from holdfast.repository.repository import Repository, new_backup_id
from holdfast.resources.policy import BackupPolicy
from holdfast.services import run_drill
from holdfast.services.back_up import back_up
from holdfast.services.backup_request import BackupRequest
from holdfast.services.run_drill import DrillWorker
from holdfast.wiring.opening import now, open_target
from tests.support.engine import ORIGIN, Engine
from tests.support.fake_cluster import FakeCluster
from tests.support.kube_objects import NAMESPACE, policy_body
from tests.support.mongod import Mongod
from tests.support.timetrack import generate

Db = Database[dict[str, Any]]
DRILL = {"drill": {"schedule": "@weekly", "target": {"ephemeral": {"image": "mongo:7.0"}}}}


class Doors:
    """A repository, and the server beside the worker."""

    def __init__(self, repository: Repository, uri: str) -> None:
        self._repository, self._uri = repository, uri

    @contextmanager
    def repository(self, policy: BackupPolicy) -> Iterator[Repository]:
        del policy
        yield self._repository

    @contextmanager
    def target(self, policy: BackupPolicy, manifest: Manifest) -> Iterator[tuple[Any, None]]:
        del policy
        target = open_target(self._uri, manifest.database, origin=ORIGIN)
        yield target, None
        target.close()


def take_a_backup(engine: Engine, database: Db) -> str:
    started = now()
    request = BackupRequest(
        backup_id=new_backup_id(started, "drill"),
        policy=PolicyIdentity(namespace=NAMESPACE, name="shop"),
        include=(),
        exclude=(),
        consistency=Consistency.PREFERRED,
        started=started,
    )
    source = engine.source(database.name)
    manifest = back_up(request, source, engine.repository, engine.recorder, now, engine.stop).manifest
    source.close()
    return manifest.backup_id


def drill(engine: Engine, uri: str, wait: Any) -> Any:
    cluster = FakeCluster(now)
    cluster.put(BACKUP_POLICY, policy_body(verification=DRILL))
    doors = Doors(engine.repository, uri)
    return DrillWorker(NAMESPACE, "shop", "uid", cluster, doors, engine.recorder, now, Event(), wait).work()


def test_a_drill_waits_for_its_server_and_restores_into_it(engine: Engine, database: Db) -> None:
    generate(database, entries=300)
    backup_id = take_a_backup(engine, database)
    with Mongod(replica_set=False, auth=False) as server:
        server.kill()
        uri = f"mongodb://127.0.0.1:{server.port}/?directConnection=true&serverSelectionTimeoutMS=200"
        result = drill(engine, uri, lambda _: server.start())
        assert (result.exit_code, result.message.phase) == (0, Phase.SUCCEEDED), result.message
        assert result.message.status["backupId"] == backup_id
        assert database.name not in server.client.list_database_names()


def test_a_server_that_never_starts_is_tried_again(
    engine: Engine, database: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    database["c"].insert_one({})
    take_a_backup(engine, database)
    monkeypatch.setattr(run_drill, "SERVER_PATIENCE", 1.0)
    result = drill(engine, "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100", lambda _: None)
    assert (result.exit_code, result.message.phase) == (75, None)
