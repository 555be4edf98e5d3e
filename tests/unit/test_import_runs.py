"""Runs that are lost come back from the repository, each once, and as what they were."""

from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from holdfast.errors import ClusterUnavailable, CollectionFailed, StoreUnavailable
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, Kind
from holdfast.repository.holds import held_ids
from holdfast.repository.locks import Lock, LockKind
from holdfast.repository.repository import CHUNKS, MANIFESTS, Repository
from holdfast.resources.run import BackupRun
from holdfast.services.last_runs import last_runs
from holdfast.services.run_sync import SyncWorker
from holdfast.services.run_worker import WorkerTask
from holdfast.services.worker_report import WorkerResult
from holdfast.services.write_status import parse_policy
from holdfast.stores.memory import MemoryStore
from tests.support.kube_objects import NAMESPACE, policy_body, run_body
from tests.unit.test_run_worker import FakeSource
from tests.unit.test_worker_prunes import Nights


class Lost(Nights):
    """A cluster that can lose all its runs."""

    def __init__(self) -> None:
        super().__init__()
        self.rule(keepDaily=0, keepMonthly=0, keepLast=5)

    def lose(self, *names: str) -> None:
        for name in names or self.names():
            self.cluster.delete(BACKUP_RUN, self.run(name))

    def sync(self) -> WorkerResult:
        task = WorkerTask(NAMESPACE, "shop", "sync-shop", "uid")
        opener = lambda _policy: nullcontext(Repository(self.store))  # noqa: E731
        return SyncWorker(task, self.cluster, opener, self.clock, self.stop, self._wait).work()

    def model(self, name: str) -> BackupRun:
        return BackupRun.model_validate(self.run(name))


@pytest.fixture
def site() -> Lost:
    return Lost()


def imported(backup_id: str) -> str:
    return f"imported-{backup_id.lower()}"


FACTS = ("backupId", "database", "startTime", "completionTime", "duration", "consistency", "documents", "collections")
SIZES = ("logicalBytes", "storedBytes", "storedSize", "newBytes", "newSize", "phase", "progress")


def test_a_lost_run_comes_back_with_all_that_it_said_of_its_backup(site: Lost) -> None:
    name = site.night()
    before = site.status(name)
    site.lose()
    site.clock.advance(3600)
    result = site.sync()
    assert (result.exit_code, result.message.reason, result.message.status) == (0, "Synced", {"imported": 1})
    (back,) = site.names()
    assert back == imported(before["backupId"])
    after = site.status(back)
    assert {key: after[key] for key in (*FACTS, *SIZES)} == {key: before[key] for key in (*FACTS, *SIZES)}
    assert after["reason"] == "Imported"
    assert {one["type"]: one["status"] for one in after["conditions"]} == {"Complete": "True", "Failed": "False"}
    run = site.run(back)
    assert run["spec"] == {"policyRef": {"name": "shop"}, "reason": "Imported", "hold": False}
    assert run["metadata"]["ownerReferences"][0]["name"] == "shop"
    assert run["metadata"]["labels"]["holdfast.dev/policy"] == "shop"


def test_a_partial_backup_comes_back_as_partial(site: Lost) -> None:
    site.clock.advance(3600)
    site.source = FakeSource()
    site.source.failing["orders"] = CollectionFailed("orders cannot be read.")
    site.work("shop-29384725")
    site.lose()
    site.sync()
    (back,) = site.names()
    status = site.status(back)
    assert (status["phase"], status["reason"]) == ("PartiallyFailed", "CollectionsFailed")
    assert "orders" in status["message"]


def test_a_backup_whose_chunks_are_gone_is_not_called_good(site: Lost) -> None:
    site.night()
    site.lose()
    for key in list(site.store.keys(CHUNKS)):
        site.store.delete(key)
    site.sync()
    (back,) = site.names()
    status = site.status(back)
    assert (status["phase"], status["reason"]) == ("Failed", "DamagedBackup")


def test_nothing_is_imported_twice_nor_beside_the_run_that_names_it(site: Lost) -> None:
    names = site.nights(2)
    assert site.sync().message.status == {"imported": 0}
    assert site.names() == names
    site.lose(names[0])
    site.sync()
    site.cluster.writes.clear()
    assert site.sync().message.status == {"imported": 0}
    assert site.cluster.writes == []
    assert len(site.names()) == 2


def test_the_backup_of_a_run_that_could_not_report_it_is_its_own(site: Lost) -> None:
    name = site.night()
    site.cluster.patch_status(BACKUP_RUN, site.run(name), {"backupId": None, "phase": "Running"})
    created = site.run(name)["metadata"]["creationTimestamp"]
    assert created == "2026-03-02T12:00:00Z"
    assert site.sync().message.status == {"imported": 0}


def test_a_sync_that_was_cut_short_is_finished_by_the_next(site: Lost) -> None:
    site.nights(2)
    site.lose()
    statuses = 0

    def away(verb: str, kind: Kind, name: str) -> ClusterUnavailable | None:
        nonlocal statuses
        del kind, name
        statuses += verb == "patch_status"
        return ClusterUnavailable("away") if verb == "patch_status" and statuses == 2 else None

    site.cluster.failing = away
    assert site.sync().exit_code == 75
    site.cluster.failing = lambda _verb, _kind, _name: None
    assert site.sync().exit_code == 0
    assert [site.status(name)["phase"] for name in site.names()] == ["Succeeded", "Succeeded"]


def test_what_a_lost_run_held_is_held_by_the_one_that_comes_back(site: Lost) -> None:
    name = site.night()
    held = site.status(name)["backupId"]
    site.cluster.patch(BACKUP_RUN, site.run(name), {"spec": {"hold": True}})
    site.night()
    assert held_ids(site.store) == {held}
    site.lose()
    site.sync()
    assert site.model(imported(held)).held
    site.rule(keepLast=1)
    site.night()
    assert held_ids(site.store) == {held}
    assert held in Repository(site.store).backup_ids()


def test_backups_of_other_policies_are_left_to_them(site: Lost) -> None:
    site.night()
    site.lose()
    site.cluster.put(BACKUP_POLICY, policy_body("other"))
    task = WorkerTask(NAMESPACE, "other", "sync-other", "uid")
    worker = SyncWorker(
        task, site.cluster, lambda _: nullcontext(Repository(site.store)), site.clock, site.stop, site._wait
    )
    assert worker.work().message.status == {"imported": 0}
    assert site.names() == []


def test_a_backup_that_cannot_be_read_hides_no_other_and_is_told(site: Lost) -> None:
    first, second = site.nights(2)
    damaged = site.status(first)["backupId"]
    site.lose()
    site.store.delete(MANIFESTS + damaged)
    site.store.create(MANIFESTS + damaged, b"no manifest")
    result = site.sync()
    assert (result.exit_code, result.message.status) == (0, {"imported": 1})
    assert damaged in result.message.message
    del second


def test_where_there_is_no_repository_yet_there_is_nothing_to_do(site: Lost) -> None:
    result = site.sync()
    assert (result.exit_code, result.message.reason) == (0, "NoRepository")


def test_a_store_that_is_away_is_tried_again(site: Lost) -> None:
    class Away(MemoryStore):
        def keys(self, prefix: str) -> Iterator[str]:
            raise StoreUnavailable(f"{prefix} cannot be listed.")

    site.store = Away()
    site.store.create("holdfast.json", b'{"format": 1}')
    result = site.sync()
    assert (result.exit_code, result.message.reason) == (75, "StoreUnavailable")


def test_the_next_backup_brings_lost_runs_back_too(site: Lost) -> None:
    lost = site.status(site.night())["backupId"]
    site.lose()
    new = site.night()
    assert site.names() == [imported(lost), new]


def test_what_a_prune_removes_gets_no_run(site: Lost) -> None:
    site.rule(keepLast=1)
    site.night()
    site.lose()
    new = site.night()
    assert site.names() == [new]


def test_the_newest_backup_is_the_policys_last_whenever_its_run_was_made(site: Lost) -> None:
    first, second = site.nights(2)
    newest = site.status(second)["backupId"]
    site.lose(second)
    site.sync()
    site.lose(first)
    site.clock.advance(60)
    site.sync()  # the older one has the younger object
    body = site.cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
    assert body is not None
    last, good = last_runs(site.cluster, NAMESPACE, "shop", parse_policy(body).status)
    assert last is not None
    assert good is not None
    assert (last.name, good.backup_id) == (imported(newest), newest)


@pytest.mark.parametrize("restoring", [False, True])
def test_a_backup_before_a_restore_comes_back_as_one_when_no_restore_is_at_it(site: Lost, restoring: bool) -> None:
    repository = Repository(site.store)
    manifest = repository.find(site.status(site.night())["backupId"])
    assert manifest is not None
    lock = Lock(site.store, site.clock, LockKind.SHARED, "a restore")
    lock.acquire()
    before = manifest.model_copy(update={"backup_id": "20260302T130000Z-0a0a0a0a", "reason": "PreRestore"})
    repository.commit(before, lock)
    lock.release()
    if restoring:
        body = run_body("before-back")
        body["spec"]["reason"] = "PreRestore"
        site.cluster.put(BACKUP_RUN, {**body, "status": {"phase": "Running"}})
    site.sync()
    back = imported(before.backup_id)
    assert (back in site.names()) is not restoring
    assert restoring or site.model(back).pre_restore


def test_a_run_that_was_given_up_does_not_rise_again(site: Lost) -> None:
    backup_id = site.status(site.night())["backupId"]
    site.lose()
    body = run_body(imported(backup_id))
    body["spec"]["reason"] = "Imported"
    site.cluster.put(BACKUP_RUN, {**body, "status": {"phase": "Failed", "reason": "ImportUnfinished"}})
    assert site.sync().message.status == {"imported": 0}
    assert site.status(imported(backup_id))["phase"] == "Failed"


def test_nobody_is_told_again_of_a_backup_that_comes_back(site: Lost) -> None:
    site.night()
    site.lose()
    site.sync()
    (back,) = site.names()
    assert site.status(back)["notifications"] == {"deliveries": []}
