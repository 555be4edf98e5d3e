"""No more than so many backups at once: real CronJobs, Jobs and workers, and an operator that comes and goes."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from holdfast.domain.phases import Phase
from holdfast.domain.turns import PATIENCE
from holdfast.domain.worker_message import WorkerMessage
from tests.integration.kube.conftest import Namespace
from tests.integration.kube.shop import Shop, open_shop
from tests.integration.kube.test_operator import URI, pod_of, run_by_hand, tell, wait_ready
from tests.integration.kube.test_resources import policy
from tests.support.control_plane import ControlPlane
from tests.support.mongod import Mongod
from tests.support.operator_process import OperatorProcess
from tests.support.ports import free_ports

Start = Callable[[int], OperatorProcess]
OWN = 1800
"""The deadline of a run of these tests, in seconds."""


@pytest.fixture
def start(control_plane: ControlPlane, here: Namespace, tmp_path: Path) -> Iterator[Start]:
    """Starts an operator of this namespace alone, with a limit."""
    started: list[OperatorProcess] = []

    def start(limit: int) -> OperatorProcess:
        (port,) = free_ports(1)
        process = OperatorProcess(
            control_plane.operator_kubeconfig,
            tmp_path / "log",
            port=port,
            watch_namespaces=here.name,
            max_concurrent_runs=limit,
        )
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.stop()


@pytest.fixture
def ready(here: Namespace) -> Namespace:
    here.kubectl("create", "secret", "generic", "shop", f"--from-literal=MONGODB_URI={URI}")
    here.apply(policy(job={"activeDeadlineSeconds": OWN}))
    return here


def job_names(here: Namespace) -> list[str]:
    return sorted(name.removeprefix("job.batch/") for name in here.kubectl("get", "jobs", "-o", "name").split())


def succeed(here: Namespace, job: str) -> None:
    words = WorkerMessage("Succeeded", "", Phase.SUCCEEDED, {"backupId": job, "documents": 1}).encode()
    tell(here, pod_of(here, job), "Succeeded", terminated={"exitCode": 0, "message": words})
    here.wait_for_status("br", job, phase="Succeeded")


def in_queue(here: Namespace, name: str) -> None:
    """Wait until a run was let in, or told to wait: each second there is but one that is new."""
    here.wait(lambda: "queue" in here.get("br", name).get("status", {}), f"{name} is in the queue")
    # Of two that are made in the same second the first is who has the smaller uid.
    made = datetime.fromisoformat(here.get("br", name)["metadata"]["creationTimestamp"])
    here.wait(lambda: datetime.now(UTC) - made > timedelta(seconds=1), "the next second has begun")


def deadline(here: Namespace, job: str) -> int:
    result: int = here.get("job", job)["spec"]["activeDeadlineSeconds"]
    return result


def test_runs_by_hand_get_their_jobs_one_after_the_other_and_say_what_they_wait_for(
    ready: Namespace, start: Start
) -> None:
    start(1)
    wait_ready(ready)
    names = ["first", "second", "third"]
    for name in names:
        run_by_hand(ready, name)
        in_queue(ready, name)
    assert job_names(ready) == ["first"]
    status = ready.wait_for_status("br", "third", phase="Pending", reason="Queued")
    assert "no more than 1 backups run at once (maxConcurrentRuns). 1 waits before it." in status["message"]
    assert "Queued" in ready.kubectl("get", "br", "third", "-o", "wide")
    assert "maxConcurrentRuns" in ready.kubectl("describe", "br", "third").partition("Events:")[2]
    succeed(ready, "first")
    pod_of(ready, "second")
    assert job_names(ready) == ["first", "second"]
    ready.kubectl("delete", "job/second", "--wait=false")
    pod_of(ready, "third")


def test_an_operator_that_was_killed_goes_on_with_what_was_given(ready: Namespace, start: Start) -> None:
    killed = start(1)
    wait_ready(ready)
    for name in ("first", "second"):
        run_by_hand(ready, name)
        in_queue(ready, name)
    pod = pod_of(ready, "first")
    killed.kill()
    run_by_hand(ready, "third")
    start(1)
    ready.wait_for_status("br", "third", phase="Pending", reason="Queued")
    assert job_names(ready) == ["first"]
    tell(ready, pod, "Failed", terminated={"exitCode": 2})
    pod_of(ready, "second")
    assert job_names(ready) == ["first", "second"]


def test_a_job_of_the_cron_job_may_wait_and_keeps_all_its_time(ready: Namespace, start: Start) -> None:
    start(1)
    wait_ready(ready)
    ready.kubectl("create", "job", "first", "--from=cronjob/shop")
    ready.wait(lambda: deadline(ready, "first") <= OWN + 5, "its deadline is its own, once it is let in")
    ready.kubectl("create", "job", "second", "--from=cronjob/shop")
    ready.wait_for_status("br", "second", phase="Pending", reason="Queued")
    assert deadline(ready, "second") >= OWN + PATIENCE.total_seconds()
    pod_of(ready, "second")
    succeed(ready, "first")
    ready.wait(lambda: deadline(ready, "second") < OWN + 60, "the wait alone is added")


def test_without_the_limit_nobody_waits_any_more(ready: Namespace, start: Start) -> None:
    limited = start(1)
    wait_ready(ready)
    for name in ("first", "second"):
        run_by_hand(ready, name)
    ready.wait_for_status("br", "second", phase="Pending", reason="Queued")
    limited.stop()
    start(0)
    pod_of(ready, "second")
    ready.wait(lambda: deadline_of_template(ready) == OWN, "the CronJob is as without a limit")


def deadline_of_template(here: Namespace) -> int:
    result: int = here.get("cronjob", "shop")["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"]
    return result


def test_after_an_outage_a_policy_has_one_run(here: Namespace, start: Start) -> None:
    """Kubernetes itself sees that three of them are overdue, and starts the newest."""
    here.kubectl("create", "secret", "generic", "shop", f"--from-literal=MONGODB_URI={URI}")
    here.apply(policy(schedule={**policy()["spec"]["schedule"], "startingDeadlineSeconds": 604800}))
    start(0)
    wait_ready(here)
    before = (datetime.now(UTC) - timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    change = json.dumps({"status": {"lastScheduleTime": before}})
    here.kubectl("patch", "cronjob", "shop", "--subresource=status", "--type=merge", f"--patch={change}")
    [job] = here.wait(lambda: job_names(here), "the CronJob catches up")
    status = here.wait_for_status("br", job, phase="Pending")
    assert status["phase"] == "Pending"
    assert here.get("br", job)["spec"]["reason"] == "Scheduled"
    here.wait(lambda: here.get("cronjob", "shop")["status"]["lastScheduleTime"] > before, "it has caught up")
    assert job_names(here) == [job]


@pytest.fixture
def shop(
    here: Namespace,
    start: Start,
    control_plane: ControlPlane,
    mongod: Mongod,
    database: Database[dict[str, Any]],
    tmp_path: Path,
) -> Iterator[Shop]:
    """Real workers on a real database, one at a time."""
    with open_shop(here, start(1), control_plane, mongod, database, tmp_path / "pods") as shop:
        yield shop


def test_real_workers_take_their_turns_with_the_rights_that_they_have(shop: Shop) -> None:
    for name in ("first", "second"):
        shop.here.kubectl("create", "job", name, "--from=cronjob/shop")
        in_queue(shop.here, name)
    second = shop.start("second")
    shop.here.wait_for_status("br", "second", phase="Pending", reason="Queued")
    assert shop.start("first").end() == 0
    assert second.end() == 0
    first, last = (shop.here.wait_for_status("br", name, phase="Succeeded") for name in ("first", "second"))
    assert last["startTime"] >= first["completionTime"]
    assert last["queue"]["turnTime"] >= first["completionTime"]
    assert "warnings" not in last
