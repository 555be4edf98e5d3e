"""The operator on a real API server with real controllers: CronJobs, Jobs and owners are theirs, pods are told."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from holdfast.domain.phases import Phase
from holdfast.domain.worker_message import WorkerMessage
from holdfast.specs.names import POLICY_LABEL
from tests.integration.kube.conftest import Namespace
from tests.integration.kube.test_resources import policy
from tests.support.operator_process import OperatorProcess
from tests.support.schedules import NOT_NOW, TIME_OF_DAY

URI = "mongodb://app:hunter2@db.example.org:27017/shop"
OWNED = ("cronjob/shop", "serviceaccount/holdfast-shop", "role/holdfast-shop", "rolebinding/holdfast-shop")
FAST = {"startTimeoutSeconds": 10}


@pytest.fixture
def ready(here: Namespace, operator: OperatorProcess) -> Iterator[Namespace]:
    """A namespace with a policy that is ready; afterwards its secret must be nowhere."""
    here.kubectl("create", "secret", "generic", "shop", f"--from-literal=MONGODB_URI={URI}")
    here.apply(policy(job=FAST))
    wait_ready(here)
    yield here
    shown = here.kubectl("get", "backuppolicies,backupruns,cronjobs,jobs,pods,events", "--output=yaml")
    assert "hunter2" not in shown
    assert "hunter2" not in operator.log.read_text()
    assert "Traceback" not in operator.log.read_text()


def ready_condition(here: Namespace, name: str = "shop") -> dict[str, Any]:
    conditions = here.get("bp", name).get("status", {}).get("conditions", [])
    return next((condition for condition in conditions if condition["type"] == "Ready"), {})


def wait_ready(here: Namespace, reason: str = "Scheduled", name: str = "shop") -> dict[str, Any]:
    def done() -> dict[str, Any] | None:
        condition = ready_condition(here, name)
        return condition if condition.get("reason") == reason else None

    result: dict[str, Any] = here.wait(done, f"BackupPolicy {name} says {reason}")
    return result


def run_by_hand(here: Namespace, name: str = "by-hand") -> None:
    spec = {"policyRef": {"name": "shop"}}
    here.apply({"apiVersion": "holdfast.dev/v1alpha1", "kind": "BackupRun", "metadata": {"name": name}, "spec": spec})


def pod_of(here: Namespace, job: str) -> str:
    """Name of the newest pod of a Job, once there is one."""
    selector = f"--selector=batch.kubernetes.io/job-name={job}"
    name: str = here.wait(
        lambda: here.kubectl("get", "pods", selector, "--output=name").strip(), f"Job {job} has a pod"
    )
    return name


def tell(here: Namespace, pod: str, phase: str, **state: Any) -> None:
    """Say what became of a pod, in the kubelet's place."""
    container = {"name": "worker", "state": state, "ready": False, "restartCount": 0, "image": "x", "imageID": ""}
    status = {"status": {"phase": phase, "containerStatuses": [container]}}
    here.kubectl("patch", pod, "--subresource=status", "--type=merge", f"--patch={json.dumps(status)}")


def test_a_policy_becomes_ready_with_its_objects(ready: Namespace) -> None:
    for name in OWNED:
        owner = json.loads(ready.kubectl("get", name, "--output=json"))["metadata"]["ownerReferences"][0]
        assert owner["name"] == "shop"
    body = ready.get("bp", "shop")
    assert body["status"]["observedGeneration"] == body["metadata"]["generation"]
    assert body["status"]["nextScheduleTime"].endswith(f"T{TIME_OF_DAY}:00Z")
    assert ready.kubectl("wait", "--for=condition=Ready", "bp/shop", "--timeout=1s")


def test_nothing_of_kopf_is_left_on_an_object(ready: Namespace) -> None:
    for name in ("bp/shop", *OWNED):
        metadata = json.loads(ready.kubectl("get", name, "--output=json"))["metadata"]
        assert "finalizers" not in metadata
        assert set(metadata.get("annotations", {})) <= {"kubectl.kubernetes.io/last-applied-configuration"}


@pytest.mark.parametrize("name", OWNED)
def test_what_is_deleted_comes_back_within_seconds(ready: Namespace, name: str) -> None:
    kind, _, short = name.partition("/")
    before = ready.get(kind, short)["metadata"]["uid"]
    ready.kubectl("delete", name)
    ready.wait(
        lambda: ready.get(kind, short).get("metadata", {}).get("uid") not in (None, before), f"{name} is back", 10
    )


def test_what_is_edited_is_put_right_within_seconds(ready: Namespace) -> None:
    ready.kubectl("patch", "cronjob/shop", "--type=merge", '--patch={"spec":{"schedule":"* * * * *","suspend":true}}')
    ready.kubectl("patch", "role/holdfast-shop", "--type=merge", '--patch={"rules":[]}')

    def right() -> bool:
        spec = ready.get("cronjob", "shop")["spec"]
        return (spec["schedule"], spec["suspend"]) == (NOT_NOW, False) and bool(
            ready.get("role", "holdfast-shop")["rules"]
        )

    ready.wait(right, "all is put right", 10)


def test_a_label_that_is_taken_away_comes_back(ready: Namespace) -> None:
    ready.kubectl("label", "cronjob/shop", f"{POLICY_LABEL}-")
    ready.wait(lambda: POLICY_LABEL in ready.get("cronjob", "shop")["metadata"]["labels"], "the label is back", 10)


def test_a_change_of_the_policy_reaches_the_cron_job(ready: Namespace) -> None:
    ready.kubectl(
        "patch", "bp/shop", "--type=merge", '--patch={"spec":{"schedule":{"cron":"5 4 * * *","suspend":true}}}'
    )
    wait_ready(ready, "Suspended")
    spec = ready.get("cronjob", "shop")["spec"]
    assert (spec["schedule"], spec["suspend"]) == ("5 4 * * *", True)


def test_an_invalid_schedule_is_said_and_keeps_the_last_good_one(ready: Namespace) -> None:
    ready.kubectl("patch", "bp/shop", "--type=merge", '--patch={"spec":{"schedule":{"cron":"99 2 * * *"}}}')
    assert "spec.schedule.cron" in wait_ready(ready, "InvalidSpec")["message"]
    assert ready.get("cronjob", "shop")["spec"]["schedule"] == NOT_NOW
    ready.kubectl("patch", "bp/shop", "--type=merge", '--patch={"spec":{"schedule":{"timeZone":"Mars/Phobos"}}}')
    assert ready.get("cronjob", "shop")["spec"]["timeZone"] == "Etc/UTC"


def test_a_secret_that_comes_late_is_found(here: Namespace, operator: OperatorProcess) -> None:
    del operator
    here.apply(policy())
    assert "There is no Secret" in wait_ready(here, "SecretMissing")["message"]
    here.kubectl("create", "secret", "generic", "shop", f"--from-literal=MONGODB_URI={URI}")
    wait_ready(here)


def test_a_cron_job_of_somebody_else_is_left_alone(here: Namespace, operator: OperatorProcess) -> None:
    del operator
    here.kubectl("create", "cronjob", "shop", "--image=theirs", "--schedule=1 1 * * *")
    here.apply(policy())
    assert "belongs to something else" in wait_ready(here, "NameTaken")["message"]
    assert here.get("cronjob", "shop")["spec"]["schedule"] == "1 1 * * *"


def test_a_run_by_hand_that_the_worker_ends_with_a_final_failure(ready: Namespace) -> None:
    run_by_hand(ready)
    ready.wait_for_status("br", "by-hand", phase="Pending")
    words = WorkerMessage("SecretMissing", "Secret has no key.", Phase.FAILED).encode()
    tell(ready, pod_of(ready, "by-hand"), "Failed", terminated={"exitCode": 2, "message": words})
    status = ready.wait_for_status("br", "by-hand", phase="Failed")
    assert (status["reason"], status["message"]) == ("SecretMissing", "Secret has no key.")
    assert ready.kubectl("wait", "--for=condition=Failed", "br/by-hand", "--timeout=1s")
    last = ready.wait_for_status("bp", "shop")["lastRun"]
    ready.wait(lambda: ready.get("bp", "shop")["status"]["lastRun"]["phase"] == "Failed", "the policy shows it", 10)
    assert last["name"] == "by-hand"


def test_a_job_from_the_cron_job_whose_worker_was_killed_for_memory(ready: Namespace) -> None:
    ready.kubectl("patch", "bp/shop", "--type=merge", '--patch={"spec":{"job":{"backoffLimit":0}}}')
    ready.wait(lambda: not ready.get("cronjob", "shop")["spec"]["jobTemplate"]["spec"]["backoffLimit"], "it is applied")
    ready.kubectl("create", "job", "now", "--from=cronjob/shop")
    tell(ready, pod_of(ready, "now"), "Failed", terminated={"exitCode": 137, "reason": "OOMKilled"})
    status = ready.wait_for_status("br", "now", phase="Failed", reason="OOMKilled")
    assert "spec.job.resources.limits.memory" in status["message"]
    assert ready.get("br", "now")["spec"]["reason"] == "Manual"


def test_a_report_that_was_lost_is_taken_from_the_pod(ready: Namespace) -> None:
    run_by_hand(ready)
    words = WorkerMessage(
        "Succeeded", "", Phase.SUCCEEDED, {"backupId": "b", "documents": 7, "storedBytes": 2048}
    ).encode()
    tell(ready, pod_of(ready, "by-hand"), "Succeeded", terminated={"exitCode": 0, "message": words})
    status = ready.wait_for_status("br", "by-hand", phase="Succeeded", backupId="b", storedSize="2.0 KiB")
    assert status["documents"] == 7
    good = ready.wait(lambda: ready.get("bp", "shop")["status"].get("lastSuccessfulRun"), "the policy shows it", 10)
    assert good["backupId"] == "b"


def test_an_image_that_cannot_be_pulled_ends_the_run_and_its_job(ready: Namespace) -> None:
    run_by_hand(ready)
    waiting = {"reason": "ErrImagePull", "message": "not found"}
    tell(ready, pod_of(ready, "by-hand"), "Pending", waiting=waiting)
    ready.wait_for_status("br", "by-hand", phase="Pending", reason="ImagePullFailed")
    status = ready.wait_for_status("br", "by-hand", phase="Failed", reason="ImagePullFailed")
    assert "holdfast:test" in status["message"]
    ready.wait(lambda: not ready.get("job", "by-hand"), "its Job is gone", 10)


def test_a_full_quota_ends_the_run(ready: Namespace) -> None:
    ready.kubectl("create", "quota", "small", "--hard=pods=0")
    run_by_hand(ready)
    ready.wait_for_status("br", "by-hand", phase="Pending", reason="QuotaExceeded")
    status = ready.wait_for_status("br", "by-hand", phase="Failed", reason="QuotaExceeded")
    assert "exceeded quota: small" in status["message"]


def test_a_job_that_is_deleted_cancels_its_run(ready: Namespace) -> None:
    run_by_hand(ready)
    pod_of(ready, "by-hand")
    ready.kubectl("delete", "job/by-hand", "--wait=false")
    ready.wait_for_status("br", "by-hand", phase="Cancelled", reason="JobDeleted")


def test_a_run_that_is_cancelled_takes_its_job_with_it(ready: Namespace) -> None:
    run_by_hand(ready)
    pod_of(ready, "by-hand")
    ready.kubectl("patch", "br", "by-hand", "--type=merge", '--patch={"spec":{"cancel":true}}')
    ready.wait_for_status("br", "by-hand", phase="Cancelled", reason="CancelRequested")
    ready.wait(lambda: not ready.kubectl("get", "jobs", "--output=name").strip(), "its Job is gone")


def test_backups_that_never_started_are_told(ready: Namespace) -> None:
    """As after days without operator and CronJob controller."""
    told = ready.get("bp", "shop")["status"]["missedSchedules"]
    before = (datetime.now(UTC) - timedelta(days=3, hours=12)).strftime("%Y-%m-%dT%H:%M:%SZ")
    change = {"status": {"missedSchedules": {**told, "settledUntil": before}}}
    ready.kubectl("patch", "bp", "shop", "--subresource=status", "--type=merge", f"--patch={json.dumps(change)}")
    missed = ready.wait(
        lambda: (one := ready.get("bp", "shop")["status"]["missedSchedules"])["count"] and one, "they are told"
    )
    assert missed["count"] in (3, 4)
    conditions = {one["type"]: one["status"] for one in ready.get("bp", "shop")["status"]["conditions"]}
    assert conditions["ScheduleMissed"] == "True"
    ready.wait(lambda: "ScheduleMissed" in ready.kubectl("get", "events", "--output=yaml"), "an event says so")


def test_a_run_that_is_deleted_takes_its_job_with_it(ready: Namespace) -> None:
    ready.kubectl("create", "job", "now", "--from=cronjob/shop")
    ready.wait_for_status("br", "now", phase="Pending")
    ready.kubectl("delete", "br/now", "--timeout=10s")
    ready.wait(lambda: not ready.get("job", "now"), "its Job is gone", 10)
    assert not ready.get("br", "now")


def test_a_policy_that_is_deleted_during_a_run_takes_all_with_it(ready: Namespace) -> None:
    run_by_hand(ready)
    pod_of(ready, "by-hand")
    ready.kubectl("delete", "bp/shop", "--timeout=10s")

    def left() -> str:
        kinds = "backuppolicies,backupruns,cronjobs,jobs,roles,rolebindings"
        return ready.kubectl("get", kinds, "--output=name").replace("No resources found", "").strip()

    ready.wait(lambda: left().startswith("in ") or not left(), "all is gone")


def test_a_run_of_no_policy_fails(here: Namespace, operator: OperatorProcess) -> None:
    del operator
    run_by_hand(here)
    here.wait_for_status("br", "by-hand", phase="Pending", reason="PolicyNotFound")
    here.wait_for_status("br", "by-hand", phase="Failed", reason="PolicyNotFound")


def test_policies_of_one_name_in_two_namespaces_do_not_meet(ready: Namespace, request: pytest.FixtureRequest) -> None:
    plane = request.getfixturevalue("control_plane")
    other = Namespace(plane, f"{ready.name}-b")
    plane.kubectl("create", "namespace", other.name)
    other.apply(policy(schedule={"cron": "7 7 * * *"}))
    wait_ready(other, "SecretMissing")
    assert other.get("cronjob", "shop")["spec"]["schedule"] == "7 7 * * *"
    assert ready.get("cronjob", "shop")["spec"]["schedule"] == NOT_NOW
    other.kubectl("delete", "bp/shop")
    assert ready.get("cronjob", "shop")


def test_a_healthy_operator_says_so(ready: Namespace, operator: OperatorProcess) -> None:
    ready.wait(operator.healthy, "the operator is healthy", 10)
