"""A drill in a real cluster: a CronJob's pod has a server of its own beside the worker, and restores the newest backup
into it; the policy tells what it found."""

import re
from typing import Any

import pytest

from tests.cluster.server_image import mongod_image
from tests.e2e.site import Site
from tests.support.smtp_server import ADMIN, SmtpServer


@pytest.fixture
def drilled(site: Site, smtp: SmtpServer) -> Site:
    """A policy with drills into a server beside the worker, and with mail."""
    site.fill()
    site.secret_with_mail(site.uri(), smtp)
    ephemeral = {"image": mongod_image(), "memory": "512Mi", "disk": "2Gi"}
    site.policy(verification={"drill": {"schedule": "@weekly", "target": {"ephemeral": ephemeral}}})
    site.kubectl.wait("backuppolicy/timetrack", "condition=Ready")
    return site


def make_drill(site: Site, name: str) -> dict[str, Any]:
    site.kubectl("create", "job", name, "--from=cronjob/timetrack-drill")
    site.kubectl.wait("backuppolicy/timetrack", f"jsonpath={{.status.lastDrill.job}}={name}")
    last: dict[str, Any] = site.kubectl.get("backuppolicy/timetrack")["status"]["lastDrill"]
    return last


def shown(site: Site) -> dict[str, str]:
    """What `kubectl get bp -o wide` shows, by its headings."""
    heading, row = site.kubectl("get", "bp", "--output", "wide").splitlines()
    columns = list(re.finditer(r"\S+(?: \S+)* *", heading))
    return {column[0].strip(): row[column.start() : column.end()].strip() for column in columns}


def test_a_drill_passes_beside_the_worker_and_fails_on_a_damaged_chunk(drilled: Site, smtp: SmtpServer) -> None:
    site = drilled
    backup = site.back_up()
    databases = site.mongod.client.list_database_names()
    passed = make_drill(site, "first")
    assert (passed["result"], passed["documents"]) == ("Passed", backup["documents"]), passed
    assert (passed["backupId"], passed["durationSeconds"] >= 0) == (backup["backupId"], True)
    assert (shown(site)["DRILL"], shown(site)["RECOVERY TIME"]) == ("Passed", passed["duration"])
    assert site.mongod.client.list_database_names() == databases, "a drill touched the live server"

    chunks = site.mongod.client[site.database]["backupdatas"]
    largest = max(chunks.find(), key=lambda part: len(part["data"]))
    chunks.update_one({"_id": largest["_id"]}, {"$set": {"data": largest["data"][:-10] + bytes(10)}})
    failed = make_drill(site, "second")
    assert failed["result"] == "Failed"
    assert re.search("damaged|not what was stored|cannot be read", failed["message"]), failed
    site.kubectl.wait("backuppolicy/timetrack", "condition=DrillPassed=False")
    site.kubectl.wait("backuppolicy/timetrack", "jsonpath={.status.health.verdict}=Critical", 60)
    assert (shown(site)["DRILL"], shown(site)["HEALTH"]) == ("Failed", "Critical")
    assert "DrillFailed" in site.kubectl("describe", "backuppolicy/timetrack")
    assert smtp.wait_for(f"Drill of {site.database} FAILED", 60)["To"] == ADMIN
    assert site.password not in site.everything_said()
