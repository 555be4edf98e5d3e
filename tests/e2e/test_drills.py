"""A drill in a real cluster: a CronJob's pod restores the newest backup, and the policy tells what it found."""

from typing import Any

from holdfast.specs.names import drill_database
from tests.e2e.site import Site

DRILL = {"drill": {"schedule": "@weekly", "target": {"scratch": {"uriSecretRef": {"name": "drill"}}}}}


def make_drill(site: Site, name: str) -> dict[str, Any]:
    site.kubectl("create", "job", name, "--from=cronjob/timetrack-drill")
    site.kubectl.wait("backuppolicy/timetrack", f"jsonpath={{.status.lastDrill.job}}={name}")
    last: dict[str, Any] = site.kubectl.get("backuppolicy/timetrack")["status"]["lastDrill"]
    return last


def test_a_drill_passes_and_after_damage_another_fails(site: Site) -> None:
    site.fill()
    uri = site.uri(*({"role": role, "db": "admin"} for role in ("readWriteAnyDatabase", "dbAdminAnyDatabase")))
    site.secret(uri)
    site.secret(uri, "drill")
    site.policy(verification=DRILL)
    site.kubectl.wait("backuppolicy/timetrack", "condition=Ready")
    backup = site.back_up()
    passed = make_drill(site, "first")
    assert (passed["result"], passed["documents"]) == ("Passed", backup["documents"])
    uid = site.kubectl.get("backuppolicy/timetrack")["metadata"]["uid"]
    assert drill_database(uid) not in site.mongod.client.list_database_names()

    chunks = site.mongod.client[site.database]["backupdatas"]
    largest = max(chunks.find(), key=lambda part: len(part["data"]))
    chunks.delete_one({"_id": largest["_id"]})
    failed = make_drill(site, "second")
    assert failed["result"] == "Failed"
    assert "missing" in failed["message"]
    site.kubectl.wait("backuppolicy/timetrack", "condition=DrillPassed=False")
    assert "DrillFailed" in site.kubectl("describe", "backuppolicy/timetrack")
    assert site.password not in site.everything_said()
