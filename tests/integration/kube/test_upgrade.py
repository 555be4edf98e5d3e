"""A cluster in which an earlier release was at work, and the CRDs and the operator of this one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.kube.conftest import ROOT, Namespace
from tests.support.control_plane import OPERATOR, ControlPlane
from tests.support.operator_process import OperatorProcess
from tests.support.ports import free_ports
from tests.support.release import OURS, Release, releases

Object = dict[str, Any]
UNREACHABLE = "mongodb://app:hunter2@127.0.0.1:1/shop?serverSelectionTimeoutMS=500"
LEFT_TO_KUBERNETES = ("uid", "generation", "deletionTimestamp")
LABELS_OF_CONTROLLER = (
    "controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name",
)  # fmt: skip


def _apply_crds(plane: ControlPlane, folder: Path) -> None:
    plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(folder))
    plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(folder))


@pytest.fixture(scope="module", params=releases(), ids=lambda release: str(release.folder.name))
def left(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ControlPlane, Namespace, Release]]:
    """A cluster as that release left it, and the CRDs of this one put over it. No operator is there."""
    release: Release = request.param
    plane = ControlPlane(tmp_path_factory.mktemp("left"))
    try:
        plane.start()
        _apply_crds(plane, release.crds)
        plane.kubectl("create", "namespace", "team")
        here = Namespace(plane, "team")
        here.kubectl("create", "secret", "generic", "shop", f"--from-literal=MONGODB_URI={UNREACHABLE}")
        put_back(here, release)
        _apply_crds(plane, ROOT / "crds")
        plane.kubectl("apply", "-f", "-", stdin=plane.render(ROOT / "charts" / "holdfast", "templates/rbac.yaml"))
        plane.kubectl("create", "clusterrolebinding", "test", "--clusterrole=default:holdfast", f"--user={OPERATOR}")
        yield plane, here, release
    finally:
        plane.stop()


def put_back(here: Namespace, release: Release) -> None:
    """The objects as they were, owned by what they were owned by."""
    uids: dict[str, str] = {}
    for body in release.objects(*OURS, "Job"):
        metadata = {name: value for name, value in body["metadata"].items() if name not in LEFT_TO_KUBERNETES}
        for owner in metadata.get("ownerReferences", ()):
            owner["uid"] = uids.get(owner["uid"], owner["uid"])
        status = body.pop("status", {})
        if body["kind"] == "Job":
            if status.get("active") is None:
                continue  # it had ended, and its owner knows
            del body["spec"]["selector"]
            for labels in (metadata["labels"], body["spec"]["template"]["metadata"]["labels"]):
                for name in LABELS_OF_CONTROLLER:
                    labels.pop(name, None)
        made = json.loads(
            here.kubectl("create", "-f", "-", "--output=json", stdin=json.dumps({**body, "metadata": metadata}))
        )
        uids[body["metadata"]["uid"]] = made["metadata"]["uid"]
        if body["kind"] != "Job" and status:
            patch = json.dumps({"status": status})
            where = (body["kind"].lower(), body["metadata"]["name"])
            here.kubectl("patch", *where, "--subresource=status", "--type=merge", f"--patch={patch}")


def objects(here: Namespace) -> dict[tuple[str, str], Object]:
    found = json.loads(here.kubectl("get", "backuppolicies,backupruns,restoreruns", "--output=json"))["items"]
    return {(body["kind"], body["metadata"]["name"]): body for body in found}


def test_the_operator_of_this_release_goes_on_where_that_one_stopped(
    left: tuple[ControlPlane, Namespace, Release], tmp_path: Path
) -> None:
    plane, here, release = left
    before = objects(here)
    recorded = {(body["kind"], body["metadata"]["name"]): body for body in release.objects(*OURS)}
    for key, body in recorded.items():
        assert before[key]["spec"].items() >= body["spec"].items(), f"the new CRDs took something from {key}"
        assert before[key]["status"] == body["status"], f"the new CRDs changed the status of {key}"
    (port,) = free_ports(1)
    operator = OperatorProcess(plane.operator_kubeconfig, tmp_path / "operator.log", port=port, resync_seconds=1)

    def surveyed() -> int:
        return sum((one.verb, one.resource) == ("list", "restoreruns") for one in plane.asked(OPERATOR))

    operator.start()
    try:
        here.wait(lambda: here.get("cronjob", "shop"), "the policy is in force", 60)
        rounds = surveyed()
        here.wait(lambda: surveyed() >= rounds + 3, "everything was looked at again, and again", 60)
    finally:
        operator.stop()
    after = objects(here)
    assert set(before) <= set(after)
    for key, was in before.items():
        now = after[key]
        assert now["spec"] == was["spec"], f"the spec of {key} was rewritten"
        assert now["metadata"]["generation"] == was["metadata"]["generation"]
        if key[0] == "BackupPolicy":
            continue  # its status tells of the present
        assert now["status"]["phase"] == was["status"]["phase"], f"{key} did not keep its state"
        if "completionTime" in was["status"]:
            assert now == was, f"{key} has ended, and was rewritten"
    log = (tmp_path / "operator.log").read_text()
    assert "Traceback" not in log
    assert "ValidationError" not in log


def test_what_has_not_ended_ends_by_its_job(left: tuple[ControlPlane, Namespace, Release], tmp_path: Path) -> None:
    plane, here, _release = left
    (port,) = free_ports(1)
    operator = OperatorProcess(plane.operator_kubeconfig, tmp_path / "operator.log", port=port, resync_seconds=1)
    operator.start()
    try:
        for kind, name, job in (("br", "waiting", "waiting"), ("rr", "next", "restore-next")):
            here.kubectl("delete", "job", job)
            here.wait_for_status(kind, name, 60, phase="Cancelled", reason="JobDeleted")
    finally:
        operator.stop()
