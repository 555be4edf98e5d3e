"""Whatever dies, each run ends, nothing is lost, and nothing that is deleted hangs."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.site import Site
from tests.e2e.test_backups import holdfast
from tests.support.kubectl import Kubectl


def parent_of(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rsplit(")", 1)[1].split()[1])


def worker(site: Site) -> int:
    """The process of the one worker of a site."""
    [pid] = workers(site)
    return pid


def workers(site: Site, *settings: str, kind: str = "backup") -> list[int]:
    """The processes of the workers of a site, with these in their environment, as the node's own machine sees them."""
    wanted = {setting.encode() for setting in (f"HOLDFAST_NAMESPACE={site.namespace}", *settings)}
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            environment = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended
        if words[-3:-1] == [b"worker", kind.encode()] and wanted <= set(environment):
            found.append(int(entry.name))
    # Its helpers have the same words and environment; only the worker itself has none of them for a parent.
    return [one for one in found if parent_of(one) not in found]


def running(site: Site) -> str:
    """A run that is held in the middle of its backup."""
    site.hold()
    run = site.start()
    site.held()
    return run


@contextmanager
def without_operator(operator: Kubectl) -> Iterator[None]:
    operator("scale", "deployment/holdfast", "--replicas=0")
    operator("delete", "pods", "--all", "--grace-period=1", "--wait", "--timeout=60s")
    try:
        yield
    finally:
        operator("scale", "deployment/holdfast", "--replicas=1")
        operator.wait("deployment/holdfast", "condition=Available")


def restart(operator: Kubectl) -> None:
    operator("delete", "pods", "--all", "--grace-period=0", "--force")
    operator.wait("deployment/holdfast", "condition=Available")


def test_a_worker_killed_half_way_is_followed_by_one_that_finishes(site: Site) -> None:
    site.ready()
    run = running(site)
    os.kill(worker(site), signal.SIGKILL)
    site.release()
    status = site.ended(run)
    assert status["attempts"] == 2
    assert json.loads(holdfast(site, "verify", "latest", "--read-data", "--json"))["good"]
    told = site.kubectl("describe", "backuprun", run)
    for part in ("WorkerDied", "exit code 137", "Attempt 2.", "is whole and verified"):
        assert part in told


def test_a_worker_killed_each_time_ends_its_run(site: Site) -> None:
    site.ready(job={"backoffLimit": 0})
    run = running(site)
    os.kill(worker(site), signal.SIGKILL)
    site.release()
    status = site.ended(run, "Failed")
    assert "137" in status["message"] or "killed" in status["message"].lower()
    assert json.loads(holdfast(site, "list", "--json")) == []
    # Its lock is still there, and in nobody's way:
    after = site.start()
    site.ended(after)
    site.kubectl.wait(f"backuprun/{after}", "jsonpath={.status.retention.freedBytes}")


def test_a_worker_asked_to_stop_ends_in_an_orderly_way_and_its_successor_finishes(site: Site) -> None:
    site.ready()
    run = running(site)
    os.kill(worker(site), signal.SIGTERM)
    site.release()
    assert site.ended(run)["attempts"] == 2


def test_the_operator_killed_during_a_run_does_not_disturb_it(site: Site, operator: Kubectl) -> None:
    site.ready()
    run = running(site)
    with without_operator(operator):
        site.release()
        site.ended(run)
    site.kubectl.wait("backuppolicy/timetrack", f"jsonpath={{.status.lastSuccessfulRun.name}}={run}")


def test_backups_go_on_while_the_operator_is_down(site: Site, operator: Kubectl) -> None:
    site.ready()
    with without_operator(operator):
        site.kubectl("create", "job", "--from=cronjob/timetrack", "alone")
        site.ended("alone")


@pytest.mark.parametrize("_again", range(3))
def test_the_operator_killed_during_a_reconcile_finishes_it_afterwards(
    site: Site, operator: Kubectl, _again: int
) -> None:
    site.secret(site.uri())
    site.policy()
    restart(operator)
    site.kubectl.wait("backuppolicy/timetrack", "condition=Ready")
    site.kubectl.get("cronjob/timetrack")


def test_a_policy_deleted_during_a_run_takes_its_objects_and_leaves_the_backups(site: Site) -> None:
    site.ready()
    kept = site.back_up()["backupId"]
    running(site)
    site.kubectl("delete", "backuppolicy", "timetrack", "--timeout=30s")
    for what in ("cronjobs", "backupruns", "jobs"):
        for body in site.kubectl.list(what):
            site.kubectl.wait(f"{what}/{body['metadata']['name']}", "delete", 60)
    site.release()
    assert kept in [backup["backupId"] for backup in json.loads(holdfast(site, "list", "--json"))]


def test_a_policy_can_be_deleted_while_the_operator_is_down(site: Site, operator: Kubectl) -> None:
    site.ready()
    with without_operator(operator):
        site.kubectl("delete", "backuppolicy", "timetrack", "--timeout=30s")


def test_a_job_deleted_during_a_run_cancels_it(site: Site) -> None:
    site.ready()
    run = running(site)
    site.kubectl("delete", "job", run, "--timeout=60s")
    site.release()
    assert site.ended(run, "Cancelled")["reason"] == "JobDeleted"


def test_a_run_that_is_deleted_ends_its_job(site: Site) -> None:
    site.ready()
    run = running(site)
    site.kubectl("delete", "backuprun", run, "--timeout=30s")
    site.release()
    site.kubectl.wait(f"job/{run}", "delete", 60)


def test_mongodb_restarted_during_a_run_is_survived(site: Site) -> None:
    site.ready()
    run = running(site)
    site.mongod.kill()
    site.mongod.start()
    site.ended(run)
