"""Retention on a real API server and a real database: what is refused and shown, and what really goes."""

import json
from typing import Any

import pytest

from tests.integration.kube.conftest import Namespace
from tests.integration.kube.shop import Shop, backup_run
from tests.integration.kube.test_resources import policy
from tests.support.held import await_held, hold, release
from tests.support.mongod import Mongod

NONE = {"keepDaily": 0, "keepMonthly": 0}


@pytest.mark.parametrize(
    ("retention", "said"),
    [
        ({"keepDaily": -1}, "spec.retention.keepDaily in body should be greater than or equal to 0"),
        (NONE, "the rule keeps nothing: set one of keepLast"),
        ({"keepWithin": "a month"}, "spec.retention.keepWithin"),
        ({"keepWithin": "0d"}, "keepWithin is no time at all"),
        ({"minSuccessful": 0}, "spec.retention.minSuccessful"),
        ({"keepForever": True}, 'unknown field "spec.retention.keepForever"'),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_in_words(here: Namespace, retention: dict[str, Any], said: str) -> None:
    body = json.dumps(policy(retention=retention))
    assert said in here.kubectl("create", "-f", "-", stdin=body, check=False)


def test_the_default_rule_is_stored_so_that_everybody_sees_it(here: Namespace) -> None:
    here.apply(policy())
    spec = here.get("bp", "shop")["spec"]
    assert (spec["retention"]["keepDaily"], spec["retention"]["keepMonthly"]) == (7, 1)
    assert spec["historyLimits"] == {"failedRuns": 20, "prunedRuns": 20}


def test_a_run_can_be_held_later_and_nothing_else_of_it_changes(here: Namespace) -> None:
    here.apply(backup_run("now"))
    here.kubectl("patch", "br/now", "--type=merge", '--patch={"spec":{"hold":true}}')
    assert here.get("br", "now")["spec"]["hold"]
    changed = '--patch={"spec":{"policyRef":{"name":"other"}}}'
    assert "but for hold" in here.kubectl("patch", "br/now", "--type=merge", changed, check=False)


def keep(here: Namespace, last: int) -> None:
    rule = json.dumps({"spec": {"retention": {**NONE, "keepLast": last}}})
    here.kubectl("patch", "bp/shop", "--type=merge", f"--patch={rule}")


def retention_of(here: Namespace) -> dict[str, Any]:
    result: dict[str, Any] = here.get("bp", "shop").get("status", {}).get("retention", {})
    return result


def test_the_worker_removes_what_the_rule_does_not_keep_but_not_what_is_held(shop: Shop) -> None:
    here = shop.here
    keep(here, 1)
    held = shop.back_up("held")
    here.kubectl("annotate", "br/held", "holdfast.dev/hold=before the migration")
    first = shop.back_up("first")
    second = shop.back_up("second")
    status = here.wait(lambda: here.get("br", "second")["status"].get("retention"), "the prune is told", 10)
    assert status["removed"] == [first]
    assert here.get("br", "first")["status"]["pruneTime"]
    assert "pruneTime" not in here.get("br", "held")["status"]
    assert here.kubectl("wait", "--for=condition=Pruned", "br/first", "--timeout=1s")
    assert "PRUNED" in here.kubectl("get", "br")
    here.wait(lambda: retention_of(here).get("lastPruneTime"), "the policy shows it", 90)
    assert (retention_of(here)["kept"], retention_of(here)["held"]) == (2, 1)
    # By the manifests, and not by what the runs say:
    ids = {one["_id"] for one in shop.database["backupmetadatas"].find({"_id": {"$regex": "^backups/"}})}
    assert ids == {f"backups/{held}", f"backups/{second}"}


def locks(shop: Shop) -> int:
    return shop.database["backupmetadatas"].count_documents({"_id": {"$regex": "^locks/"}})


def test_a_worker_that_was_killed_keeps_no_prune_waiting(holding: tuple[Mongod, Shop]) -> None:
    own, shop = holding
    here = shop.here
    keep(here, 1)
    first = shop.back_up("first")
    here.kubectl("patch", "bp/shop", "--type=merge", '--patch={"spec":{"job":{"backoffLimit":0}}}')
    hold(own.client, "shop.timeEntries")
    here.apply(backup_run("killed"))
    worker = shop.start("killed")
    await_held(own.client, "shop.timeEntries")
    worker.kill()
    release(own.client, "shop.timeEntries")
    assert worker.end() == 137
    here.wait_for_status("br", "killed", phase="Failed")
    assert locks(shop) == 1
    shop.back_up("second")
    status = here.wait(lambda: here.get("br", "second")["status"].get("retention"), "the prune is told", 10)
    assert status["removed"] == [first]
    assert locks(shop) == 0


def test_a_changed_rule_is_shown_first_and_an_overdue_prune_gets_a_job(shop: Shop) -> None:
    here = shop.here
    keep(here, 5)
    ids = [shop.back_up(name) for name in ("one", "two", "three")]
    here.wait(lambda: here.get("br", "three")["status"].get("retention"), "the prune is told", 10)
    keep(here, 1)
    here.wait(lambda: retention_of(here).get("expired") == 2, "the preview is there", 10)
    assert [one["backupId"] for one in retention_of(here)["preview"]] == [ids[1], ids[0]]
    assert not here.get("job", "prune-shop")
    failed = {"time": "2026-01-01T00:00:00Z", "reason": "RepositoryBusy", "error": "A restore reads."}
    for name in ("one", "two", "three"):
        patch = json.dumps({"status": {"retention": failed}})
        here.kubectl("patch", f"br/{name}", "--subresource=status", "--type=merge", f"--patch={patch}")
    here.kubectl("annotate", "bp/shop", "look=now")
    here.wait(lambda: here.get("job", "prune-shop"), "the Job is started", 10)
    here.wait(lambda: retention_of(here).get("overdue") == 2, "it is said", 10)
    assert shop.start("prune-shop").end() == 0
    assert here.get("br", "one")["status"]["pruneTime"]
    assert not here.get("br", "prune-shop")
    here.kubectl("annotate", "--overwrite", "bp/shop", "look=again")
    here.wait(lambda: retention_of(here).get("expired") == 0, "nothing is left to do", 10)
    assert retention_of(here)["kept"] == 1
    here.kubectl("wait", "--for=condition=RetentionCompliant", "bp/shop", "--timeout=10s")
