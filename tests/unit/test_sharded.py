"""A sharded cluster is refused in words, by whatever meets one, and nothing is read or written there."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Event
from typing import Any

import pytest
from bson import encode

from holdfast.domain.consistency import Consistency, ConsistencyLevel
from holdfast.domain.teamwork import Seat
from holdfast.errors import InvalidSpec
from holdfast.ports import Source
from holdfast.repository.manifest import CollectionRecord, ConsistencyRecord, Manifest, ServerRecord
from holdfast.repository.repository import Repository
from holdfast.services.back_up import back_up
from holdfast.services.back_up_together import back_up_together
from holdfast.services.backup_request import BackupRequest
from holdfast.services.plan_restore import plan_restore
from holdfast.services.restore_request import RestoreRequest
from holdfast.stores.memory import MemoryStore
from holdfast.wiring.opening import now, open_oplog, open_source, open_target
from holdfast.wiring.telling import open_probe
from tests.support.engine import ORIGIN, Recorder
from tests.support.fake_mongos import fake_mongos


@pytest.fixture(scope="module")
def uri() -> Iterator[str]:
    with fake_mongos() as uri:
        yield uri


@pytest.fixture
def request_() -> BackupRequest:
    return BackupRequest("b", None, (), (), Consistency.PREFERRED, now())


def test_a_backup_says_what_it_would_need(uri: str, request_: BackupRequest) -> None:
    repository = Repository(MemoryStore())
    with (
        closing(open_source(uri, None, origin=ORIGIN)) as source,
        pytest.raises(InvalidSpec, match=r"sharded cluster \(a mongos answered\).*a cluster time over all shards"),
    ):
        back_up(request_, source, repository, Recorder(), now, Event())
    assert repository.backup_ids() == []


def test_so_does_a_backup_by_several_pods(uri: str, request_: BackupRequest) -> None:
    @contextmanager
    def opener(_: Any) -> Iterator[tuple[Source, None]]:
        with closing(open_source(uri, None, origin=ORIGIN)) as source:
            yield source, None

    repository = Repository(MemoryStore())
    with pytest.raises(InvalidSpec, match="sharded cluster"):
        back_up_together(request_, Seat(0, 2), opener, repository, Recorder(), now, Event())


def test_a_restore_into_one_is_refused_in_its_plan(uri: str) -> None:
    moment = now()
    manifest = Manifest(
        holdfast_version="0",
        backup_id="b",
        database="shop",
        server=ServerRecord(version="7.0.5", topology="replicaSet"),
        start_time=moment,
        completion_time=moment,
        consistency=ConsistencyRecord(level=ConsistencyLevel.NONE),
        documents=0,
        logical_bytes=0,
        stored_bytes=0,
        new_bytes=0,
        collections=(CollectionRecord(name="users", type="collection", options=encode({})),),
    )
    with closing(open_target(uri, "shop", origin=ORIGIN)) as target:
        plan = plan_restore(RestoreRequest(), manifest, Repository(MemoryStore()), target)
    assert any("sharded cluster" in problem for problem in plan.conflicts)


def test_a_policy_over_one_is_not_healthy(uri: str) -> None:
    with pytest.raises(InvalidSpec, match="sharded cluster"):
        open_probe().probe(uri, origin=ORIGIN, read_preference="primary")


def test_its_oplog_is_not_followed(uri: str) -> None:
    with closing(open_oplog(uri, origin=ORIGIN)) as oplog, pytest.raises(InvalidSpec, match="sharded cluster"):
        _ = oplog.replica_set
