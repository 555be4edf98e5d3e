"""The worker's chain of a RestoreRun: whatever happens, the run, the pod and an event say it, with the right exit code.

The engine itself is tested on a real server; here it only plays what it may do.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any, cast

import pytest

from holdfast.domain.consistency import ConsistencyLevel
from holdfast.domain.restoring import Strategy
from holdfast.domain.teamwork import ALONE
from holdfast.errors import (
    ClusterUnavailable,
    CollectionFailed,
    HoldfastError,
    Interrupted,
    InvalidSpec,
    SecretMissing,
    SourceUnavailable,
    TargetNotEmpty,
)
from holdfast.kube.restore_progress import KubeRestoreProgress
from holdfast.ports import (
    BACKUP_POLICY,
    RESTORE_RUN,
    Advance,
    ClusterTime,
    CollectionInfo,
    Estimate,
    Kind,
    KubeObject,
    Progress,
    Source,
)
from holdfast.repository.locks import LockKind, locked
from holdfast.repository.manifest import (
    PRE_RESTORE,
    CollectionRecord,
    ConsistencyRecord,
    Manifest,
    PolicyIdentity,
    ServerRecord,
)
from holdfast.repository.repository import Repository, new_backup_id
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.restore_run import RestoreRun
from holdfast.services.plan_to_point import Foreseen
from holdfast.services.reach import Reach
from holdfast.services.restore_doors import BeforeReplacing, Place, RestoreTask
from holdfast.services.restore_outcome import RestoredCollection, RestoreOutcome
from holdfast.services.restore_plan import PlannedCollection, RestorePlan
from holdfast.services.restore_request import RestoreRequest
from holdfast.services.restore_share import Team
from holdfast.services.restore_to_point import PointOutcome
from holdfast.services.run_restore import RestoreWorker
from holdfast.services.worker_report import WorkerResult
from holdfast.stores.memory import MemoryStore
from tests.support.fake_cluster import START, FakeClock, FakeCluster
from tests.support.kube_objects import NAMESPACE, forbid_all_secrets, policy_body, restore_body

APPLY = {"mode": "Apply"}
PLAN = RestorePlan(
    backup_id="b",
    database="shop",
    strategy=Strategy.SWAP,
    reason_for_strategy="Something is replaced.",
    collections=(
        PlannedCollection("orders", "orders", "collection", 3, 100, 1, "replace", existing_documents=2),
        PlannedCollection("users", "people", "collection", 4, 200, 2, "create"),
    ),
    conflicts=(),
    warnings=("Beware.",),
    documents=7,
    bytes=300,
    indexes=3,
    estimated_seconds=1.6,
)
OUTCOME = RestoreOutcome(
    collections=(RestoredCollection("orders", 3, 100, 1), RestoredCollection("people", 4, 200, 2)),
    skipped=(),
    problems=(),
)
FORESEEN = Foreseen(5, ClusterTime(1_772_000_000, 3), frozenset({"people"}), ("orders", "people"), ())


class Pod:
    """All that the pod of a RestoreRun meets."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.cluster = FakeCluster(self.clock)
        self.stored, self.stop = Repository(MemoryStore()), Event()
        self.stored.open(create=True)
        self.opening: HoldfastError | None = None
        self.plan: RestorePlan | HoldfastError = PLAN
        self.during: Callable[[Progress], object] = lambda _progress: None
        self.outcome: RestoreOutcome | Exception = OUTCOME
        self.restored: list[Manifest] = []
        self.points: list[Reach] = []
        self.there: dict[str, int] = {}
        self.requests: list[RestoreRequest] = []
        self.uid = ""
        self.wait: Callable[[float], object] = self.clock.advance
        self.seat = ALONE
        self.share: Callable[[Team, Callable[[], RestoreOutcome]], RestoreOutcome | None] = lambda _, lead: lead()
        self.forgot = Event()
        self.back_up_before: Callable[..., str | None] = lambda *_: "the-way-back"
        self.cluster.put(BACKUP_POLICY, policy_body())

    def backup(self, days_ago: int = 1, *, policy: str = "shop", reason: str | None = None, error: str = "") -> str:
        """Have a backup in the repository; its id."""
        taken = START - timedelta(days=days_ago)
        record = CollectionRecord(name="orders", type="collection", error=error or None)
        manifest = Manifest(
            holdfast_version="0",
            backup_id=new_backup_id(taken, f"{days_ago}{policy}{reason}"),
            policy=PolicyIdentity(namespace=NAMESPACE, name=policy),
            reason=reason,
            database="shop",
            server=ServerRecord(version="8.0.0", topology="replicaSet", replica_set="rs0"),
            start_time=taken,
            completion_time=taken,
            consistency=ConsistencyRecord(level=ConsistencyLevel.SNAPSHOT, cluster_time=f"{int(taken.timestamp())}.1"),
            documents=0,
            logical_bytes=0,
            stored_bytes=0,
            new_bytes=0,
            collections=(record,),
        )
        with locked(self.stored.store, self.clock, LockKind.SHARED, "a test", self.stop) as lock:
            self.stored.commit(manifest, lock)
        return manifest.backup_id

    def wish(self, **spec: Any) -> KubeObject:
        body = self.cluster.put(RESTORE_RUN, restore_body(**spec))
        self.uid = body["metadata"]["uid"]
        return body

    def note(self, **status: Any) -> None:
        """Have this in the run's status."""
        body = self.cluster.get(RESTORE_RUN, NAMESPACE, "back")
        assert body
        self.cluster.patch_status(RESTORE_RUN, body, status)

    def work(self, *, uid: str | None = None) -> WorkerResult:
        worker = RestoreWorker(
            RestoreTask(NAMESPACE, "shop", "restore-back", "job-uid", "back", uid or self.uid, 200.0, self.seat),
            self.cluster,
            self,
            progress_of=lambda name: KubeRestoreProgress(self.cluster, NAMESPACE, name, self.clock),
            back_up_before=self.back_up_before,
            clock=self.clock,
            stop=self.stop,
            wait=self.wait,
        )
        result = worker.work()
        forbid_all_secrets(result.message)
        forbid_all_secrets(self.cluster.notes)
        return result

    def status(self) -> dict[str, Any]:
        body = self.cluster.get(RESTORE_RUN, NAMESPACE, "back")
        assert body is not None
        forbid_all_secrets(body)
        result: dict[str, Any] = body["status"]
        return result

    # --- Doors -----------------------------------------------------------------------------------------------------

    @contextmanager
    def repository(self, policy: BackupPolicy) -> Iterator[Repository]:
        assert policy.metadata.name == "shop"
        if self.opening:
            raise self.opening
        yield self.stored

    @contextmanager
    def place(self, policy: BackupPolicy, run: RestoreRun, repository: Repository, database: str) -> Iterator[Place]:
        del policy, repository
        name = run.spec.target.database or database

        def plan(request: RestoreRequest, manifest: Manifest) -> RestorePlan:
            del manifest
            self.requests.append(request)
            if isinstance(self.plan, HoldfastError):
                raise self.plan
            return self.plan

        def restore(
            request: RestoreRequest,
            manifest: Manifest,
            progress: Progress,
            before: BeforeReplacing | None,
            team: Team | None = None,
        ) -> RestoreOutcome:
            del request
            assert (team is not None) == (self.seat != ALONE)
            self.restored.append(manifest)
            if before:
                before(PLAN)
            progress.phase("Restoring")
            self.during(progress)
            if isinstance(self.outcome, Exception):
                raise self.outcome
            progress.phase("Verifying")
            return self.outcome

        def plan_to_point(request: RestoreRequest, reach: Reach) -> tuple[RestorePlan, Foreseen]:
            return plan(request, reach.manifest), FORESEEN

        def restore_to_point(
            request: RestoreRequest, reach: Reach, foreseen: Foreseen, progress: Progress
        ) -> PointOutcome:
            self.points.append(reach)
            base = restore(request, reach.manifest, progress, None)
            return PointOutcome(("orders", "people"), 5, ("'x' is not restored.",), foreseen, base)

        def share(
            request: RestoreRequest, manifest: Manifest, team: Team, lead: Callable[[], RestoreOutcome]
        ) -> RestoreOutcome | None:
            del request, manifest
            return self.share(team, lead)

        source = cast("Source", self)
        yield Place(name, source, plan, restore, plan_to_point, restore_to_point, share, lambda *_: self.forgot.set())

    # --- the target, for reading -----------------------------------------------------------------------------------

    def catalogue(self) -> list[CollectionInfo]:
        return [CollectionInfo(name, "collection", b"", (), None) for name in self.there]

    def estimate(self, collection: CollectionInfo) -> Estimate:
        return Estimate(documents=self.there[collection.name])


@pytest.fixture
def pod() -> Pod:
    return Pod()


def test_a_plan_is_shown_and_nothing_is_restored(pod: Pod) -> None:
    backup_id = pod.backup()
    pod.wish()
    result, status = pod.work(), pod.status()
    assert (result.exit_code, pod.restored) == (0, [])
    assert (status["phase"], status["reason"]) == ("Succeeded", "Planned")
    assert "Nothing was changed." in status["message"]
    assert (status["backupId"], status["database"], status["strategy"]) == (backup_id, "shop", "Swap")
    plan = status["plan"]
    assert (plan["documents"], plan["bytes"], plan["size"], plan["indexes"]) == (7, 300, "300 B", 3)
    assert (plan["estimatedSeconds"], plan["warnings"]) == (2, ["Beware."])
    assert plan["collections"][0] == {
        "name": "orders",
        "type": "collection",
        "action": "Replace",
        "documents": 3,
        "bytes": 100,
        "indexes": 1,
        "existingDocuments": 2,
    }
    assert plan["collections"][1]["target"] == "people"


def test_a_plan_with_conflicts_says_that_the_restore_would_fail(pod: Pod) -> None:
    pod.backup()
    pod.wish()
    pod.plan = replace(PLAN, conflicts=("Database 'shop' has orders already.",))
    assert pod.work().exit_code == 0
    assert pod.status()["plan"]["conflicts"] == ["Database 'shop' has orders already."]
    assert "would fail" in pod.status()["message"]


def test_a_plan_of_many_collections_fits_with_problems_first(pod: Pod) -> None:
    pod.backup()
    pod.wish()
    names = [f"c{number:03}" for number in range(150)]
    many = [PlannedCollection(name, name, "collection", 1, 1, 1, "create") for name in names]
    many[140] = replace(many[140], problem="It cannot be had here.")
    pod.plan = replace(PLAN, collections=tuple(many))
    pod.work()
    shown = pod.status()["plan"]
    assert (len(shown["collections"]), shown["collectionsOmitted"]) == (100, 50)
    assert shown["collections"][0]["name"] == "c140"


def test_a_restore_is_done_and_proven(pod: Pod) -> None:
    pod.backup()
    pod.wish(**APPLY)
    result, status = pod.work(), pod.status()
    assert result.exit_code == 0
    assert (status["phase"], status["progress"], status["attempts"]) == ("Succeeded", "100%", 1)
    assert (status["documents"], status["logicalBytes"], status["size"]) == (7, 300, "300 B")
    assert status["verification"] == {"result": "Equal", "collections": 2, "documents": 7, "differences": []}
    assert [one["name"] for one in status["collections"]] == ["orders", "people"]
    assert status["preRestoreBackupId"] == "the-way-back"
    assert {one["type"]: one["status"] for one in status["conditions"]} == {"Complete": "True", "Failed": "False"}
    assert [reason for _, reason in pod.cluster.recorded] == ["Planning", "Restoring", "Verifying", "Succeeded"]


def test_the_request_is_that_of_the_spec(pod: Pod) -> None:
    pod.backup()
    pod.wish(
        include=["a*"],
        exclude=["ab"],
        rename=[{"from": "aa", "to": "zz"}],
        existing="Drop",
        strategy="Direct",
        confirm="shop",
        **APPLY,
    )
    pod.work()
    [request] = pod.requests
    assert (request.include, request.exclude, request.rename) == (("a*",), ("ab",), (("aa", "zz"),))
    assert (request.existing, request.strategy, request.confirm) == ("Drop", "Direct", "shop")
    assert (request.token, request.bytes_per_second) == (pod.uid, 200.0)


def test_no_backup_is_taken_before_where_that_is_not_wanted(pod: Pod) -> None:
    pod.backup()
    pod.wish(preRestoreBackup=False, **APPLY)
    pod.work()
    assert "preRestoreBackupId" not in pod.status()


def test_a_difference_fails_the_run_and_is_named(pod: Pod) -> None:
    pod.backup()
    pod.wish(**APPLY)
    pod.outcome = replace(OUTCOME, problems=("Collection 'orders' has 2 documents; the backup has 3.",))
    assert pod.work().exit_code == 1
    status = pod.status()
    assert (status["phase"], status["reason"]) == ("Failed", "Different")
    assert status["verification"]["result"] == "Different"
    assert "'orders' has 2 documents" in status["verification"]["differences"][0]


def test_what_a_partial_backup_does_not_hold_is_said_loudly(pod: Pod) -> None:
    pod.backup()
    pod.wish(**APPLY)
    pod.outcome = replace(OUTCOME, skipped=("invoices",))
    assert pod.work().exit_code == 0
    assert pod.status()["reason"] == "PartialBackup"
    assert "NOT restored" in pod.status()["message"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TargetNotEmpty("Database 'shop' has orders already."), 2),
        (InvalidSpec("'shop' was confirmed, and the target is 'other'."), 2),
        (CollectionFailed("The server refused it."), 1),
    ],
)
def test_an_error_of_the_engine_ends_the_run(pod: Pod, error: HoldfastError, code: int) -> None:
    pod.backup()
    pod.wish(**APPLY)
    pod.outcome = error
    result, status = pod.work(), pod.status()
    assert (result.exit_code, result.message.reason) == (code, error.reason)
    assert (status["phase"], status["reason"]) == ("Failed", error.reason)
    assert error.message in status["message"]


def test_a_missing_secret_ends_the_run_and_says_that_nothing_was_changed(pod: Pod) -> None:
    pod.wish(**APPLY)
    pod.opening = SecretMissing("No MongoDB URI.")
    assert pod.work().exit_code == 2
    assert pod.status()["message"].endswith("Nothing was changed in the target.")


def test_the_latest_is_the_newest_whole_backup_of_this_policy(pod: Pod) -> None:
    pod.backup(days_ago=1, error="It could not be read.")
    pod.backup(days_ago=2, policy="other")
    pod.backup(days_ago=3, reason=PRE_RESTORE)
    wanted = pod.backup(days_ago=4)
    pod.backup(days_ago=5)
    pod.wish(**APPLY)
    pod.work()
    assert [manifest.backup_id for manifest in pod.restored] == [wanted]


def test_a_partial_backup_is_restored_only_by_its_id(pod: Pod) -> None:
    partial = pod.backup(error="It could not be read.")
    pod.wish()
    assert pod.work().exit_code == 2
    assert pod.status()["reason"] == "BackupNotFound"
    assert partial in pod.status()["message"]


@pytest.mark.parametrize("backup_id", ["20010101T000000Z-00000000", "2001"])
def test_an_unknown_backup_is_said(pod: Pod, backup_id: str) -> None:
    pod.backup()
    pod.wish(source={"policyRef": {"name": "shop"}, "backupId": backup_id})
    assert pod.work().exit_code == 2
    assert (pod.status()["phase"], pod.status()["reason"]) == ("Failed", "BackupNotFound")


def test_every_attempt_restores_the_same_backup(pod: Pod) -> None:
    first = pod.backup(days_ago=2)
    pod.wish(**APPLY)
    pod.outcome = SourceUnavailable("It does not answer.")
    assert pod.work().exit_code == 75
    pod.backup(days_ago=1)
    pod.outcome = OUTCOME
    assert pod.work().exit_code == 0
    assert [manifest.backup_id for manifest in pod.restored] == [first, first]
    assert pod.status()["attempts"] == 2


def test_a_pruned_backup_is_said(pod: Pod) -> None:
    pod.backup()
    pod.wish()
    body = pod.cluster.get(RESTORE_RUN, NAMESPACE, "back")
    assert body
    pod.cluster.patch_status(RESTORE_RUN, body, {"backupId": "20010101T000000Z-00000000"})
    assert pod.work().exit_code == 2
    assert "20010101T000000Z-00000000 is not in" in pod.status()["message"]


def test_an_outage_leaves_the_run_where_it_is_for_the_next_pod(pod: Pod) -> None:
    pod.backup()
    pod.wish(**APPLY)
    pod.outcome = SourceUnavailable("It does not answer.")
    result, status = pod.work(), pod.status()
    assert (result.exit_code, result.message.phase) == (75, None)
    assert (status["phase"], status["reason"]) == ("Restoring", "SourceUnavailable")
    assert "It will be tried again." in status["message"]


def test_a_run_that_has_ended_is_not_done_again(pod: Pod) -> None:
    pod.backup()
    pod.wish(**APPLY)
    pod.work()
    pod.cluster.writes.clear()
    assert pod.work().exit_code == 0
    assert len(pod.restored) == 1
    assert pod.cluster.writes == []


def test_a_run_made_anew_under_the_same_name_is_another_one(pod: Pod) -> None:
    pod.backup()
    pod.wish(**APPLY)
    assert pod.work(uid="that of the old one").exit_code == 2
    assert pod.restored == []
    assert "phase" not in pod.status()


def test_a_run_that_is_deleted_at_work_says_in_an_event_what_state_the_target_is_in(pod: Pod) -> None:
    pod.backup()
    body = pod.wish(**APPLY)
    pod.during = lambda _progress: pod.cluster.delete(RESTORE_RUN, body)
    pod.outcome = Interrupted("The restore was stopped. Collection 'orders' is done.")
    assert pod.work().exit_code == 75
    assert pod.cluster.recorded[-1] == ("Warning", "Interrupted")
    assert "Collection 'orders' is done." in pod.cluster.notes[-1]


def test_a_restore_collection_by_collection_that_stops_says_which_are_there(pod: Pod) -> None:
    pod.backup()
    pod.wish(**APPLY)
    pod.plan = replace(PLAN, strategy=Strategy.DIRECT)
    pod.there = {"orders": 3}
    pod.outcome = Interrupted("The restore was stopped.")
    pod.work()
    assert "in the backup: orders; not there: people" in pod.cluster.notes[-1]
    pod.there = {"orders": 2, "people": 4}
    pod.work()
    assert "in the backup: people; not so many, or more: orders (2 of 3 documents)" in pod.status()["message"]


def test_a_restore_that_stops_during_the_backup_before_it_has_changed_nothing(pod: Pod) -> None:
    pod.backup()
    pod.wish(**APPLY)

    def stopped(*_: Any) -> str:
        raise Interrupted("The backup was asked to stop.")

    pod.back_up_before = stopped
    pod.work()
    assert pod.cluster.notes[-1].endswith("Nothing was changed in the target.")


def test_a_run_that_is_deleted_before_anything_is_changed_changes_nothing(pod: Pod) -> None:
    pod.backup()
    body = pod.wish(**APPLY)
    real = pod.place

    def gone(*arguments: Any) -> AbstractContextManager[Place]:
        pod.cluster.delete(RESTORE_RUN, body)
        return real(*arguments)

    pod.place = gone  # type: ignore[assignment, method-assign]
    assert pod.work().exit_code == 75
    assert pod.restored == []
    assert "Nothing was changed in the target." in pod.cluster.notes[-1]


def test_nothing_is_restored_before_the_backup_is_noted(pod: Pod) -> None:
    pod.backup()
    pod.wish(**APPLY)

    def away(verb: str, _kind: Kind, _name: str) -> HoldfastError | None:
        return ClusterUnavailable("It does not answer.") if verb == "patch_status" else None

    pod.cluster.failing = away
    assert pod.work().exit_code == 75
    assert pod.restored == []


def test_progress_is_shown_while_it_restores(pod: Pod) -> None:
    pod.backup()
    pod.wish(**APPLY)
    shown: list[dict[str, Any]] = []

    def advance(progress: Progress) -> None:
        pod.clock.advance(3)
        progress.advance(Advance("orders", 3, 150, 0, 7, 300))
        shown.append(pod.status())

    pod.during = advance
    pod.work()
    assert (shown[0]["phase"], shown[0]["progress"], shown[0]["documents"]) == ("Restoring", "50%", 3)
    assert shown[0]["message"] == "Restoring collection orders."


def test_an_error_of_a_stranger_is_told_without_its_text(pod: Pod) -> None:
    pod.backup()
    pod.wish(**APPLY)
    pod.outcome = RuntimeError("mongodb://app:hunter2@db")
    assert pod.work().exit_code == 75
    assert pod.status()["reason"] == "InternalError"
