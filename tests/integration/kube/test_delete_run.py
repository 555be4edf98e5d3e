"""Deleting a BackupRun on a real API server and a real database: the backup goes with it, and nothing hangs."""

import time

import pytest

from tests.integration.kube.conftest import Namespace
from tests.integration.kube.shop import Shop
from tests.integration.kube.test_resources import policy

FINALIZER = "holdfast.dev/backup"


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """Its backups go with their runs."""
    shop.here.apply(policy(job={"backoffLimit": 1}, retention={"keepLast": 5}, deletionPolicy="Delete"))
    return shop


def backups(shop: Shop) -> set[str]:
    found = shop.database["backupmetadatas"].find({"_id": {"$regex": "^backups/"}})
    return {str(one["_id"]).removeprefix("backups/") for one in found}


def wait_until_finalized(shop: Shop, name: str) -> None:
    shop.here.kubectl("wait", f"br/{name}", "--for=jsonpath={.metadata.finalizers}", "--timeout=10s")
    assert shop.here.get("br", name)["metadata"]["finalizers"] == [FINALIZER]


def work_off(shop: Shop, name: str) -> None:
    """Do what the Job of a deletion does, and see the run go."""
    shop.here.wait(lambda: shop.here.get("job", f"delete-{name}"), "its Job is there", 10)
    assert shop.start(f"delete-{name}").end() == 0
    shop.here.wait(lambda: not shop.here.get("br", name), "the run is gone", 20)


def test_a_deleted_run_takes_its_backup_along_and_the_newest_good_one_stays(shop: Shop) -> None:
    here = shop.here
    old, new = shop.back_up("old"), shop.back_up("new")
    for name in ("old", "new"):
        wait_until_finalized(shop, name)
    here.kubectl("delete", "br/old", "br/new", "--wait=false")
    for name in ("old", "new"):
        work_off(shop, name)
    assert backups(shop) == {new}
    told = here.wait(lambda: {"BackupDeleted", "BackupKept"} <= dict(shop.events("shop")).keys(), "it is told", 10)
    assert told
    events = dict(shop.events("shop"))
    assert old in events["BackupDeleted"]
    assert f"holdfast.dev/confirm-delete={new}" in events["BackupKept"]
    assert shop.restore()["backupId"] == new


def test_the_deletion_of_a_namespace_never_hangs_and_removes_no_backup(shop: Shop) -> None:
    here = shop.here
    taken = {shop.back_up("one"), shop.back_up("two")}
    for name in ("one", "two"):
        wait_until_finalized(shop, name)
    began = time.monotonic()
    here.kubectl("delete", "namespace", here.name, "--timeout=55s")
    assert time.monotonic() - began < 55
    assert backups(shop) == taken


def test_what_is_asked_of_a_deletion_is_checked(here: Namespace) -> None:
    body = '{"spec":{"deletionPolicy":"Shred"}}'
    here.apply(policy())
    assert 'supported values: "Retain", "Delete"' in here.kubectl(
        "patch", "bp/shop", "--type=merge", f"--patch={body}", check=False
    )
    run = {"apiVersion": "holdfast.dev/v1alpha1", "kind": "BackupRun", "metadata": {"name": "now"}}
    here.apply({**run, "spec": {"policyRef": {"name": "shop"}}})
    here.kubectl("patch", "br/now", "--type=merge", '--patch={"spec":{"deletionPolicy":"Delete"}}')
    assert here.get("br", "now")["spec"]["deletionPolicy"] == "Delete"
    assert here.get("bp", "shop")["spec"]["deletionPolicy"] == "Retain"
