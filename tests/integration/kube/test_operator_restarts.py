"""The operator killed, absent and back: nothing hangs, nothing is lost, nothing is written for nothing."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.kube.conftest import Namespace
from tests.integration.kube.test_operator import URI, pod_of, run_by_hand, tell, wait_ready
from tests.integration.kube.test_resources import policy
from tests.support.control_plane import ControlPlane
from tests.support.operator_process import OperatorProcess
from tests.support.ports import free_ports


@pytest.fixture
def operator(control_plane: ControlPlane, tmp_path: Path) -> Iterator[OperatorProcess]:
    """One for each test, which looks at everything each second."""
    (port,) = free_ports(1)
    process = OperatorProcess(control_plane.operator_kubeconfig, tmp_path / "log", port=port, resync_seconds=1)
    yield process
    process.stop()


@pytest.fixture
def ready(here: Namespace, operator: OperatorProcess) -> Namespace:
    operator.start()
    here.kubectl("create", "secret", "generic", "shop", f"--from-literal=MONGODB_URI={URI}")
    here.apply(policy())
    wait_ready(here)
    return here


def test_deleting_never_waits_for_an_operator_that_is_away(ready: Namespace, operator: OperatorProcess) -> None:
    run_by_hand(ready)
    pod_of(ready, "by-hand")
    operator.kill()
    for name in ("br/by-hand", "bp/shop"):
        ready.kubectl("delete", name, "--timeout=10s")
    # Kubernetes' garbage collector looks for kinds that are new to it only every half minute.
    ready.wait(lambda: not ready.get("cronjob", "shop"), "the CronJob is gone", 90)


def test_what_happened_while_the_operator_was_away_is_made_up_for(ready: Namespace, operator: OperatorProcess) -> None:
    run_by_hand(ready)
    pod = pod_of(ready, "by-hand")
    operator.kill()
    tell(ready, pod, "Failed", terminated={"exitCode": 2})
    ready.kubectl("delete", "role/holdfast-shop")
    ready.kubectl("create", "job", "now", "--from=cronjob/shop")
    ready.wait(lambda: ready.get("job", "by-hand")["status"].get("failed"), "the Job has failed")
    operator.start()
    ready.wait_for_status("br", "by-hand", phase="Failed", reason="WorkerDied")
    ready.wait_for_status("br", "now", phase="Pending")
    ready.wait(lambda: ready.get("role", "holdfast-shop"), "the Role is back")


def test_an_operator_that_is_killed_again_and_again_still_gets_there(
    here: Namespace, operator: OperatorProcess
) -> None:
    here.kubectl("create", "secret", "generic", "shop", f"--from-literal=MONGODB_URI={URI}")
    here.apply(policy())
    run_by_hand(here)
    for pause in (1.5, 1.7, 1.9, 2.1):
        operator.start()
        time.sleep(pause)
        operator.kill()
    operator.start()
    wait_ready(here)
    pod_of(here, "by-hand")
    assert len(here.kubectl("get", "jobs", "--output=name").split()) == 1


def test_nothing_is_written_when_nothing_changes(ready: Namespace) -> None:
    run_by_hand(ready)
    tell(ready, pod_of(ready, "by-hand"), "Running", running={"startedAt": "2026-01-01T00:00:00Z"})
    ready.wait_for_status("br", "by-hand", phase="Pending", reason="Pending")
    # It takes five seconds to find out that the source cannot be reached.
    ready.wait(lambda: "health" in ready.get("bp", "shop")["status"], "health is told")
    kinds = "backuppolicies,backupruns,cronjobs,jobs,roles,rolebindings,serviceaccounts,events"

    def versions() -> str:
        return ready.kubectl(
            "get",
            kinds,
            "--output=jsonpath={range .items[*]}{.kind}/{.metadata.name}={.metadata.resourceVersion} {end}",
        )

    time.sleep(3)  # a run that was just started is still labelled
    before = versions()
    time.sleep(6)  # six rounds of the survey
    assert versions() == before


def test_a_signal_ends_the_operator_in_order(ready: Namespace, operator: OperatorProcess) -> None:
    ready.wait(operator.healthy, "the operator is healthy", 10)
    assert operator.stop() == 0
    assert "Traceback" not in operator.log.read_text()
