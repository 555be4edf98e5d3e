"""The operator has the catalogue brought back where no backup does so, once, and says what came of it."""

from datetime import timedelta
from typing import Any

import pytest

from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, JOB, POD, SECRET
from holdfast.resources.base import format_time
from holdfast.services.reconcile_policy import reconcile_policy
from holdfast.services.reconcile_run import reconcile_run
from tests.support.fake_cluster import START, FakeClock, FakeCluster
from tests.support.kube_objects import (
    IMAGE,
    NAMESPACE,
    condition_body,
    container,
    pod_body,
    policy_body,
    run_body,
    secret_body,
)

SYNCED = '{"reason": "Synced", "message": "BackupRuns that were brought back: 3.", "status": {"imported": 3}}'
REFUSED = '{"reason": "InvalidKey", "message": "The key is another one."}'


class Site:
    """A policy that was just made. The clock stands at noon; backups are at 02:00."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.cluster = FakeCluster(self.clock)
        self.cluster.put(SECRET, secret_body())
        self.cluster.put(BACKUP_POLICY, policy_body())

    def look(self, after: float = 0) -> float | None:
        self.clock.advance(after)
        return reconcile_policy(self.cluster, NAMESPACE, "shop", image=IMAGE, clock=self.clock)

    def change(self, **changes: Any) -> None:
        body = self.cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
        assert body is not None
        self.cluster.patch(BACKUP_POLICY, body, changes)

    def ask(self, value: str) -> None:
        self.change(metadata={"annotations": {"holdfast.dev/sync": value}})

    def run(self, name: str = "by-hand", **status: Any) -> None:
        self.cluster.put(BACKUP_RUN, {**run_body(name), "status": status})

    @property
    def job(self) -> dict[str, Any] | None:
        return self.cluster.get(JOB, NAMESPACE, "sync-shop")

    def end(self, words: str, type_: str = "Complete") -> None:
        job = self.job
        assert job is not None
        terminated = {"exitCode": 0, "message": words}
        pod = pod_body(job, self.clock(), containerStatuses=container(terminated=terminated))
        old = self.cluster.get(POD, NAMESPACE, "pod-1")
        if old is not None:
            self.cluster.delete(POD, old)
        self.cluster.put(POD, pod)
        self.cluster.patch_status(JOB, job, {"conditions": [condition_body(type_)]})

    @property
    def catalogue(self) -> dict[str, Any]:
        body = self.cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
        assert body is not None
        result: dict[str, Any] = body["status"].get("catalogue", {})
        return result


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def synced(site: Site) -> Site:
    site.look(15)
    site.end(SYNCED)
    site.look(30)
    return site


def test_a_new_policy_gets_a_sync_once_it_is_clear_that_no_run_came_with_it(site: Site) -> None:
    assert site.look() == 15
    assert site.job is None
    site.look(15)
    job = site.job
    assert job is not None
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["worker", "sync"]
    assert "holdfast.dev/policy" not in job["metadata"]["labels"]  # it is no backup


def test_the_first_backup_makes_the_job_needless(site: Site) -> None:
    site.run(phase="Running")
    assert site.look(20) == 580
    body = site.cluster.get(BACKUP_RUN, NAMESPACE, "by-hand")
    assert body is not None
    site.cluster.patch_status(BACKUP_RUN, body, {"phase": "Succeeded", "backupId": "one"})
    assert site.look(700) is None
    assert site.job is None
    assert list(site.catalogue) == ["storage"]


def test_a_backup_that_takes_long_is_not_waited_for(site: Site) -> None:
    site.run(phase="Running")
    site.look(600)
    assert site.job is not None


def test_a_backup_that_is_due_soon_is_waited_for(site: Site) -> None:
    site.change(spec={"schedule": {"cron": "5 12 * * *"}})
    site.look(20)
    assert site.job is None
    site.look(580)
    assert site.job is not None


def test_a_run_that_failed_has_synced_nothing(site: Site) -> None:
    site.run(phase="Failed", completionTime=format_time(START))
    site.look(20)
    assert site.job is not None


def test_runs_that_a_sync_brought_back_before_it_died_do_not_stand_for_the_rest(site: Site) -> None:
    body = run_body("imported-one")
    body["spec"]["reason"] = "Imported"
    site.cluster.put(BACKUP_RUN, {**body, "status": {"phase": "Succeeded", "backupId": "one"}})
    site.look(20)
    assert site.job is not None


def test_a_sync_is_told_and_done_once(synced: Site) -> None:
    catalogue = synced.catalogue
    assert (catalogue["imported"], catalogue["reason"]) == (3, "Synced")
    assert catalogue["syncedTime"] == format_time(START + timedelta(seconds=45))
    assert ("Normal", "CatalogueSynced") in synced.cluster.recorded
    job = synced.job
    assert job is not None
    synced.cluster.delete(JOB, job)  # its time to live ends
    synced.cluster.writes.clear()
    for _ in range(3):
        assert synced.look(3600) is None
    assert synced.job is None


def test_other_storage_asks_for_another_sync(synced: Site) -> None:
    synced.change(spec={"storage": {"mongodb": {"database": "elsewhere"}}})
    assert synced.look() == 1
    assert synced.job is None  # the old one made room
    assert synced.look(1) == 5
    assert synced.job is not None


def test_the_annotation_asks_for_another_each_new_value_once(synced: Site) -> None:
    synced.ask("1")
    synced.look()
    synced.look(1)
    synced.end('{"reason": "Synced", "message": "None.", "status": {"imported": 0}}')
    synced.look(5)
    assert synced.catalogue["request"] == "1"
    assert synced.look(5) is None
    synced.ask("2")
    assert synced.look() == 1


def test_a_sync_that_fails_is_told_and_tried_again_later(site: Site) -> None:
    site.look(15)
    site.end(REFUSED, "Failed")
    site.look(5)
    assert (site.catalogue["reason"], site.catalogue["message"]) == ("InvalidKey", "The key is another one.")
    assert site.cluster.recorded.count(("Warning", "SyncFailed")) == 1
    site.look(60)
    assert site.cluster.recorded.count(("Warning", "SyncFailed")) == 1
    site.look(600)
    assert site.job is None
    site.look(1)
    assert site.job is not None


def test_a_job_of_that_name_that_is_not_ours_is_left_alone(site: Site) -> None:
    site.cluster.put(JOB, {"metadata": {"name": "sync-shop", "namespace": NAMESPACE}, "spec": {}})
    assert site.look(20) is None
    assert site.catalogue == {}


def test_many_policies_do_not_sync_at_once(site: Site) -> None:
    for number in range(4):
        labels = {"holdfast.dev/sync": f"other-{number}"}
        metadata = {"name": f"sync-other-{number}", "namespace": NAMESPACE, "labels": labels}
        site.cluster.put(JOB, {"metadata": metadata, "spec": {}})
    assert site.look(20) == 5
    assert site.job is None


def test_a_policy_that_is_not_ready_is_not_synced(site: Site) -> None:
    secret = site.cluster.get(SECRET, NAMESPACE, "shop")
    assert secret is not None
    site.cluster.delete(SECRET, secret)
    site.look(60)
    assert site.job is None


def test_an_imported_run_never_gets_a_job_and_does_not_stay_without_an_end(site: Site) -> None:
    body = run_body("imported-one")
    body["spec"]["reason"] = "Imported"
    site.cluster.put(BACKUP_RUN, body)

    def look() -> dict[str, Any]:
        reconcile_run(site.cluster, NAMESPACE, "imported-one", image=IMAGE, clock=site.clock)
        run = site.cluster.get(BACKUP_RUN, NAMESPACE, "imported-one")
        assert run is not None
        status: dict[str, Any] = run["status"]
        return status

    assert look()["phase"] == "Pending"
    site.clock.advance(600)
    assert (look()["phase"], look()["reason"]) == ("Failed", "ImportUnfinished")
    assert not site.cluster.list(JOB, NAMESPACE)
