"""The worker removes what the rule does not keep, after each backup; whatever happens then, the backup is good."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from holdfast.errors import CollectionFailed, HoldfastError, NotAuthorized, StoreUnavailable
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, RESTORE_RUN, Kind
from holdfast.repository.holds import Holder, hold
from holdfast.repository.locks import Lock, LockKind
from holdfast.repository.repository import Repository
from holdfast.services.run_prune import PruneWorker
from holdfast.services.run_worker import WorkerTask
from holdfast.services.worker_report import WorkerResult
from holdfast.stores.memory import MemoryStore
from tests.support.kube_objects import NAMESPACE, restore_body
from tests.unit.test_run_worker import FakeSource, Pod

TWO = {"keepDaily": 0, "keepMonthly": 0, "keepLast": 2}
DAY = 24 * 3600


class Nights(Pod):
    """A policy that keeps two backups, and one backup a night."""

    def __init__(self) -> None:
        super().__init__()
        self.rule(**TWO)
        self._night = 0

    def rule(self, **retention: int) -> None:
        body = self.cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
        assert body is not None
        self.cluster.patch(BACKUP_POLICY, body, {"spec": {"retention": retention}})

    def night(self) -> str:
        """Take a backup; returns the name of its run."""
        self._night += 1
        name = f"shop-{29384720 + self._night}"
        self.clock.advance(DAY)
        self.source = FakeSource()  # its documents are the same: no chunk is new
        self.work(name, uid=f"uid-{name}")
        return name

    def nights(self, count: int) -> list[str]:
        return [self.night() for _ in range(count)]

    def stored(self) -> list[str]:
        """Runs whose backup is in the repository."""
        ids = set(Repository(self.store).backup_ids())
        return [name for name in self.names() if self.status(name).get("backupId") in ids]

    def names(self) -> list[str]:
        return [run["metadata"]["name"] for run in self.cluster.list(BACKUP_RUN, NAMESPACE)]

    def pruned(self) -> list[str]:
        """Runs that say that their backup is gone."""
        return [name for name in self.names() if condition(self.status(name), "Pruned") and self.says_when(name)]

    def says_when(self, name: str) -> bool:
        return bool(self.status(name).get("pruneTime"))

    def annotate(self, name: str, value: str | None) -> None:
        change = {"metadata": {"annotations": {"holdfast.dev/hold": value}}}
        self.cluster.patch(BACKUP_RUN, self.run(name), change)

    def prune_job(self) -> WorkerResult:
        """What the Job does that the operator starts."""
        task = WorkerTask(NAMESPACE, "shop", "prune-shop", "uid")
        worker = PruneWorker(task, self.cluster, self._repository, self.clock, self.stop, self._wait)
        return worker.work()

    def _repository(self, policy: Any) -> Any:
        assert policy.metadata.name == "shop"
        return nullcontext(Repository(self.store))


def condition(status: dict[str, Any], type_: str) -> dict[str, Any]:
    return next((one for one in status["conditions"] if one["type"] == type_), {})


@pytest.fixture
def pod() -> Nights:
    return Nights()


def test_what_the_rule_does_not_keep_goes_after_a_good_backup(pod: Nights) -> None:
    first, second, third = pod.nights(3)
    assert pod.stored() == [second, third]
    retention = pod.status(third)["retention"]
    assert retention["removed"] == [pod.status(first)["backupId"]]
    assert retention["freedBytes"] == 0  # the other backups need its chunks
    assert ("Normal", "Pruned") in pod.cluster.recorded


def test_a_run_whose_backup_is_gone_says_so_and_when(pod: Nights) -> None:
    first, second, third = pod.nights(3)
    assert pod.pruned() == [first]
    status = pod.status(first)
    assert (status["phase"], status["pruneTime"]) == ("Succeeded", "2026-03-04T12:00:00Z")
    assert "not in" in condition(status, "Pruned")["message"]
    assert not condition(pod.status(second), "Pruned")
    assert not condition(pod.status(third), "Pruned")


def test_the_run_of_a_backup_that_was_removed_by_hand_says_so_after_the_next(pod: Nights) -> None:
    (first,) = pod.nights(1)
    Repository(pod.store).remove(pod.status(first)["backupId"])
    pod.night()
    assert pod.pruned() == [first]


def test_a_backup_that_is_found_again_is_not_called_pruned(pod: Nights) -> None:
    (first,) = pod.nights(1)
    elsewhere, pod.store = pod.store, MemoryStore()
    pod.night()
    assert pod.pruned() == [first]
    pod.store = elsewhere
    pod.night()
    assert first not in pod.pruned()
    assert "pruneTime" not in pod.status(first)


def test_the_end_is_told_before_anything_is_removed(pod: Nights) -> None:
    phases: list[str] = []

    class Watching(MemoryStore):
        def delete(self, key: str) -> None:
            if key.startswith("backups/"):
                phases.extend(str(pod.status(name)["phase"]) for name in pod.names())
            super().delete(key)

    pod.store = Watching()
    pod.nights(3)
    assert phases == ["Succeeded"] * 3


@pytest.mark.parametrize("hold_it", ["annotation", "spec", "store"])
def test_what_is_held_stays(pod: Nights, hold_it: str) -> None:
    (first,) = pod.nights(1)
    if hold_it == "annotation":
        pod.annotate(first, "before the migration")
    elif hold_it == "spec":
        pod.cluster.patch(BACKUP_RUN, pod.run(first), {"spec": {"hold": True}})
    else:
        hold(pod.store, pod.status(first)["backupId"], Holder.PERSON, "", pod.clock())
    later = pod.nights(4)
    assert pod.stored() == [first, *later[-2:]]
    assert first not in pod.pruned()


def test_what_a_restore_is_going_to_read_again_stays_until_it_has_ended(pod: Nights) -> None:
    (first,) = pod.nights(1)
    body = restore_body()
    body["status"] = {"phase": "Restoring", "backupId": pod.status(first)["backupId"]}
    restore = pod.cluster.put(RESTORE_RUN, body)
    pod.nights(3)
    assert first in pod.stored()
    pod.cluster.patch_status(RESTORE_RUN, restore, {"phase": "Succeeded"})
    pod.night()
    assert first not in pod.stored()


def test_what_is_let_go_goes_with_the_next_prune(pod: Nights) -> None:
    (first,) = pod.nights(1)
    pod.annotate(first, "true")
    pod.nights(3)
    pod.annotate(first, "false")
    pod.night()
    assert first in pod.pruned()


def test_a_hold_outlives_its_run(pod: Nights) -> None:
    (first,) = pod.nights(1)
    backup = pod.status(first)["backupId"]
    pod.annotate(first, "true")
    pod.night()
    pod.cluster.delete(BACKUP_RUN, pod.run(first))
    pod.nights(4)
    assert backup in Repository(pod.store).backup_ids()


def test_a_run_without_our_label_holds_too(pod: Nights) -> None:
    (first,) = pod.nights(1)
    pod.annotate(first, "true")
    pod.cluster.patch(BACKUP_RUN, pod.run(first), {"metadata": {"labels": None}})
    pod.nights(4)
    assert first in pod.stored()


def test_where_the_holds_cannot_be_known_nothing_goes(pod: Nights) -> None:
    pod.nights(2)
    pod.cluster.failing = lambda verb, kind, _: (
        NotAuthorized("may not list") if (verb, kind) == ("list", BACKUP_RUN) else None
    )
    third = "shop-29384723"
    pod.clock.advance(DAY)
    assert pod.work(third, uid="third").exit_code == 0
    pod.cluster.failing = lambda *_: None
    assert len(pod.stored()) == 3
    assert pod.status(third)["retention"]["reason"] == "NotAuthorized"


def fail_on_delete(_pod: Nights) -> type[MemoryStore]:
    class Refusing(MemoryStore):
        def delete(self, key: str) -> None:
            if key.startswith("backups/"):
                raise StoreUnavailable("The store does not answer.")
            super().delete(key)

    return Refusing


def unknown_error(_pod: Nights) -> type[MemoryStore]:
    class Odd(MemoryStore):
        def delete(self, key: str) -> None:
            if key.startswith("backups/"):
                raise ValueError("mongodb://app:hunter2@db")
            super().delete(key)

    return Odd


@pytest.mark.parametrize(
    ("trouble", "reason"), [(fail_on_delete, "StoreUnavailable"), (unknown_error, "InternalError")]
)
def test_a_prune_that_fails_never_fails_the_backup(
    pod: Nights, trouble: Callable[[Nights], type[MemoryStore]], reason: str
) -> None:
    pod.store = trouble(pod)()
    third = pod.nights(3)[-1]
    status = pod.status(third)
    assert (status["phase"], condition(status, "Complete")["status"]) == ("Succeeded", "True")
    assert status["retention"]["reason"] == reason
    assert any("could not be removed" in warning for warning in status["warnings"])
    assert ("Warning", "PruneFailed") in pod.cluster.recorded
    assert len(pod.stored()) == 3


def test_a_damaged_manifest_frees_nothing_and_is_said(pod: Nights) -> None:
    first = pod.nights(2)[0]
    pod.store.objects[f"backups/{pod.status(first)['backupId']}"] = b"damaged"
    third = pod.night()
    assert pod.status(third)["phase"] == "Succeeded"
    assert "cannot be read" in pod.status(third)["retention"]["error"]


def test_somebody_who_reads_is_not_disturbed(pod: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.services.apply_retention.PATIENCE", -pod.clock().resolution)
    pod.nights(2)
    lock = Lock(pod.store, pod.clock, LockKind.SHARED, "restore")
    pod.clock.advance(DAY)
    lock.acquire()
    assert pod.work("shop-now", uid="now").exit_code == 0
    assert pod.status("shop-now")["retention"]["reason"] == "RepositoryBusy"
    assert len(pod.stored()) == 3


def test_after_a_partial_backup_the_newest_good_one_is_still_there(pod: Nights) -> None:
    pod.rule(keepDaily=0, keepMonthly=0, keepLast=1)
    good = pod.night()
    pod.source.failing = {"users": CollectionFailed("Reading stopped.")}
    for number in range(3):
        pod.clock.advance(DAY)
        pod.work(f"partial-{number}", uid=f"partial-{number}")
    assert pod.stored() == ["partial-2", good]


def test_after_a_backup_that_is_damaged_nothing_is_removed_and_it_never_counts_as_good(pod: Nights) -> None:
    good = pod.nights(2)

    class Leaky(MemoryStore):
        def size(self, key: str) -> int | None:
            leaky = key.startswith("chunks/") and sum(k.startswith("backups/") for k in self.objects) == 3
            return None if leaky else super().size(key)

    leaky = Leaky()
    leaky.objects.update(pod.store.objects)
    pod.store = leaky
    bad = pod.night()
    assert pod.status(bad)["phase"] == "Failed"
    assert "retention" not in pod.status(bad)
    sound = MemoryStore()
    sound.objects.update(leaky.objects)
    pod.store = sound
    last = pod.night()
    assert pod.stored() == [good[-1], last]


def test_an_end_that_could_not_be_told_removes_nothing(pod: Nights) -> None:
    pod.nights(2)

    def away(verb: str, kind: Kind, _name: str) -> HoldfastError | None:
        del kind
        return StoreUnavailable("away") if pod.source.reads and verb == "patch_status" else None

    pod.clock.advance(DAY)
    pod.source = FakeSource()
    pod.cluster.failing = away
    assert pod.work("shop-now", uid="now").exit_code == 0
    pod.cluster.failing = lambda *_: None
    assert len(Repository(pod.store).backup_ids()) == 3


def test_a_prune_job_does_what_no_backup_did_and_tells_the_newest_run(pod: Nights) -> None:
    pod.rule(keepDaily=0, keepMonthly=0, keepLast=5)
    names = pod.nights(4)
    pod.rule(**TWO)
    pod.clock.advance(3600)
    result = pod.prune_job()
    assert (result.exit_code, result.message.reason) == (0, "Pruned")
    assert pod.pruned() == names[:2]
    retention = pod.status(names[-1])["retention"]
    assert (len(retention["removed"]), retention["time"]) == (2, "2026-03-05T13:00:00Z")


def test_a_prune_job_that_fails_says_why_in_its_pod_and_in_the_newest_run(pod: Nights) -> None:
    newest = pod.nights(2)[-1]
    pod.rule(keepDaily=0, keepMonthly=0, keepLast=1)
    pod.store.objects["backups/20000101T000000Z-0a"] = b"damaged"
    result = pod.prune_job()
    assert (result.exit_code, result.message.reason) == (1, "DamagedBackup")
    assert pod.status(newest)["retention"]["reason"] == "DamagedBackup"


def test_a_prune_job_of_a_policy_that_is_gone_fails(pod: Nights) -> None:
    body = pod.cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
    assert body is not None
    pod.cluster.delete(BACKUP_POLICY, body)
    assert pod.prune_job().exit_code == 2
