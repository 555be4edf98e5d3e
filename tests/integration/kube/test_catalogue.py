"""The catalogue on a real API server and a real database: BackupRuns that are lost come back by a Job."""

import json
from typing import Any

from tests.integration.kube.conftest import Namespace
from tests.integration.kube.shop import Shop
from tests.integration.kube.test_resources import policy

KEEPING = policy(job={"backoffLimit": 1}, retention={"keepLast": 5})


def runs(here: Namespace) -> dict[str, dict[str, Any]]:
    """The BackupRuns by the ids of their backups."""
    items = json.loads(here.kubectl("get", "backupruns", "--output=json"))["items"]
    return {run["status"]["backupId"]: run for run in items if "backupId" in run["status"]}


def catalogue(here: Namespace) -> dict[str, Any]:
    result: dict[str, Any] = here.get("bp", "shop").get("status", {}).get("catalogue", {})
    return result


def test_a_policy_in_a_fresh_cluster_gets_its_runs_back_and_restores_by_one(shop: Shop) -> None:
    here = shop.here
    here.apply(KEEPING)
    first, second = shop.back_up("one"), shop.back_up("two")
    before = runs(here)
    here.kubectl("delete", "backuppolicies,backupruns", "--all", "--timeout=30s")
    here.wait(lambda: not json.loads(here.kubectl("get", "br", "-o", "json"))["items"], "the runs are lost")

    here.apply(KEEPING)
    here.wait(lambda: here.get("job", "sync-shop"), "the sync is started", 40)
    assert shop.start("sync-shop").end() == 0
    after = runs(here)
    assert set(after) == {first, second}
    for backup_id, run in after.items():
        assert run["metadata"]["name"] == f"imported-{backup_id.lower()}"
        assert run["spec"]["reason"] == "Imported"
        for field in ("phase", "documents", "storedBytes", "newBytes", "consistency", "collections"):
            assert run["status"][field] == before[backup_id]["status"][field]
    here.wait(lambda: catalogue(here).get("imported") == 2, "the policy says so")
    last = here.wait(lambda: here.get("bp", "shop")["status"].get("lastSuccessfulRun"), "the newest is known")
    assert last["backupId"] == second
    assert not here.get("job", f"imported-{first.lower()}")

    shop.damage()
    database = shop.database.name
    source = {"backupRunRef": {"name": f"imported-{second.lower()}"}}
    shop.restore(source=source, mode="Apply", existing="Drop", confirm=database, preRestoreBackup=False)
    assert shop.is_clean()


def test_a_run_that_is_deleted_comes_back_when_the_annotation_asks(shop: Shop) -> None:
    here = shop.here
    backup_id = shop.back_up("one")
    here.kubectl("delete", "br/one")
    here.kubectl("annotate", "bp/shop", "holdfast.dev/sync=now")
    here.wait(lambda: here.get("job", "sync-shop"), "the sync is started", 20)
    assert shop.start("sync-shop").end() == 0
    assert set(runs(here)) == {backup_id}
    here.wait(lambda: catalogue(here).get("request") == "now", "the policy has answered")
