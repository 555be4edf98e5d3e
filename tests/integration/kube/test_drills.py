"""Drills on a real API server and a real database: the newest good backup is restored, proven, and cleared away."""

import json
from typing import Any

import pytest
from pymongo.database import Database

from holdfast.services.run_drill import MARKER
from holdfast.specs.names import drill_database
from tests.integration.kube.conftest import Namespace
from tests.integration.kube.shop import Shop
from tests.integration.kube.test_resources import policy
from tests.support.compare import differences, snapshot_of
from tests.support.mongod import Mongod
from tests.support.runbook import commands_of

SCRATCH = {"scratch": {"uriSecretRef": {"name": "drill"}}}


def drill(target: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"drill": {"schedule": "@weekly", "target": target, **more}}


# --- what the API server takes ---


@pytest.mark.parametrize(
    ("verification", "said"),
    [
        (drill({}), "exactly one target"),
        (drill({**SCRATCH, "ephemeral": {"image": "mongo:7.0"}}), "exactly one target"),
        (drill({"ephemeral": {}}), "image"),
        (drill(SCRATCH, keepHistory=0), "greater than or equal to 1"),
        ({"drill": {"target": SCRATCH}}, "schedule"),
        ({"drill": {"schedule": "@weekly"}}, "spec.verification.drill.target: Required value"),
    ],
)
def test_a_wrong_drill_is_refused_in_words(here: Namespace, verification: dict[str, Any], said: str) -> None:
    body = json.dumps(policy(verification=verification))
    assert said in here.kubectl("create", "-f", "-", stdin=body, check=False)


# --- from the policy to the proof ---


@pytest.fixture
def shop(shop: Shop, mongod: Mongod) -> Shop:
    """It has drills too."""
    here = shop.here
    here.kubectl("create", "secret", "generic", "drill", f"--from-literal=MONGODB_URI={mongod.uri}")
    here.apply(policy(job={"backoffLimit": 1}, verification=drill(SCRATCH)))
    here.wait(lambda: here.get("cronjob", "shop-drill"), "there is a CronJob of drills")
    return shop


def place_of(shop: Shop) -> Database[dict[str, Any]]:
    """The database of the drills."""
    client = shop.database.client
    return client[drill_database(shop.here.get("bp", "shop")["metadata"]["uid"])]


def make_drill(shop: Shop, name: str = "now", code: int = 0) -> dict[str, Any]:
    """What the policy's status says of a drill that has ended."""
    shop.here.kubectl("create", "job", name, "--from=cronjob/shop-drill")
    assert shop.start(name).end() == code

    def told() -> dict[str, Any] | None:
        last: dict[str, Any] = shop.here.get("bp", "shop")["status"].get("lastDrill", {})
        return last if last.get("job") == name else None

    return dict(shop.here.wait(told, "the policy tells of the drill"))


def drill_condition(shop: Shop) -> str:
    conditions = shop.here.get("bp", "shop")["status"]["conditions"]
    return str(next(one["status"] for one in conditions if one["type"] == "DrillPassed"))


def test_a_drill_that_passes_is_told_with_its_recovery_time(shop: Shop) -> None:
    before = snapshot_of(shop.database)
    backup_id = shop.back_up()
    told = make_drill(shop)
    assert (told["result"], told["backupId"]) == ("Passed", backup_id)
    assert told["documents"] > 200
    assert told["durationSeconds"] >= 0
    assert "restored and proven" in told["message"]
    assert drill_condition(shop) == "True"
    assert place_of(shop).list_collection_names() == []
    assert differences(before, snapshot_of(shop.database, skip=["backupmetadatas", "backupdatas"])) == []
    shown = shop.here.kubectl("get", "bp", "-o", "wide")
    assert "DRILL" in shown
    assert "Passed" in shown
    assert ("DrillPassed", told["message"]) in shop.events("shop")


def test_a_drill_has_no_backup_run(shop: Shop) -> None:
    shop.back_up()
    make_drill(shop)
    assert shop.here.kubectl("get", "br", "--output=name").split() == ["backuprun.holdfast.dev/by-hand"]


def test_a_drill_on_a_damaged_chunk_fails_and_says_so(shop: Shop) -> None:
    shop.back_up()
    chunks = shop.database["backupdatas"]
    largest = max(chunks.find(), key=lambda part: len(part["data"]))
    chunks.update_one({"_id": largest["_id"]}, {"$set": {"data": largest["data"][:-10] + bytes(10)}})
    told = make_drill(shop, code=1)
    assert told["result"] == "Failed"
    assert "damaged" in told["message"] or "not what" in told["message"]
    assert drill_condition(shop) == "False"
    assert ("DrillFailed", told["message"]) in shop.events("shop")
    assert place_of(shop).list_collection_names() == []


def test_what_a_drill_that_died_has_left_goes_with_the_next(shop: Shop) -> None:
    shop.back_up()
    place = place_of(shop)
    place.create_collection(MARKER)
    place["users"].insert_one({"left": "over"})
    assert make_drill(shop)["result"] == "Passed"
    assert place.list_collection_names() == []


def test_a_database_that_no_drill_made_is_left_as_it_is(shop: Shop) -> None:
    shop.back_up()
    place = place_of(shop)
    place["precious"].insert_one({"_id": 1})
    told = make_drill(shop, code=2)
    assert told["result"] == "Failed"
    assert "no drill made it" in told["message"]
    assert list(place["precious"].find()) == [{"_id": 1}]
    place.client.drop_database(place.name)


def test_without_a_backup_a_drill_fails_and_says_so(shop: Shop) -> None:
    told = make_drill(shop, code=2)
    assert told["result"] == "Failed"
    assert "no repository" in told["message"]


def test_a_policy_that_wants_no_drills_any_more_has_none(shop: Shop) -> None:
    shop.here.kubectl("patch", "bp/shop", "--type=json", '--patch=[{"op":"remove","path":"/spec/verification/drill"}]')
    shop.here.wait(lambda: not shop.here.get("cronjob", "shop-drill"), "the CronJob of drills is gone")
    assert shop.here.get("cronjob", "shop")


def test_a_server_of_its_own_stands_beside_the_worker(shop: Shop) -> None:
    ephemeral = {"ephemeral": {"image": "mongo:7.0"}}
    shop.here.apply(policy(job={"backoffLimit": 1}, verification=drill(ephemeral, keepHistory=5)))

    def pod_spec() -> dict[str, Any] | None:
        spec: dict[str, Any] = shop.here.get("cronjob", "shop-drill")["spec"]
        inner: dict[str, Any] = spec["jobTemplate"]["spec"]["template"]["spec"]
        return inner if inner.get("initContainers") and spec["successfulJobsHistoryLimit"] == 5 else None

    pod = shop.here.wait(pod_spec, "the CronJob has a server in its pods")
    [server] = pod["initContainers"]
    assert (server["image"], server["restartPolicy"]) == ("mongo:7.0", "Always")
    assert "127.0.0.1" in server["args"]
    assert server["securityContext"]["readOnlyRootFilesystem"] is True
    assert {"name": "drill-data", "emptyDir": {"sizeLimit": "10Gi"}} in pod["volumes"]


def test_each_command_of_the_page_on_restores_is_taken(shop: Shop) -> None:
    shop.back_up()
    shop.restore()
    commands = commands_of("restore.md", "kubectl")
    assert len(commands) >= 10
    for _, *words in commands:
        shop.here.kubectl(*(_here(word) for word in words))


def _here(word: str) -> str:
    """A word of the page, with the names of this test."""
    named = word.replace("before-NAME", "by-hand").replace("NAME", "back")
    return named if word.startswith("manifests/") else named.replace("timetrack", "shop")
