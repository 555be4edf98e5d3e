"""The health script of the documents, run by Lua on what the operator really writes."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from lupa import LuaRuntime

from holdfast.domain.phases import Phase, RestorePhase
from holdfast.domain.run_end import RunEnd
from holdfast.ports import BACKUP_POLICY, SECRET, KubeObject
from holdfast.resources.restore_run import RestoreRunStatus
from holdfast.resources.run import BackupRunStatus
from holdfast.services.reconcile_policy import reconcile_policy
from holdfast.specs import restore_status, run_status
from tests.support.fake_cluster import FakeClock, FakeCluster
from tests.support.kube_objects import IMAGE, NAMESPACE, policy_body, secret_body

PAGE = Path(__file__).parents[2] / "docs" / "gitops.md"
NEW: KubeObject = {"status": {"observedGeneration": -1}}


def verdict(kind: str, body: KubeObject) -> str:
    """What Argo CD would show of an object."""
    lua = LuaRuntime()
    lua.globals().obj = lua.table_from({"metadata": {"generation": 1}, **body}, recursive=True)
    result = lua.execute(scripts()[f"resource.customizations.health.holdfast.dev_{kind}"])
    assert result["message"], "a verdict without a word"
    return str(result["status"])


def scripts() -> dict[str, str]:
    [block] = re.findall(r"```yaml\n(resource\.customizations.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return dict(yaml.safe_load(block))


def reconciled(*, secret: bool = True, **spec: Any) -> KubeObject:
    """A policy that the operator has looked at."""
    clock = FakeClock()
    cluster = FakeCluster(clock)
    if secret:
        cluster.put(SECRET, secret_body())
    cluster.put(BACKUP_POLICY, policy_body(**spec))
    reconcile_policy(cluster, NAMESPACE, "shop", image=IMAGE, clock=clock)
    body = cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
    assert body is not None
    return body


def test_a_policy_that_nobody_has_looked_at_is_progressing() -> None:
    assert verdict("BackupPolicy", {**NEW, "spec": {"schedule": {}}}) == "Progressing"


def test_a_policy_in_force_is_healthy() -> None:
    assert verdict("BackupPolicy", reconciled()) == "Healthy"


def test_what_was_said_of_an_older_spec_does_not_count() -> None:
    body = reconciled()
    body["metadata"]["generation"] = 2
    assert verdict("BackupPolicy", body) == "Progressing"


def test_a_suspended_policy_is_suspended() -> None:
    suspended = reconciled(schedule={"cron": "0 2 * * *", "timeZone": "Etc/UTC", "suspend": True})
    assert verdict("BackupPolicy", suspended) == "Suspended"


def test_a_policy_that_waits_for_its_secret_is_progressing() -> None:
    assert verdict("BackupPolicy", reconciled(secret=False)) == "Progressing"


def test_a_policy_that_somebody_must_change_is_degraded() -> None:
    body = reconciled(schedule={"cron": "0 25 * * *", "timeZone": "Etc/UTC"})
    assert verdict("BackupPolicy", body) == "Degraded"


@pytest.mark.parametrize("kind", ["BackupRun", "RestoreRun"])
def test_a_new_run_is_progressing(kind: str) -> None:
    assert verdict(kind, NEW) == "Progressing"


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        (Phase.RUNNING, "Progressing"),
        (Phase.SUCCEEDED, "Healthy"),
        (Phase.PARTIALLY_FAILED, "Degraded"),
        (Phase.FAILED, "Degraded"),
        (Phase.CANCELLED, "Degraded"),
    ],
)
def test_a_run_is_shown_by_how_it_went(phase: Phase, expected: str) -> None:
    now = FakeClock()()
    status = run_status.started(BackupRunStatus(), now=now, generation=1)
    if phase.terminal:
        status = run_status.ended(status, RunEnd(phase, "Why", "Because."), now=now, generation=1)
    # Nothing is said of a first attempt.
    said = {"conditions": [{**one, "message": one["message"] or "-"} for one in status.to_wire()["conditions"]]}
    assert verdict("BackupRun", {"status": said}) == expected


@pytest.mark.parametrize(
    ("phase", "expected"), [(RestorePhase.SUCCEEDED, "Healthy"), (RestorePhase.FAILED, "Degraded")]
)
def test_a_restore_is_shown_by_how_it_went(phase: RestorePhase, expected: str) -> None:
    now = FakeClock()()
    began = restore_status.started(RestoreRunStatus(), now=now, generation=1)
    ended = restore_status.ended(began, RunEnd(Phase(phase.value), "Why", "Because."), now=now, generation=1)
    assert verdict("RestoreRun", {"status": ended.to_wire()}) == expected
