"""A policy that asks for it has an archiver, and a backup that what it archives can be replayed from."""

from typing import Any

import pytest

from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, DEPLOYMENT, SECRET, KubeObject
from holdfast.services.reconcile_policy import reconcile_policy
from holdfast.specs import access
from holdfast.specs.archiver import archiver
from tests.support.fake_cluster import START, FakeClock, FakeCluster
from tests.support.kube_objects import IMAGE, NAMESPACE, policy_body, policy_model, run_body, secret_body

LINEAGE = f"{int(START.timestamp())}-0a0b0c0d"
ARCHIVED = {"to": "2026-03-01T12:30:00Z", "lagSeconds": 1, "gaps": [], "lineage": LINEAGE}
GAP = {"from": "2026-03-01T11:00:00Z", "message": "It rolled over."}
FIRST_RUN = f"shop-oplog-{LINEAGE}"


class Site:
    def __init__(self, *, enabled: bool = True, **spec: Any) -> None:
        self.clock = FakeClock()
        self.cluster = FakeCluster(self.clock)
        self.cluster.put(SECRET, secret_body())
        self.cluster.put(BACKUP_POLICY, policy_body(pointInTime={"enabled": enabled}, **spec))
        self.look()

    def look(self) -> None:
        reconcile_policy(self.cluster, NAMESPACE, "shop", image=IMAGE, clock=self.clock)

    def policy(self) -> KubeObject:
        body = self.cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
        assert body is not None
        return body

    def change(self, **spec: Any) -> None:
        self.cluster.patch(BACKUP_POLICY, self.policy(), {"spec": spec})
        self.look()

    def archived(self, **told: Any) -> None:
        """The archiver has told something."""
        self.cluster.patch_status(BACKUP_POLICY, self.policy(), {"pointInTime": {**ARCHIVED, **told}})
        self.look()

    def run(self, name: str, phase: str, seconds: int) -> None:
        time = f"{int(START.timestamp()) + seconds}.1"
        status = {"phase": phase, "backupId": name, "consistency": {"level": "Snapshot", "clusterTime": time}}
        self.cluster.put(BACKUP_RUN, run_body(name) | {"status": status})

    def deployment(self) -> KubeObject | None:
        return self.cluster.get(DEPLOYMENT, NAMESPACE, "shop-oplog")

    def runs(self) -> list[str]:
        return [body["metadata"]["name"] for body in self.cluster.list(BACKUP_RUN, NAMESPACE)]

    def condition(self) -> tuple[str, str] | None:
        found = [one for one in self.policy()["status"]["conditions"] if one["type"] == "PointInTime"]
        return (found[0]["status"], found[0]["reason"]) if found else None


@pytest.fixture
def site() -> Site:
    return Site()


# --- the Deployment ------------------------------------------------------------------------------------------------


def test_there_is_one_where_it_is_asked_for_and_only_there(site: Site) -> None:
    assert site.deployment() is not None
    assert Site(enabled=False).deployment() is None


@pytest.mark.parametrize("change", [{"pointInTime": {"enabled": False}}, {"schedule": {"suspend": True}}])
def test_it_goes_when_it_is_switched_off_or_the_schedule_suspended(site: Site, change: dict[str, Any]) -> None:
    site.change(**change)
    assert site.deployment() is None


def test_a_deployment_of_others_is_left_alone_and_told() -> None:
    site = Site(enabled=False)
    theirs = site.cluster.put(DEPLOYMENT, {"metadata": {"name": "shop-oplog", "namespace": NAMESPACE}, "spec": {}})
    site.look()
    assert site.deployment() == theirs
    site.change(pointInTime={"enabled": True})
    assert site.deployment() == theirs
    ready = next(one for one in site.policy()["status"]["conditions"] if one["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "NameTaken")


def test_it_is_one_small_pod_of_the_worker_that_starts_anew_for_another_spec() -> None:
    spec = archiver(policy_model(pointInTime={"enabled": True}), IMAGE)["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    template = spec["template"]
    assert spec["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    [container] = template["spec"]["containers"]
    assert container["args"] == ["worker", "archive"]
    assert container["resources"]["limits"] == {"memory": "256Mi"}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert template["spec"]["restartPolicy"] == "Always"
    assert not [one for one in container["env"] if one["name"].startswith("HOLDFAST_JOB")]
    other = archiver(policy_model(pointInTime={"enabled": True, "sliceSeconds": 5}), IMAGE)
    assert other["spec"]["template"]["metadata"]["annotations"] != template["metadata"]["annotations"]


def test_it_may_tell_in_its_own_policy_and_no_worker_may_without_it() -> None:
    granted = {"apiGroups": ["holdfast.dev"], "resources": ["backuppolicies/status"], "resourceNames": ["shop"],
               "verbs": ["patch"]}  # fmt: skip
    assert granted in access.role(policy_model(pointInTime={"enabled": True}))["rules"]
    assert granted not in access.role(policy_model())["rules"]


# --- the backup that it begins from --------------------------------------------------------------------------------


def test_a_backup_starts_where_an_archive_begins_and_once(site: Site) -> None:
    site.archived()
    site.look()
    assert site.runs() == [FIRST_RUN]
    run = site.cluster.get(BACKUP_RUN, NAMESPACE, FIRST_RUN)
    assert run is not None
    assert run["spec"]["reason"] == "Oplog"


def test_a_backup_starts_behind_each_gap(site: Site) -> None:
    site.run("old", "Succeeded", -3600)
    site.archived(**{"from": "2026-03-01T10:00:00Z"}, gaps=[GAP])
    assert site.runs() == ["old", FIRST_RUN]


def test_a_backup_that_is_at_work_or_that_leads_on_already_is_enough(site: Site) -> None:
    site.run("now", "Running", 1)
    site.archived()
    assert site.runs() == ["now"]
    site = Site()
    site.run("just-now", "Succeeded", 1)
    site.archived()
    assert site.runs() == ["just-now"]


def test_a_backup_that_failed_is_not_started_for_ever(site: Site) -> None:
    site.run(FIRST_RUN, "Failed", 1)
    site.archived()
    assert site.runs() == [FIRST_RUN]


def test_no_backup_starts_where_all_is_well(site: Site) -> None:
    site.archived(**{"from": "2026-03-01T12:10:00Z"})
    assert site.runs() == []


# --- what is told --------------------------------------------------------------------------------------------------


def test_the_condition_says_how_it_stands(site: Site) -> None:
    assert site.condition() == ("Unknown", "Starting")
    site.archived()
    assert site.condition() == ("False", "AwaitsBackup")
    site.archived(**{"from": "2026-03-01T12:10:00Z"})
    assert site.condition() == ("True", "Archiving")
    site.archived(gaps=[GAP])
    assert site.condition() == ("False", "Gap")
    site.archived(reason="InvalidSpec", message="The server is a standalone: it has no oplog.")
    assert site.condition() == ("False", "InvalidSpec")
    site.change(schedule={"suspend": True})
    assert site.condition() == ("False", "Suspended")
    site.change(pointInTime={"enabled": False})
    assert site.condition() is None
    assert "pointInTime" not in site.policy()["status"]


def test_events_tell_of_gaps_and_of_their_end(site: Site) -> None:
    site.archived(**{"from": "2026-03-01T12:10:00Z"})
    site.archived(gaps=[GAP])
    site.archived(gaps=[{**GAP, "to": "2026-03-01T12:40:00Z"}])
    told = [one for one in site.cluster.recorded if one[1].startswith("PointInTime")]
    assert told == [("Normal", "PointInTime"), ("Warning", "PointInTimeGap"), ("Normal", "PointInTime")]


def test_what_the_archiver_tells_is_not_overwritten(site: Site) -> None:
    site.archived(**{"from": "2026-03-01T12:10:00Z"})
    before = site.policy()["status"]["pointInTime"]
    site.look()
    assert site.policy()["status"]["pointInTime"] == before


def test_nothing_is_written_when_nothing_changed(site: Site) -> None:
    site.archived(**{"from": "2026-03-01T12:10:00Z"})
    site.look()
    site.cluster.writes.clear()
    site.look()
    assert site.cluster.writes == []
