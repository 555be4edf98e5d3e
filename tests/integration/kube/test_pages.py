"""A cluster with nothing in it, and somebody who types what the pages say, to the letter.

There are no nodes: the operator and the workers are processes with the rights of their pods.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.layout import layout
from tests.integration.kube.conftest import Namespace
from tests.support.compare import OWN_COLLECTIONS, differences, snapshot_of
from tests.support.control_plane import ControlPlane
from tests.support.helm import helm_program
from tests.support.mongod import Mongod
from tests.support.operator_process import OperatorProcess
from tests.support.pod_runner import Node, PodRunner
from tests.support.ports import free_ports
from tests.support.runbook import PAGES, ROOT, lines_of, manifests_of
from tests.support.timetrack import generate

SYSTEM = "holdfast-system"
MONITORS = {"ServiceMonitor": "servicemonitors", "PrometheusRule": "prometheusrules"}
"""Kinds of the Prometheus operator, which the chart can make objects of."""
ELSEWHERE = (
    "curl ",
    "docker ",
    "export ",
    "helm test ",
    "holdfast ",
    "kind ",
    "kubectl holdfast ",
    "make ",
    "pip ",
)
ON_A_NODE = (" port-forward ", " exec ", "--for=condition=Available ")
OTHER_PAGES = ("README.md", "export.md", "installing.md", "kubectl.md", "restore.md")
"""Typed by a test of their own."""
NOT_OURS = ("kustomize.toolkit.fluxcd.io/v1",)


class Reader:
    """Somebody with a checkout, a cluster and a database ``timetrack``; policies are in the namespace ``default``."""

    def __init__(self, plane: ControlPlane, mongod: Mongod, folder: Path) -> None:
        self.plane, self.folder, self._typed = plane, folder, set[str]()
        self._programs = (Path(sys.executable).parent, layout().bin, helm_program().parent)
        self.here = Namespace(plane, "default")
        self.database = mongod.client["timetrack"]
        generate(self.database, entries=200)
        self.clean = snapshot_of(self.database)
        roles = [{"role": role, "db": "timetrack"} for role in ("readWrite", "dbAdmin")]
        uri = mongod.uri_for("reader", mongod.create_user("reader", roles), database="timetrack")
        folder.mkdir()
        for name in ("charts", "crds", "manifests"):
            (folder / name).symlink_to(ROOT / name)
        plane.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": monitors()}))
        (folder / ".env.local").write_text(f"MONGODB_URI={uri}\n")
        (folder / "smtp.env").write_text("SMTP_HOST=mail.example.com\nADMIN_EMAIL=ops@example.com\n")
        (folder / "key").write_text("of no use but to be put into a Secret\n")

    def type(self, line: str) -> str:
        """What a line says. One that stands on several pages is typed once."""
        if line in self._typed:
            return ""
        self._typed.add(line)
        return self.type_again(line)

    def type_again(self, line: str) -> str:
        run = next(iter(self.runs()), "") if "timetrack-29384720" in line else ""
        line = line.replace("timetrack-29384720", run).replace("NAMESPACE", "default")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],
            cwd=self.folder,
            env={
                "PATH": ":".join([*map(str, self._programs), os.environ["PATH"]]),
                "HOME": str(self.folder),
                "KUBECONFIG": str(self.plane.kubeconfig),
            },
            capture_output=True,
            text=True,
            timeout=90,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def runs(self) -> list[str]:
        return self.here.kubectl("get", "br", "--output=jsonpath={.items[*].metadata.name}").split()

    def damage(self) -> None:
        self.database["feedback"].drop()
        self.database["timeEntries"].update_many({}, {"$set": {"note": "overwritten"}})

    def ended_restores(self) -> list[tuple[str, str]] | None:
        found = json.loads(self.here.kubectl("get", "rr", "--output=json"))["items"]
        ends = [(one["spec"]["mode"], str(one.get("status", {}).get("phase"))) for one in found]
        return ends if all(phase in ("Succeeded", "Failed", "Cancelled") for _, phase in ends) else None

    def is_healthy(self) -> bool:
        health = self.here.get("bp", "timetrack").get("status", {}).get("health", {})
        return bool(health.get("verdict") == "Healthy")


def monitors() -> list[dict[str, Any]]:
    """Definitions of these kinds, which take any object."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    group = "monitoring.coreos.com"
    return [
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"kind": kind, "plural": plural},
                "versions": [version],
            },
        }
        for kind, plural in MONITORS.items()
    ]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Has followed README up to its first policy."""
    folder = tmp_path_factory.mktemp("pages")
    with Mongod() as mongod, ControlPlane(folder) as plane:
        reader = Reader(plane, mongod, folder / "checkout")
        for line in typed_here("README.md", "Install"):
            reader.type(line)
        plane.write_kubeconfig(folder / "config", plane.kubectl("create", "token", "holdfast", "-n", SYSTEM).strip())
        (port,) = free_ports(1)
        operator = OperatorProcess(
            folder / "config", folder / "operator.log", port=port, lease="holdfast", namespace=SYSTEM, resync_seconds=2
        )
        operator.start()
        try:
            with Node(PodRunner(plane, folder / "pods"), "default"):
                for line in typed_here("README.md", "A policy"):
                    reader.type(line)
                yield reader
        finally:
            operator.kill()


def typed_here(page: str, section: str = "") -> list[str]:
    """Without what needs a node or a registry, and what other tests type."""
    lines = [line for line in lines_of(page, section) if not line.startswith(ELSEWHERE)]
    return [line for line in lines if not any(words in line for words in ON_A_NODE)]


def test_readme_leads_from_nothing_to_a_restored_backup(reader: Reader) -> None:
    run = reader.here.wait(reader.runs, "there is a run")[0]
    reader.here.wait_for_status("br", run, seconds=60, phase="Succeeded")
    reader.damage()
    for line in typed_here("README.md", "A restore"):
        reader.type(line)
    ends = reader.here.wait(reader.ended_restores, "plan and restore have ended", seconds=90)
    assert sorted(ends) == [("Apply", "Succeeded"), ("Plan", "Succeeded")]
    assert differences(reader.clean, snapshot_of(reader.database, skip=OWN_COLLECTIONS)) == []


@pytest.mark.parametrize("page", [page for page in PAGES if page not in OTHER_PAGES])
def test_each_command_of_a_page_is_taken(page: str, reader: Reader) -> None:
    for line in typed_here(page):
        if "condition=Healthy" in line:  # it says so after two looks, of which there is one in a minute
            reader.here.wait(reader.is_healthy, "the policy is healthy", seconds=150)
        reader.type(line)


@pytest.mark.parametrize("page", PAGES)
def test_each_manifest_of_a_page_is_taken(page: str, reader: Reader) -> None:
    ours = [body for body in manifests_of(page) if body["apiVersion"] not in NOT_OURS]
    for body in ours:
        reader.here.kubectl("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(body))


def test_the_page_on_installing_leads_back_to_nothing(reader: Reader) -> None:
    """Last: nothing is left."""
    install, lease, leave, delete, look, end = typed_here("installing.md")[1:]
    reader.type(lease)
    reader.type(leave)
    for name in ("team-a", "team-b"):
        reader.plane.kubectl("create", "namespace", name, check=False)
    reader.type(install)
    reader.type(delete)
    reader.here.wait(lambda: not reader.type_again(look), "what they had is gone", seconds=90)
    reader.type(end)
    assert "holdfast.dev" not in reader.plane.kubectl("get", "crds", "--output=name")
