"""A BackupRun that is deleted leaves its backup or takes it along, never the last good one, and never hangs."""

from contextlib import nullcontext
from typing import Any

import pytest

from holdfast.domain.phases import Phase
from holdfast.domain.worker_message import WorkerMessage
from holdfast.errors import HoldfastError, NotAuthorized, StoreUnavailable
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, JOB, POD, RESTORE_RUN, SECRET, Kind
from holdfast.repository.holds import Holder, hold
from holdfast.repository.locks import Lock, LockKind
from holdfast.repository.repository import Repository
from holdfast.services.census import Census
from holdfast.services.reconcile_policy import reconcile_policy
from holdfast.services.reconcile_run import reconcile_run
from holdfast.services.run_delete import DeleteWorker
from holdfast.services.run_worker import WorkerTask
from holdfast.services.survey import survey
from holdfast.services.worker_report import WorkerResult
from holdfast.stores.memory import MemoryStore
from tests.support.kube_objects import (
    IMAGE,
    NAMESPACE,
    condition_body,
    container,
    pod_body,
    restore_body,
    run_body,
    secret_body,
)
from tests.unit.test_worker_prunes import Nights

FINALIZER = "holdfast.dev/backup"


class Site(Nights):
    """Four nights, of which none expires."""

    def __init__(self) -> None:
        super().__init__()
        self.cluster.put(SECRET, secret_body())
        self.change(retention={"keepDaily": 0, "keepMonthly": 0, "keepLast": 9}, deletionPolicy="Delete")
        self.old, self.older_good, _, self.newest = sorted(self.nights(4))
        self.cluster.recorded.clear()
        self.cluster.notes.clear()

    def change(self, **spec: Any) -> None:
        body = self.cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
        assert body is not None
        self.cluster.patch(BACKUP_POLICY, body, {"spec": spec})

    def look_at_policy(self) -> None:
        reconcile_policy(self.cluster, NAMESPACE, "shop", image=IMAGE, clock=self.clock)

    def look(self, name: str) -> float | None:
        return reconcile_run(self.cluster, NAMESPACE, name, image=IMAGE, clock=self.clock)

    def delete(self, name: str) -> None:
        """As ``kubectl delete`` does, after the operator has seen the run."""
        self.look_at_policy()
        self.cluster.delete(BACKUP_RUN, self.run(name))
        self.look(name)

    def there(self, name: str) -> bool:
        return name in self.names()

    def job(self, name: str) -> dict[str, Any] | None:
        return self.cluster.get(JOB, NAMESPACE, f"delete-{name}")

    def work_off(self, name: str) -> WorkerResult:
        """What the Job does."""
        task = WorkerTask(NAMESPACE, "shop", f"delete-{name}", "uid", name)
        opener = lambda _policy: nullcontext(Repository(self.store))  # noqa: E731
        return DeleteWorker(task, self.cluster, opener, self.clock, self.stop, self._wait).work()

    def end(self, name: str, message: WorkerMessage, type_: str = "Complete") -> None:
        job = self.job(name)
        assert job is not None
        terminated = {"exitCode": 0, "message": message.encode()}
        body = pod_body(job, self.clock(), name=f"pod-{name}", containerStatuses=container(terminated=terminated))
        self.cluster.put(POD, body)
        self.cluster.patch_status(JOB, job, {"conditions": [condition_body(type_)]})

    def deleted(self, name: str) -> WorkerResult:
        """A deletion from its wish to its end."""
        self.delete(name)
        result = self.work_off(name)
        self.end(name, result.message)
        self.look(name)
        return result

    def events(self) -> list[tuple[str, str]]:
        return [one for one in self.cluster.recorded if one[1].startswith(("Backup", "Deletion"))]


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_run_that_retains_goes_at_once_and_leaves_its_backup(site: Site) -> None:
    site.change(deletionPolicy="Retain")
    before = site.stored()
    backups = Repository(site.store).backup_ids()
    site.look_at_policy()
    site.cluster.delete(BACKUP_RUN, site.run(site.old))
    assert site.old not in site.names()
    assert len(before) == 4
    assert Repository(site.store).backup_ids() == backups


def test_a_run_takes_its_backup_along_where_its_policy_says_so(site: Site) -> None:
    backup_id = site.status(site.old)["backupId"]
    site.delete(site.old)
    assert site.there(site.old), "it waits for its Job"
    job = site.job(site.old)
    assert job is not None
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["worker", "delete"]
    assert job["spec"]["activeDeadlineSeconds"] == 900
    assert "holdfast.dev/policy" not in job["metadata"]["labels"]  # it is no backup
    result = site.work_off(site.old)
    assert (result.exit_code, result.message.reason) == (0, "BackupDeleted")
    assert backup_id not in Repository(site.store).backup_ids()
    site.end(site.old, result.message)
    assert site.look(site.old) is None
    assert not site.there(site.old)
    assert site.events() == [("Normal", "BackupDeleted")] * 2  # the run's, and its policy's
    assert backup_id in site.cluster.notes[-1]


@pytest.mark.parametrize(("policys", "runs", "goes"), [("Retain", "Delete", True), ("Delete", "Retain", False)])
def test_what_the_run_says_wins(site: Site, policys: str, runs: str, goes: bool) -> None:
    site.change(deletionPolicy=policys)
    site.cluster.patch(BACKUP_RUN, site.run(site.old), {"spec": {"deletionPolicy": runs}})
    site.look_at_policy()
    assert (FINALIZER in site.run(site.old)["metadata"].get("finalizers", [])) is goes


def test_a_changed_mind_takes_the_finalizer_away_and_nobody_elses(site: Site) -> None:
    site.cluster.patch(BACKUP_RUN, site.run(site.old), {"metadata": {"finalizers": ["example.org/audit"]}})
    site.look_at_policy()
    assert site.run(site.old)["metadata"]["finalizers"] == ["example.org/audit", FINALIZER]
    site.change(deletionPolicy="Retain")
    site.look_at_policy()
    assert site.run(site.old)["metadata"]["finalizers"] == ["example.org/audit"]


def test_a_mind_that_is_changed_at_the_last_moment_counts(site: Site) -> None:
    site.look_at_policy()
    site.change(deletionPolicy="Retain")
    site.cluster.delete(BACKUP_RUN, site.run(site.old))
    assert site.look(site.old) is None
    assert not site.there(site.old)
    assert site.job(site.old) is None
    assert site.events() == []


def test_a_deletion_that_no_event_told_of_is_seen_all_the_same(site: Site) -> None:
    site.look_at_policy()
    site.cluster.delete(BACKUP_RUN, site.run(site.old))
    runs = [key.name for key in survey(site.cluster, (), Census(site.clock)) if key.kind == "BackupRun"]
    assert runs == [site.old]


def test_nothing_is_written_when_nothing_changed(site: Site) -> None:
    site.look_at_policy()
    site.cluster.writes.clear()
    site.look_at_policy()
    assert site.cluster.writes == []


def test_the_newest_good_backup_stays_and_says_how_it_would_go(site: Site) -> None:
    backup_id = site.status(site.newest)["backupId"]
    result = site.deleted(site.newest)
    assert (result.exit_code, result.message.reason) == (0, "BackupKept")
    assert f"holdfast.dev/confirm-delete={backup_id}" in result.message.message
    assert backup_id in Repository(site.store).backup_ids()
    assert not site.there(site.newest)
    assert site.events() == [("Warning", "BackupKept")] * 2


def test_a_damaged_backup_is_not_the_newest_good_one(site: Site) -> None:
    site.cluster.patch_status(BACKUP_RUN, site.run(site.newest), {"phase": "Failed", "reason": "DamagedBackup"})
    third = sorted(site.names())[2]
    assert "newest good" in site.deleted(third).message.message


def test_so_many_good_backups_stay_as_the_rule_says(site: Site) -> None:
    site.change(retention={"minSuccessful": 4})
    assert "good 4 of at least 4" in site.deleted(site.old).message.message


def test_a_confirmed_deletion_takes_the_newest_too(site: Site) -> None:
    backup_id = site.status(site.newest)["backupId"]
    confirm = {"metadata": {"annotations": {"holdfast.dev/confirm-delete": backup_id}}}
    site.cluster.patch(BACKUP_RUN, site.run(site.newest), confirm)
    assert site.deleted(site.newest).message.reason == "BackupDeleted"
    assert backup_id not in Repository(site.store).backup_ids()


def test_the_id_of_another_backup_confirms_nothing(site: Site) -> None:
    confirm = {"metadata": {"annotations": {"holdfast.dev/confirm-delete": site.status(site.old)["backupId"]}}}
    site.cluster.patch(BACKUP_RUN, site.run(site.newest), confirm)
    assert site.deleted(site.newest).message.reason == "BackupKept"


def test_a_held_backup_is_refused_without_a_job_confirmed_or_not(site: Site) -> None:
    backup_id = site.status(site.old)["backupId"]
    notes = {"holdfast.dev/hold": "audit", "holdfast.dev/confirm-delete": backup_id}
    site.cluster.patch(BACKUP_RUN, site.run(site.old), {"metadata": {"annotations": notes}})
    site.delete(site.old)
    assert not site.there(site.old)
    assert site.job(site.old) is None
    assert site.events() == [("Warning", "BackupKept")] * 2
    assert backup_id in Repository(site.store).backup_ids()


def test_a_hold_by_hand_refuses_too(site: Site) -> None:
    backup_id = site.status(site.old)["backupId"]
    hold(site.store, backup_id, Holder.PERSON, "", site.clock())
    confirm = {"metadata": {"annotations": {"holdfast.dev/confirm-delete": backup_id}}}
    site.cluster.patch(BACKUP_RUN, site.run(site.old), confirm)
    assert site.deleted(site.old).message.message == "It is protected: held."
    assert backup_id in Repository(site.store).backup_ids()


def test_a_hold_that_was_taken_away_does_not_refuse(site: Site) -> None:
    hold(site.store, site.status(site.old)["backupId"], Holder.CLUSTER, "", site.clock())
    assert site.deleted(site.old).message.reason == "BackupDeleted"


def test_what_a_restore_is_about_to_read_stays(site: Site) -> None:
    status = {"phase": "Restoring", "backupId": site.status(site.old)["backupId"]}
    site.cluster.put(RESTORE_RUN, {**restore_body(), "status": status})
    assert "a restore is about to read it" in site.deleted(site.old).message.message


def test_while_somebody_reads_the_job_is_tried_again(site: Site) -> None:
    site.delete(site.old)
    reader = Lock(site.store, site.clock, LockKind.SHARED, "a restore")
    reader.acquire()

    class Impatient:
        def is_set(self) -> bool:
            return False

        def wait(self, seconds: float) -> bool:
            site.clock.advance(seconds)
            return False

    site.stop = Impatient()  # type: ignore[assignment]
    result = site.work_off(site.old)
    assert (result.exit_code, result.message.reason) == (75, "RepositoryBusy")
    assert len(Repository(site.store).backup_ids()) == 4


def test_a_deletion_that_is_killed_half_way_is_finished_by_the_next_try(site: Site) -> None:
    site.delete(site.old)
    assert site.work_off(site.old).message.reason == "BackupDeleted"
    again = site.work_off(site.old)
    assert (again.exit_code, again.message.reason) == (0, "BackupDeleted")


def test_nothing_is_removed_for_a_run_that_nobody_deletes(site: Site) -> None:
    result = site.work_off(site.old)
    assert result.exit_code == 2
    assert len(Repository(site.store).backup_ids()) == 4


def test_a_job_that_fails_is_given_up_loudly(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.delete(site.old)
    site.end(site.old, WorkerMessage("StoreUnavailable", "The store does not answer."), "Failed")
    site.look(site.old)
    assert not site.there(site.old)
    assert site.events() == [("Warning", "DeletionGivenUp")] * 2
    assert "may still be there. The store does not answer." in site.cluster.notes[-1]
    assert "The store does not answer." in caplog.text


def test_a_job_that_does_not_end_is_given_up_after_a_quarter_of_an_hour(site: Site) -> None:
    site.delete(site.old)
    site.clock.advance(899)
    assert site.look(site.old) is not None
    assert site.there(site.old)
    site.clock.advance(1)
    assert site.look(site.old) is None
    assert not site.there(site.old)
    assert site.job(site.old) is None
    assert site.events() == [("Warning", "DeletionGivenUp")] * 2


def test_where_no_job_may_be_created_the_run_goes(site: Site) -> None:
    """So it is in a namespace that is being deleted."""

    def terminating(verb: str, kind: Kind, name: str) -> HoldfastError | None:
        del name
        return NotAuthorized("the namespace is being terminated") if (verb, kind) == ("create", JOB) else None

    site.look_at_policy()
    site.cluster.failing = terminating
    site.cluster.delete(BACKUP_RUN, site.run(site.old))
    assert site.look(site.old) is None
    assert not site.there(site.old)
    assert len(Repository(site.store).backup_ids()) == 4


@pytest.mark.parametrize("made_anew", [False, True])
def test_a_policy_that_is_deleted_takes_no_backup_with_it(site: Site, made_anew: bool) -> None:
    site.look_at_policy()
    policy = site.cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
    assert policy is not None
    site.cluster.delete(BACKUP_POLICY, policy)
    if made_anew:
        site.cluster.put(BACKUP_POLICY, {"metadata": {"name": "shop", "namespace": NAMESPACE}, "spec": policy["spec"]})
    for name in site.names():
        site.cluster.delete(BACKUP_RUN, site.run(name))
        site.look(name)
    assert site.names() == []
    assert len(Repository(site.store).backup_ids()) == 4
    assert not [job for job in site.cluster.list(JOB, NAMESPACE) if "delete-" in job["metadata"]["name"]]


def test_a_run_without_a_backup_goes_at_once(site: Site) -> None:
    status = {"phase": "Failed", "completionTime": "2026-03-01T12:00:00Z"}
    body = run_body("bad")
    body["metadata"]["labels"] = {"holdfast.dev/policy": "shop"}
    site.cluster.put(BACKUP_RUN, {**body, "status": status})
    site.look_at_policy()
    assert not site.run("bad")["metadata"].get("finalizers")


def test_a_run_at_work_is_cancelled_before_its_backup_is_looked_for(site: Site) -> None:
    site.cluster.put(BACKUP_RUN, run_body())
    site.look("by-hand")
    site.look_at_policy()
    assert site.cluster.get(JOB, NAMESPACE, "by-hand") is not None
    site.cluster.delete(BACKUP_RUN, site.run("by-hand"))
    site.look("by-hand")
    assert site.cluster.get(JOB, NAMESPACE, "by-hand") is None
    result = site.work_off("by-hand")
    assert (result.message.reason, result.message.message) == (
        "BackupDeleted",
        "It was not in the repository any more.",
    )
    site.end("by-hand", result.message)
    site.look("by-hand")
    assert not site.there("by-hand")


def test_a_job_of_an_earlier_run_of_that_name_makes_room(site: Site) -> None:
    site.delete(site.old)
    job = site.job(site.old)
    assert job is not None
    site.cluster.patch(JOB, job, {"metadata": {"annotations": {"holdfast.dev/deletes": "an earlier one"}}})
    site.look(site.old)
    assert site.job(site.old) is None
    site.look(site.old)
    assert site.job(site.old) is not None


def test_a_backup_that_stays_gets_a_run_again_after_the_next(site: Site) -> None:
    backup_id = site.status(site.newest)["backupId"]
    site.deleted(site.newest)
    site.night()
    assert site.status(f"imported-{backup_id.lower()}")["phase"] == Phase.SUCCEEDED


def test_a_store_that_is_away_is_tried_again(site: Site) -> None:
    class Away(MemoryStore):
        def read(self, key: str) -> bytes | None:
            raise StoreUnavailable(f"{key} cannot be read.")

    site.delete(site.old)
    site.store = Away()
    assert site.work_off(site.old).exit_code == 75
