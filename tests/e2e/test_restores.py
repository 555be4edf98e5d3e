"""From a damaged database to one that is proven to be what it was, by kubectl alone."""

import json

import pytest

from tests.e2e.site import Site
from tests.support.compare import OWN_COLLECTIONS, DatabaseImage, differences, snapshot_of
from tests.support.kubectl import Object


@pytest.fixture
def clean(site: Site) -> DatabaseImage:
    """A database with one backup; what it was like then. Afterwards it is damaged."""
    site.fill()
    # dbAdmin: a collection with a validator is restored past it.
    site.secret(site.uri(*({"role": role, "db": site.database} for role in ("readWrite", "dbAdmin"))))
    site.policy()
    site.kubectl.wait("backuppolicy/timetrack", "condition=Ready")
    image = now(site)
    site.back_up()
    damage(site)
    return image


def now(site: Site) -> DatabaseImage:
    return snapshot_of(site.mongod.client[site.database], skip=OWN_COLLECTIONS)


def damage(site: Site) -> None:
    database = site.mongod.client[site.database]
    database["feedback"].drop()
    database["timeEntries"].update_many({}, {"$set": {"note": "overwritten"}})


def test_planned_then_applied_and_exact_and_never_done_again(site: Site, clean: DatabaseImage) -> None:
    damaged = now(site)
    plan = site.restore("look", existing="Drop")["plan"]
    actions = {one["name"]: one["action"] for one in plan["collections"]}
    assert (actions["feedback"], actions["timeEntries"]) == ("Create", "Replace")
    assert differences(damaged, now(site)) == [], "a plan changed something"

    wish: Object = {"mode": "Apply", "existing": "Drop", "confirm": site.database}
    status = site.restore("back", **wish)
    assert status["verification"]["result"] == "Equal"
    assert differences(clean, now(site)) == []
    before = site.kubectl.get("backuprun/before-back")
    assert (before["spec"]["reason"], before["status"]["phase"]) == ("PreRestore", "Succeeded")
    assert before["status"]["backupId"] == status["preRestoreBackupId"]
    site.kubectl.wait("restorerun/back", "condition=Complete", 5)

    damage(site)
    damaged = now(site)
    site.kubectl("delete", "job/restore-back", "--timeout=60s")
    site.ask_to_restore("back", **wish)
    site.restore("later", existing="Drop")
    assert not site.kubectl("get", "job/restore-back", "--ignore-not-found")
    assert differences(damaged, now(site)) == [], "a finished restore was done again"
    assert site.password not in site.everything_said()


def test_another_name_than_the_targets_confirms_nothing(site: Site, clean: DatabaseImage) -> None:
    damaged = now(site)
    status = site.restore("back", "Failed", mode="Apply", existing="Drop", confirm="other")
    assert status["reason"] == "InvalidSpec"
    assert "'other'" in status["message"]
    assert differences(damaged, now(site)) == []
    assert differences(clean, now(site)) != []


def test_a_restore_that_is_deleted_at_work_stops_and_says_what_state_the_target_is_in(
    site: Site, clean: DatabaseImage
) -> None:
    damaged = now(site)
    site.hold()
    site.ask_to_restore("back", mode="Apply", existing="Drop", confirm=site.database)
    site.held()
    [pod] = [pod["metadata"]["name"] for pod in site.kubectl.list("pods") if "restore-back" in pod["metadata"]["name"]]
    site.kubectl("delete", "restorerun/back", "--timeout=30s")
    site.kubectl("wait", f"pod/{pod}", "--for=delete", "--timeout=90s")
    site.release()
    events = json.loads(
        site.kubectl("get", "events", "--field-selector=involvedObject.name=back,reason=Interrupted", "-o", "json")
    )["items"]
    assert any("Nothing was changed in the target." in event["message"] for event in events)
    assert differences(damaged, now(site)) == []
    assert differences(clean, now(site)) != []
