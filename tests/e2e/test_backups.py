"""From a BackupPolicy to backups that can be restored."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.site import API, Site
from tests.support.compare import OWN_COLLECTIONS, differences, snapshot_of
from tests.support.kubectl import CommandFailed, Kubectl
from tests.support.schedules import NOT_NOW, TIME_OF_DAY


def holdfast(site: Site, *arguments: str) -> str:
    """The command line, as the administrator of the database."""
    repository = ("--repository", f"mongodb:{site.database}", "--uri-file", str(site.mongod.uri_file))
    command = [sys.executable, "-m", "holdfast", *arguments, *repository]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_policy_makes_a_cronjob_and_the_rights_of_its_worker(site: Site) -> None:
    site.ready()
    uid = site.kubectl.get("backuppolicy/timetrack")["metadata"]["uid"]
    for what in (
        "cronjob/timetrack",
        *site.kubectl(
            "get", "sa,roles,rolebindings", "-l", "app.kubernetes.io/managed-by=holdfast", "-o", "name"
        ).split(),
    ):
        assert [owner["uid"] for owner in site.kubectl.get(what)["metadata"]["ownerReferences"]] == [uid]


def test_the_status_says_what_generation_it_is_of_and_when_the_next_backup_is(site: Site) -> None:
    site.ready()
    body = site.kubectl.get("backuppolicy/timetrack")
    assert body["status"]["observedGeneration"] == body["metadata"]["generation"]
    assert body["status"]["nextScheduleTime"].endswith(f"T{TIME_OF_DAY}:00Z")


def test_a_job_made_from_the_cronjob_is_a_backup(site: Site) -> None:
    site.ready()
    site.kubectl("create", "job", "--from=cronjob/timetrack", "now")
    status = site.ended("now")
    assert status["consistency"]["level"] == "Snapshot"
    assert [c["name"] for c in status["collections"]] == sorted(
        ["users", "timeEntries", "userGoals", "feedback", "feedbackVotes", "dayReflections"]
    )


def test_a_backup_run_made_by_hand_is_a_backup(site: Site) -> None:
    site.ready()
    run = site.start()
    site.ended(run)
    site.kubectl.wait(f"job/{run}", "condition=Complete")


def test_the_schedule_itself_starts_backups(site: Site) -> None:
    site.ready(schedule={"cron": "* * * * *"})
    site.kubectl.wait("cronjob/timetrack", "jsonpath={.status.lastScheduleTime}", 90)
    [job] = site.kubectl.list("jobs")
    run = job["metadata"]["name"]
    site.ended(run)
    assert site.kubectl.get(f"backuprun/{run}")["spec"]["reason"] == "Scheduled"


def test_a_damaged_database_comes_back_byte_for_byte(site: Site) -> None:
    site.ready()
    client = site.mongod.client
    before = snapshot_of(client[site.database], skip=OWN_COLLECTIONS)
    backup_id = site.back_up()["backupId"]
    client[site.database]["feedback"].drop()
    client[site.database]["timeEntries"].update_many({}, {"$set": {"note": "overwritten"}})
    restored = f"{site.database}_restored"
    try:
        report = json.loads(holdfast(site, "restore", backup_id, "--database", restored, "--json"))
        assert report["verified"]
        assert differences(before, snapshot_of(client[restored])) == []
    finally:
        client.drop_database(restored)


def test_an_encrypted_backup_is_read_with_its_key_only(site: Site, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run([sys.executable, "-m", "holdfast", "keygen", "--output", key], check=True)
    site.secret(key.read_text(), name="backup-key", key="HOLDFAST_KEY")
    site.ready(encryption={"keySecretRef": {"name": "backup-key"}})
    backup_id = site.back_up()["backupId"]
    [backup] = json.loads(holdfast(site, "list", "--key-file", str(key), "--json"))
    assert backup["backupId"] == backup_id
    with pytest.raises(subprocess.CalledProcessError) as refused:
        holdfast(site, "list", "--json")
    assert "is encrypted" in refused.value.stderr


def test_the_policy_tells_its_last_good_run(site: Site) -> None:
    site.ready()
    backup_id = site.back_up()["backupId"]
    site.kubectl.wait("backuppolicy/timetrack", f"jsonpath={{.status.lastSuccessfulRun.backupId}}={backup_id}")


def test_a_backup_of_unchanged_data_adds_next_to_nothing(site: Site) -> None:
    site.ready()
    first, second = site.back_up(), site.back_up()
    assert second["storedBytes"] == first["storedBytes"]
    assert second["newBytes"] == 0


def test_two_policies_of_one_name_in_two_namespaces_do_not_meet(site: Site, kubectl: Kubectl) -> None:
    site.ready()
    other = Site(kubectl.within(f"{site.namespace}-b"), site.mongod, database=f"{site.database}_b")
    kubectl("create", "namespace", other.namespace)
    try:
        other.ready()
        runs = [(one, one.start()) for one in (site, other)]
        for one, run in runs:
            one.ended(run)
            [backup] = json.loads(holdfast(one, "list", "--json"))
            assert backup["policy"]["namespace"] == one.namespace
    finally:
        kubectl("delete", "namespace", other.namespace, "--timeout=90s")
        site.mongod.client.drop_database(other.database)


@pytest.mark.parametrize("change", ["delete", "edit"])
def test_a_cronjob_that_somebody_deleted_or_edited_is_repaired(site: Site, change: str) -> None:
    site.ready()
    uid = site.kubectl.get("cronjob/timetrack")["metadata"]["uid"]
    if change == "delete":
        site.kubectl("delete", "cronjob", "timetrack")
        site.kubectl.wait("cronjob/timetrack", "create", 30)
        assert site.kubectl.get("cronjob/timetrack")["metadata"]["uid"] != uid
    else:
        site.kubectl("patch", "cronjob", "timetrack", "--type=merge", "--patch", '{"spec": {"schedule": "1 1 1 1 1"}}')
        site.kubectl.wait("cronjob/timetrack", f"jsonpath={{.spec.schedule}}={NOT_NOW}", 30)


@pytest.mark.parametrize("kind", ["role", "rolebinding", "serviceaccount"])
def test_a_right_of_the_worker_that_somebody_deleted_is_repaired(site: Site, kind: str) -> None:
    site.ready()
    [name] = site.kubectl("get", kind, "-l", "app.kubernetes.io/managed-by=holdfast", "-o", "name").split()
    uid = site.kubectl.get(name)["metadata"]["uid"]
    site.kubectl("delete", name)
    site.kubectl.wait(name, "create", 30)
    assert site.kubectl.get(name)["metadata"]["uid"] != uid


def test_a_changed_schedule_reaches_the_cronjob(site: Site) -> None:
    site.ready()
    site.policy(schedule={"cron": "30 4 * * 1", "timeZone": "Europe/Berlin", "suspend": True})
    site.kubectl.wait("cronjob/timetrack", "jsonpath={.spec.schedule}=30 4 * * 1", 30)
    spec = site.kubectl.get("cronjob/timetrack")["spec"]
    assert (spec["timeZone"], spec["suspend"]) == ("Europe/Berlin", True)


def test_a_cronjob_of_somebody_else_is_never_adopted(site: Site) -> None:
    template = {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}}
    foreign = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "timetrack"},
        "spec": {"schedule": "5 5 5 5 5", "suspend": True, "jobTemplate": template},
    }
    site.kubectl.apply(foreign)
    site.secret(site.uri())
    site.policy()
    assert "belongs to something else" in site.not_ready("NameTaken")
    assert site.kubectl.get("cronjob/timetrack")["spec"]["schedule"] == "5 5 5 5 5"


def test_nothing_is_written_while_nothing_changes(site: Site) -> None:
    site.ready()
    site.back_up()
    site.kubectl.wait("backuppolicy/timetrack", "jsonpath={.status.lastSuccessfulRun.backupId}")
    site.kubectl.wait("backuppolicy/timetrack", "condition=Healthy")

    def written_in_three_rounds() -> str:
        """Of the operator's loop: the watch ends by its own timeout."""
        return site.kubectl(
            "get", "backuppolicy/timetrack", "--watch-only", "--request-timeout=10s", "--output", "name", seconds=20
        )

    # What the end of the run set off may still be on its way at the first look.
    assert not all(written_in_three_rounds() for _ in range(2))


def test_a_run_shows_its_columns(site: Site) -> None:
    site.ready()
    site.back_up()
    header, row = site.kubectl("get", "br").splitlines()
    assert header.split()[:4] == ["NAME", "POLICY", "PHASE", "PROGRESS"]
    assert row.split()[1:4] == ["timetrack", "Succeeded", "100%"]


def test_the_api_server_refuses_a_policy_whose_name_is_too_long_for_a_cronjob(site: Site) -> None:
    with pytest.raises(CommandFailed, match="52"):
        site.policy(name="x" * 53)


def test_a_spec_is_explained_by_kubectl(site: Site) -> None:
    assert "DESCRIPTION" in site.kubectl("explain", "backuppolicy.spec.source.uriSecretRef")
    assert API.split("/")[1] in site.kubectl("explain", "backuprun")
