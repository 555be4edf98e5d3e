"""Records what this release leaves behind: ``python -m tests.support.record_release``, or ``make record-release``.

Once for each release, after its version is set and before its tag; ``tests/support/release.py`` tells what it is for.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from pymongo.database import Database

from holdfast.version import VERSION
from tests.integration.kube.conftest import ROOT, Namespace
from tests.integration.kube.shop import Shop, backup_run, open_shop, restore
from tests.integration.kube.test_operator import pod_of, tell
from tests.support.control_plane import OPERATOR, ControlPlane
from tests.support.mongod import Mongod
from tests.support.operator_process import OperatorProcess
from tests.support.ports import free_ports
from tests.support.release import OURS, RELEASES, facts_of
from tests.support.timetrack import generate

DATABASE = "timetrack"
KINDS = "backuppolicies,backupruns,restoreruns,jobs,cronjobs"
NOT_OURS = ("managedFields", "resourceVersion", "selfLink", "creationTimestamp")
"""Of the metadata: another cluster has its own."""


def main() -> int:
    """Write the folder; refuse to overwrite one."""
    folder = RELEASES / VERSION
    if folder.exists():
        print(f"{folder} is there: what a release has left behind never changes.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as made:
        record(Path(made) / VERSION)
        shutil.copytree(Path(made) / VERSION, folder)
    print(f"{folder} holds what {VERSION} leaves behind: commit it.")
    return 0


def record(folder: Path) -> None:
    """All of it, into a folder that is not there yet."""
    folder.mkdir()
    shutil.copytree(ROOT / "crds", folder / "crds")
    with Mongod() as server, tempfile.TemporaryDirectory() as scratch:
        _repositories(folder, server)
        _objects(folder, server, Path(scratch))


def _repositories(folder: Path, server: Mongod) -> None:
    database: Database[Any] = server.client[DATABASE]
    generate(database, entries=120)
    uri = server.uri.replace("/?", f"/{DATABASE}?")
    for name in ("repository", "sealed"):
        (folder / name).mkdir()
    key = folder / "sealed.key"
    _holdfast(uri, "keygen", "--output", str(key))
    clear, sealed = f"file://{folder / 'repository'}", f"file://{folder / 'sealed'}"
    expected: dict[str, dict[str, Any]] = {"repository": {}, "sealed": {}}
    first = json.loads(_holdfast(uri, "backup", "--repository", clear, "--json"))
    expected["repository"][first["backupId"]] = facts_of(database)
    other = json.loads(_holdfast(uri, "backup", "--repository", sealed, "--key-file", str(key), "--json"))
    expected["sealed"][other["backupId"]] = facts_of(database)
    database["users"].update_many({}, {"$set": {"changed": True}})
    second = json.loads(_holdfast(uri, "backup", "--repository", clear, "--json"))
    expected["repository"][second["backupId"]] = facts_of(database)
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")


def _holdfast(uri: str, *arguments: str) -> str:
    environment = {**os.environ, "MONGODB_URI": uri, "PYTHONPATH": str(ROOT / "operator")}
    command = [sys.executable, "-m", "holdfast", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise SystemExit(f"holdfast {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def _objects(folder: Path, server: Mongod, scratch: Path) -> None:
    plane = ControlPlane(scratch)
    try:
        plane.start()
        plane.kubectl("apply", "-f", str(ROOT / "crds"))
        plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(ROOT / "crds"))
        plane.kubectl("apply", "-f", "-", stdin=plane.render(ROOT / "charts" / "holdfast", "templates/rbac.yaml"))
        plane.kubectl("create", "clusterrolebinding", "test", "--clusterrole=default:holdfast", f"--user={OPERATOR}")
        plane.kubectl("create", "namespace", "team")
        (port,) = free_ports(1)
        operator = OperatorProcess(plane.operator_kubeconfig, scratch / "log", port=port, resync_seconds=1)
        operator.start()
        here = Namespace(plane, "team")
        try:
            with open_shop(here, operator, plane, server, server.client["shop"], scratch / "pods") as shop:
                _live(shop, here)
        finally:
            operator.stop()
        bodies = json.loads(here.kubectl("get", KINDS, "--output=json"))["items"]
    finally:
        plane.stop()
    order = (*OURS, "CronJob", "Job")
    cleaned = sorted(map(_cleaned, bodies), key=lambda one: (order.index(one["kind"]), one["metadata"]["name"]))
    text = yaml.safe_dump_all(cleaned, sort_keys=True, allow_unicode=True, width=120)
    (folder / "objects.yaml").write_text(text, encoding="utf-8")


def _live(shop: Shop, here: Namespace) -> None:
    """A run and a restore of each end, and one of each that has not ended."""
    shop.back_up("good")
    shop.damage()
    shop.restore("applied", mode="Apply", existing="Drop", confirm=shop.database.name)
    shop.restore("planned")
    shop.restore("refused", code=2, mode="Apply", existing="Fail")
    here.apply(backup_run("failed"))
    tell(here, pod_of(here, "failed"), "Failed", terminated={"exitCode": 2})
    here.wait_for_status("br", "failed", phase="Failed")
    here.apply(backup_run("cancelled"))
    pod_of(here, "cancelled")
    here.kubectl("patch", "br", "cancelled", "--type=merge", '--patch={"spec": {"cancel": true}}')
    here.wait_for_status("br", "cancelled", phase="Cancelled")
    for sample in sorted((ROOT / "manifests" / "samples").glob("*.yaml")):
        for body in yaml.safe_load_all(sample.read_text(encoding="utf-8")):
            if body and body["kind"] == "BackupPolicy":
                here.apply({**body, "metadata": {"name": f"sample-{body['metadata']['name']}"[:40]}})
    here.apply(backup_run("waiting"), restore("next"))
    for job in ("waiting", "restore-next"):
        pod_of(here, job)
    here.wait_for_status("br", "waiting", phase="Pending")
    here.wait_for_status("rr", "next", phase="Pending")


def _cleaned(body: dict[str, Any]) -> dict[str, Any]:
    metadata = {name: value for name, value in body["metadata"].items() if name not in NOT_OURS}
    metadata.get("annotations", {}).pop("kubectl.kubernetes.io/last-applied-configuration", None)
    return {**body, "metadata": metadata}


if __name__ == "__main__":
    sys.exit(main())
