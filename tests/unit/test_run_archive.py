"""The archiver in its pod: it goes on whatever happens, and tells in its policy what can be restored, not too often."""

from collections.abc import Callable
from threading import Event
from typing import Any

import pytest

from holdfast.domain.consistency import ConsistencyLevel
from holdfast.errors import ClusterUnavailable, HoldfastError, InvalidSpec, NotAuthorized, SourceUnavailable
from holdfast.ports import BACKUP_POLICY, KubeObject
from holdfast.repository.locks import LockKind, locked
from holdfast.repository.manifest import ConsistencyRecord, Manifest, PolicyIdentity, ServerRecord
from holdfast.repository.repository import Repository, new_backup_id
from holdfast.repository.slices import Slices
from holdfast.services.run_archive import MOST_OFTEN, ArchiveWorker
from holdfast.stores.memory import MemoryStore
from tests.support.fake_cluster import START, FakeClock, FakeCluster
from tests.support.fake_oplog import FakeOplog, entry
from tests.support.kube_objects import NAMESPACE, SECRETS, forbid_all_secrets, policy_body

BEGIN = int(START.timestamp())
STANDALONE = InvalidSpec("The server is a standalone: it has no oplog, so there is nothing to replay.")


class Pod:
    """All that an archiver meets. Each time that it has read all of the oplog, the next step is done."""

    def __init__(self, **wanted: Any) -> None:
        self.clock = FakeClock()
        self.cluster = FakeCluster(self.clock)
        self.repository, self.stop = Repository(MemoryStore()), Event()
        self.oplog = FakeOplog(entry(BEGIN))
        self.cluster.put(BACKUP_POLICY, policy_body(pointInTime={"enabled": True, "sliceSeconds": 10, **wanted}))
        self.waited: list[float] = []

    def work(self, *steps: Callable[[], object]) -> None:
        left = list(steps)

        def then() -> None:
            if left:
                left.pop(0)()
            else:
                self.stop.set()

        def wait(seconds: float) -> None:
            self.waited.append(seconds)
            self.clock.advance(seconds)
            then()

        self.oplog.then = then
        self.stop.clear()
        doors = self.oplog.doors(self.repository)
        ArchiveWorker(NAMESPACE, "shop", self.cluster, doors, self.clock, self.stop, wait).work()
        forbid_all_secrets(self.policy())

    def write(self, seconds: float = 10) -> None:
        """Time goes by, and something is written."""
        self.clock.advance(seconds)
        self.oplog.entries.append(entry(int(self.clock().timestamp())))

    def back_up(self) -> None:
        taken = self.clock()
        with locked(self.repository.store, self.clock, LockKind.SHARED, "a test", self.stop) as lock:
            self.repository.commit(
                Manifest(
                    holdfast_version="0",
                    backup_id=new_backup_id(taken, str(taken)),
                    policy=PolicyIdentity(namespace=NAMESPACE, name="shop"),
                    database="shop",
                    server=ServerRecord(version="8.0.0", topology="replicaSet", replica_set="rs0"),
                    start_time=taken,
                    completion_time=taken,
                    consistency=ConsistencyRecord(
                        level=ConsistencyLevel.SNAPSHOT, cluster_time=f"{int(taken.timestamp())}.1"
                    ),
                    documents=0,
                    logical_bytes=0,
                    stored_bytes=0,
                    new_bytes=0,
                    collections=(),
                ),
                lock,
            )

    def policy(self) -> KubeObject:
        body = self.cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
        assert body is not None
        return body

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.policy()["status"]["pointInTime"]
        return status

    def writes(self) -> int:
        return sum(verb == "patch_status" for verb, _, _ in self.cluster.writes)

    def slices(self) -> Slices:
        return Slices(self.repository, "rs0", "shop", f"{NAMESPACE}/shop")


@pytest.fixture
def pod() -> Pod:
    return Pod()


def test_what_is_archived_is_told_and_nothing_is_promised_without_a_backup(pod: Pod) -> None:
    pod.work(pod.write, lambda: pod.write(MOST_OFTEN.total_seconds()))
    status = pod.status()
    assert status["to"] == "2026-03-01T12:00:24Z"
    assert status["lagSeconds"] == 1
    assert "from" not in status


def test_any_second_from_a_backup_on_can_be_restored(pod: Pod) -> None:
    pod.work(pod.write, pod.back_up, lambda: pod.write(60), lambda: pod.write(60))
    assert (pod.status()["from"], pod.status()["to"]) == ("2026-03-01T12:00:10Z", "2026-03-01T12:02:09Z")


def test_a_status_is_not_written_for_each_slice() -> None:
    pod = Pod(sliceSeconds=1)
    pod.work(*[lambda: pod.write(1)] * 120)
    assert len(pod.slices().names()) > 50
    assert pod.writes() <= 1 + 120 / MOST_OFTEN.total_seconds()


def test_an_archiver_that_died_goes_on_from_the_newest_slice(pod: Pod) -> None:
    pod.work(pod.write)
    pod.write()
    pod.work(pod.write)
    [window] = pod.slices().windows()
    assert (window.after.seconds, window.until.seconds) == (BEGIN, BEGIN + 30)


def test_a_gap_is_told_at_once_and_stays_open_until_a_backup(pod: Pod) -> None:
    pod.work(pod.write, pod.back_up, pod.write)
    pod.clock.advance(3600)
    pod.oplog.entries = [entry(BEGIN + 3620)]
    pod.work()
    [gap] = pod.status()["gaps"]
    assert gap["from"] == "2026-03-01T12:00:19Z"
    assert "to" not in gap
    assert "no longer holds" in gap["message"]
    pod.work(pod.write, pod.back_up, lambda: pod.write(60), lambda: pod.write(60))
    [gap] = pod.status()["gaps"]
    assert gap["to"] == "2026-03-01T13:00:30Z"
    assert pod.status()["from"] == "2026-03-01T12:00:10Z"


def test_older_backups_than_are_kept_within_promise_nothing() -> None:
    pod = Pod(keepWithin="1h")
    pod.work(pod.write, pod.back_up, lambda: pod.write(60), lambda: pod.write(7200))
    assert "from" not in pod.status()


@pytest.mark.parametrize("error", [STANDALONE, NotAuthorized("It may not read the oplog."), SourceUnavailable("Gone.")])
def test_what_keeps_it_from_working_is_told_and_tried_again(pod: Pod, error: HoldfastError) -> None:
    pod.oplog.opening = error
    pod.work(lambda: None, lambda: None)
    assert (pod.status()["reason"], pod.status()["message"]) == (error.reason, str(error))
    assert pod.waited == [2, 4, 8]
    assert pod.writes() == 1
    pod.oplog.opening = None
    pod.work(pod.write)
    assert "reason" not in pod.status()


def test_an_error_that_nobody_knows_is_told_without_its_words(pod: Pod) -> None:
    def fail() -> None:
        raise RuntimeError(SECRETS[0])

    pod.work(fail)
    assert pod.status()["reason"] == "InternalError"
    assert "RuntimeError" in pod.status()["message"]


def test_an_api_server_that_is_away_does_not_hold_up_the_archive(pod: Pod) -> None:
    def away() -> None:
        pod.cluster.failing = lambda verb, _kind, _name: ClusterUnavailable("Away.") if verb != "list" else None
        pod.write(60)

    def back() -> None:
        pod.cluster.failing = lambda _verb, _kind, _name: None

    pod.work(away, lambda: pod.write(60), back)
    assert pod.slices().windows()[0].until.seconds == BEGIN + 120
    assert pod.status()["to"] < "2026-03-01T12:01"


def test_of_two_archivers_the_one_behind_does_not_take_back_what_is_told(pod: Pod) -> None:
    pod.work(lambda: pod.write(60))
    body = pod.policy()
    ahead = {**pod.status(), "to": "2026-03-01T18:00:00Z"}
    pod.cluster.patch_status(BACKUP_POLICY, body, {"pointInTime": ahead})
    pod.work(lambda: pod.write(60))
    assert pod.status()["to"] == "2026-03-01T18:00:00Z"


def test_a_policy_that_is_made_anew_is_not_told_what_was_of_another(pod: Pod) -> None:
    def replaced() -> None:
        pod.cluster.delete(BACKUP_POLICY, pod.policy())
        pod.cluster.put(BACKUP_POLICY, policy_body())
        pod.write(60)

    pod.work(replaced)
    assert "pointInTime" not in pod.policy()["status"]
