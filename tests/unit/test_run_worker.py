"""The worker's chain in a pod: whatever happens, the run and the pod say it, with the right exit code."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from bson import encode

from holdfast.domain.phases import Phase
from holdfast.errors import (
    AuthenticationFailed,
    ClusterUnavailable,
    CollectionFailed,
    HoldfastError,
    NotAuthorized,
    SecretMissing,
    SourceUnavailable,
)
from holdfast.kube.run_progress import KubeProgress
from holdfast.ports import (
    BACKUP_POLICY,
    BACKUP_RUN,
    WHOLE,
    ClusterTime,
    CollectionInfo,
    Estimate,
    KeyRange,
    Kind,
    KubeObject,
    Member,
    Oplog,
    ServerInfo,
    Source,
)
from holdfast.repository.repository import Repository
from holdfast.resources.policy import BackupPolicy
from holdfast.services.run_worker import Worker, WorkerTask
from holdfast.services.worker_report import WorkerResult
from holdfast.stores.memory import MemoryStore
from tests.support.fake_cluster import FakeClock, FakeCluster
from tests.support.kube_objects import NAMESPACE, forbid_all_secrets, policy_body, run_body

JOB = "shop-29384720"
COLLECTIONS = ("orders", "users")


class FakeSource:
    """Two small collections; ``failing`` maps a collection's name to what reading it raises."""

    database = "shop"
    member = None

    def __init__(self) -> None:
        self.failing: dict[str, Exception] = {}
        self.reads: list[str] = []

    def server(self) -> ServerInfo:
        return ServerInfo("8.0.0", "replicaSet", "rs0")

    def catalogue(self) -> list[CollectionInfo]:
        return [
            CollectionInfo(name, "collection", encode({}), (), UUID(int=number).bytes)
            for number, name in enumerate(COLLECTIONS)
        ]

    def estimate(self, collection: CollectionInfo) -> Estimate:
        del collection
        return Estimate(documents=3, logical_bytes=100)

    def cluster_time(self) -> ClusterTime | None:
        return ClusterTime(1772366400, 1)

    def count(self, collection: CollectionInfo, at: ClusterTime | None) -> int:
        del collection, at
        return 3

    def can_snapshot(self, collection: CollectionInfo) -> bool:
        del collection
        return True

    def oplog(self) -> Oplog:
        raise AssertionError("all of it is in a snapshot")

    def snapshot_window(self) -> int | None:
        return None

    def set_snapshot_window(self, seconds: int) -> int:
        raise AssertionError(seconds)

    def can_divide(self, collection: CollectionInfo) -> bool:
        del collection
        return False

    def key(self, collection: CollectionInfo, at: ClusterTime | None, keys: KeyRange, skip: int) -> bytes | None:
        del collection, at, keys, skip
        return None

    def read(
        self,
        collection: CollectionInfo,
        at: ClusterTime | None,
        keys: KeyRange = WHOLE,
        *,
        batch_bytes: int | None = None,
    ) -> Iterator[Sequence[bytes]]:
        del at, keys, batch_bytes
        self.reads.append(collection.name)
        if error := self.failing.get(collection.name):
            raise error
        yield [encode({"_id": number, "of": collection.name}) for number in range(3)]

    def close(self) -> None: ...


class Pod:
    """All that a worker's pod meets."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.cluster = FakeCluster(self.clock)
        self.source, self.store, self.stop = FakeSource(), MemoryStore(), Event()
        self.opening: Exception | None = None
        self.waits: list[float] = []
        self.cluster.put(BACKUP_POLICY, policy_body())

    def work(
        self, job: str = JOB, *, uid: str = "job-uid", run: str | None = None, waits: bool = False
    ) -> WorkerResult:
        worker = Worker(
            WorkerTask(NAMESPACE, "shop", job, uid, run, waits),
            self.cluster,
            self._open,
            progress_of=lambda name: KubeProgress(self.cluster, NAMESPACE, name, self.clock),
            clock=self.clock,
            stop=self.stop,
            wait=self._wait,
        )
        result = worker.work()
        forbid_all_secrets(result.message)
        return result

    def run(self, name: str = JOB) -> KubeObject:
        body = self.cluster.get(BACKUP_RUN, NAMESPACE, name)
        assert body is not None
        forbid_all_secrets(body)
        return body

    def status(self, name: str = JOB) -> dict[str, Any]:
        result: dict[str, Any] = self.run(name)["status"]
        return result

    def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.clock.advance(seconds)

    @contextmanager
    def _open(self, policy: BackupPolicy, member: Member | None = None) -> Iterator[tuple[Source, Repository, None]]:
        assert policy.metadata.name == "shop"
        del member
        if self.opening:
            raise self.opening
        yield self.source, Repository(self.store), None


@pytest.fixture
def pod() -> Pod:
    return Pod()


def test_a_scheduled_backup_makes_its_run_and_succeeds(pod: Pod) -> None:
    assert pod.work().exit_code == 0
    run, status = pod.run(), pod.status()
    policy = pod.cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
    assert policy is not None
    assert run["spec"] == {"policyRef": {"name": "shop"}, "reason": "Scheduled"}
    assert run["metadata"]["ownerReferences"][0]["uid"] == policy["metadata"]["uid"]
    assert (status["phase"], status["progress"], status["attempts"]) == ("Succeeded", "100%", 1)
    assert (status["documents"], status["consistency"]) == (6, {"level": "Snapshot", "clusterTime": "1772366400.1"})
    assert [item["name"] for item in status["collections"]] == ["orders", "users"]
    assert status["backupId"].startswith("20260301T120000Z-")


def test_while_it_works_the_run_tells_how_far_each_collection_is(pod: Pod) -> None:
    told: list[dict[str, str]] = []
    write, read = pod.cluster.patch_status, pod.source.read

    def noted(kind: Kind, current: KubeObject, changes: Mapping[str, Any]) -> KubeObject | None:
        if listed := changes.get("collections"):
            told.append({one["name"]: one["phase"] for one in listed})
        return write(kind, current, changes)

    def slow(*arguments: Any, **more: Any) -> Iterator[Sequence[bytes]]:
        pod.clock.advance(2)
        yield from read(*arguments, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pod.cluster, "patch_status", noted)
        patch.setattr(pod.source, "read", slow)
        assert pod.work().exit_code == 0
    assert told == [
        {"orders": "Running", "users": "Pending"},
        {"orders": "Succeeded", "users": "Running"},
        {"orders": "Succeeded", "users": "Succeeded"},
    ]


def test_a_backup_that_the_store_lost_never_counts_as_taken(pod: Pod) -> None:
    """A store that says yes to the manifest and forgets it."""

    class Forgetful(MemoryStore):
        def read(self, key: str) -> bytes | None:
            return None if key.startswith("backups/") else super().read(key)

    pod.store = Forgetful()
    result = pod.work()
    assert result.exit_code == 1
    assert result.message.phase is Phase.FAILED
    assert (pod.status()["phase"], pod.status()["reason"]) == ("Failed", "DamagedBackup")
    assert "backupId" not in pod.status()


def test_a_job_by_hand_has_a_manual_run(pod: Pod) -> None:
    pod.work("shop-now")
    assert pod.run("shop-now")["spec"]["reason"] == "Manual"


def test_the_job_of_a_run_reports_to_that_run(pod: Pod) -> None:
    pod.cluster.put(BACKUP_RUN, run_body("a-very-long-name"))
    assert pod.work("a-very-l-1234", run="a-very-long-name").exit_code == 0
    assert pod.status("a-very-long-name")["phase"] == "Succeeded"
    assert pod.cluster.get(BACKUP_RUN, NAMESPACE, "a-very-l-1234") is None


def test_a_run_that_the_operator_made_first_is_used(pod: Pod) -> None:
    body = run_body(JOB)
    body["metadata"]["labels"] = {"holdfast.dev/job": JOB, "holdfast.dev/job-uid": "job-uid"}
    pod.cluster.put(BACKUP_RUN, body)
    assert pod.work().exit_code == 0
    assert pod.status()["phase"] == "Succeeded"


def test_a_later_job_of_the_same_name_never_passes_for_the_earlier_one(pod: Pod) -> None:
    assert pod.work("now").exit_code == 0
    result = pod.work("now", uid="another-uid")
    assert result.exit_code == 2
    assert "is not of this Job" in result.message.message


def test_a_run_of_somebody_else_is_not_written(pod: Pod) -> None:
    before = pod.cluster.put(BACKUP_RUN, run_body(JOB))
    assert pod.work().exit_code == 2
    assert pod.run() == before


def test_a_run_that_was_asked_for_when_it_was_due_is_taken_over(pod: Pod) -> None:
    body = run_body(JOB)
    body["spec"]["reason"] = "Scheduled"
    pod.cluster.put(BACKUP_RUN, body)
    assert pod.work().exit_code == 0
    labels = pod.run()["metadata"]["labels"]
    assert (labels["holdfast.dev/job"], labels["holdfast.dev/job-uid"]) == (JOB, "job-uid")
    assert pod.status()["phase"] == "Succeeded"


def test_a_run_that_has_ended_is_not_done_twice(pod: Pod) -> None:
    pod.work()
    pod.source.reads.clear()
    assert pod.work().exit_code == 0
    assert pod.source.reads == []
    assert pod.status()["attempts"] == 1


def test_one_collection_that_fails_makes_the_run_partial_and_is_named(pod: Pod) -> None:
    pod.source.failing = {"users": CollectionFailed("Reading stopped.")}
    result = pod.work()
    assert (result.exit_code, result.message.phase) == (3, Phase.PARTIALLY_FAILED)
    status = pod.status()
    assert (status["phase"], status["reason"]) == ("PartiallyFailed", "CollectionsFailed")
    assert "users: Reading stopped." in status["message"]
    assert status["collections"][0] == {
        "name": "users",
        "phase": "Failed",
        "documents": 0,
        "bytes": 0,
        "error": "Reading stopped.",
    }
    assert any("users" in warning for warning in status["warnings"])


@pytest.mark.parametrize(
    "error",
    [
        SecretMissing("Secret default/shop has no key MONGODB_URI."),
        AuthenticationFailed("The server refused user app."),
    ],
)
def test_what_no_retry_mends_fails_the_run_at_once(pod: Pod, error: HoldfastError) -> None:
    pod.opening = error
    result = pod.work()
    assert (result.exit_code, result.message.phase) == (2, Phase.FAILED)
    status = pod.status()
    assert (status["phase"], status["reason"], status["message"]) == ("Failed", error.reason, error.message)


def test_what_a_retry_may_mend_leaves_the_run_open(pod: Pod) -> None:
    pod.opening = SourceUnavailable("The database does not answer.")
    result = pod.work()
    assert (result.exit_code, result.message.phase) == (75, None)
    status = pod.status()
    assert (status["phase"], status["reason"]) == ("Running", "SourceUnavailable")
    assert status["message"] == "Attempt 1 failed. The database does not answer. It will be tried again."
    pod.opening = None
    assert pod.work().exit_code == 0
    assert (pod.status()["phase"], pod.status()["attempts"]) == ("Succeeded", 2)
    assert pod.status().get("message", "") == ""


def test_a_signal_ends_the_pod_in_order_and_the_next_one_goes_on(pod: Pod) -> None:
    pod.stop.set()
    result = pod.work()
    assert (result.exit_code, result.message.reason) == (75, "Interrupted")
    status = pod.status()
    assert (status["phase"], status["reason"]) == ("Running", "Interrupted")
    assert "The next pod goes on." in status["message"]
    pod.stop.clear()
    first = pod.status()["startTime"]
    pod.clock.advance(60)
    assert pod.work().exit_code == 0
    assert (pod.status()["startTime"], pod.status()["duration"]) == (first, "1m")


def test_an_unknown_error_names_its_place_and_never_its_text(pod: Pod) -> None:
    pod.opening = ValueError("mongodb://app:hunter2@db")
    result = pod.work()
    assert (result.exit_code, result.message.reason) == (75, "InternalError")
    assert "ValueError" in pod.status()["message"]
    assert "_open" in pod.status()["message"]


def test_a_policy_that_is_gone_is_said_to_the_pod_alone(pod: Pod) -> None:
    policy = pod.cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
    assert policy is not None
    pod.cluster.delete(BACKUP_POLICY, policy)
    result = pod.work()
    assert result.exit_code == 2
    assert "no BackupPolicy default/shop" in result.message.message


def test_a_run_that_is_deleted_before_the_pod_starts_is_not_done(pod: Pod) -> None:
    result = pod.work("by-hand", run="by-hand")
    assert result.exit_code == 2
    assert "was deleted" in result.message.message


def test_a_run_that_is_deleted_during_the_backup_does_not_fail_it(pod: Pod) -> None:
    class Deleting(FakeSource):
        def read(self, collection: CollectionInfo, *how: Any, **more: Any) -> Iterator[Sequence[bytes]]:
            if (body := pod.cluster.get(BACKUP_RUN, NAMESPACE, JOB)) is not None:
                pod.cluster.delete(BACKUP_RUN, body)
            return super().read(collection, *how, **more)

    pod.source = Deleting()
    assert pod.work().exit_code == 0


def test_the_end_is_reported_again_and_again_while_the_cluster_is_away(pod: Pod) -> None:
    def away_for_a_while(verb: str, _kind: Kind, _name: str) -> HoldfastError | None:
        reported = "users" in pod.source.reads and len(pod.waits) < 3
        return ClusterUnavailable("away") if reported and verb != "list" else None

    pod.cluster.failing = away_for_a_while
    assert pod.work().exit_code == 0
    assert pod.waits == [1.0, 2.0, 4.0]
    assert pod.status()["phase"] == "Succeeded"


def test_an_end_that_cannot_be_reported_is_left_to_the_termination_message(pod: Pod) -> None:
    pod.cluster.failing = lambda _verb, _kind, _name: ClusterUnavailable("away") if pod.source.reads else None
    result = pod.work()
    assert result.exit_code == 0
    assert result.message.phase is Phase.SUCCEEDED
    assert result.message.status["documents"] == 6
    assert sum(pod.waits) < 50
    pod.cluster.failing = lambda *_: None
    assert pod.status()["phase"] == "Running"


def test_a_cluster_that_is_away_at_the_start_is_waited_for_a_while(pod: Pod) -> None:
    pod.cluster.failing = lambda *_: ClusterUnavailable("away")
    result = pod.work()
    assert (result.exit_code, result.message.reason) == (75, "ClusterUnavailable")
    assert 30 < sum(pod.waits) < 50
    assert pod.source.reads == []


def test_rights_that_are_missing_are_waited_for_and_a_retry_may_mend_them(pod: Pod) -> None:
    pod.cluster.failing = lambda *_: NotAuthorized("backuppolicies is forbidden") if len(pod.waits) < 2 else None
    assert pod.work().exit_code == 0
    pod.cluster.failing = lambda *_: NotAuthorized("backuppolicies is forbidden")
    assert pod.work("now").exit_code == 75


def test_a_status_shows_nothing_that_says_nothing(pod: Pod) -> None:
    pod.work()
    assert "" not in pod.status().values()
    assert [] not in pod.status().values()


def test_a_backup_that_cannot_be_verified_has_failed(pod: Pod) -> None:
    class Leaky(MemoryStore):
        def size(self, key: str) -> int | None:
            return (
                None
                if key.startswith("chunks/") and any(k.startswith("backups/") for k in self.objects)
                else super().size(key)
            )

    pod.store = Leaky()
    result = pod.work()
    assert (result.exit_code, pod.status()["phase"], pod.status()["reason"]) == (1, "Failed", "DamagedBackup")


def test_an_end_that_the_operator_wrote_first_stands(pod: Pod) -> None:
    class Ending(FakeSource):
        def read(self, collection: CollectionInfo, *how: Any, **more: Any) -> Iterator[Sequence[bytes]]:
            pod.cluster.patch_status(BACKUP_RUN, pod.run(), {"phase": "Failed", "reason": "DeadlineExceeded"})
            return super().read(collection, *how, **more)

    pod.source = Ending()
    pod.work()
    assert (pod.status()["phase"], pod.status()["reason"]) == ("Failed", "DeadlineExceeded")
