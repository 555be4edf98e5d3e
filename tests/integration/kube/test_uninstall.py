"""From nothing to nothing: installed by Helm, a backup, removed; the data stays, and no object that nobody knows of."""

import os
import subprocess
import sys
import time
from base64 import b64decode
from pathlib import Path
from typing import Any

from pymongo.database import Database

from tests.integration.kube.conftest import ROOT, Namespace
from tests.integration.kube.shop import open_shop
from tests.support.control_plane import ControlPlane
from tests.support.helm import helm, helm_program
from tests.support.mongod import Mongod
from tests.support.operator_process import OperatorProcess
from tests.support.ports import free_ports

SYSTEM = "holdfast-system"
CRDS = {f"customresourcedefinition/{kind}.holdfast.dev" for kind in ("backuppolicies", "backupruns", "restoreruns")}
PASSING = (
    "event",
    "endpoints",
    "pod/",
    "replicaset",
    "apiservice",
    "controllerrevision",
    "lease/kube",
    "lease/apiserver",
)
"""What comes and goes without anybody's doing."""


def everything(plane: ControlPlane) -> set[str]:
    """All objects of the cluster, with their namespaces."""
    kinds = plane.kubectl("api-resources", "--verbs=list", "--output=name").split()
    path = "{range .items[*]}{.metadata.namespace}/{.kind}/{.metadata.name}{'\\n'}{end}"
    found = plane.kubectl("get", ",".join(kinds), "--all-namespaces", f"--output=jsonpath={path}").lower().split()
    names = {one.removeprefix("/") for one in found}
    return {name for name in names if not any(word in name for word in PASSING)}


def test_an_uninstall_leaves_what_it_says_and_the_backups(
    bare: ControlPlane, mongod: Mongod, database: Database[dict[str, Any]], tmp_path: Path
) -> None:
    program = helm_program()
    options = ("--kubeconfig", str(bare.kubeconfig), "--namespace", SYSTEM)
    for name in (SYSTEM, "team"):
        bare.kubectl("create", "namespace", name)
    system, team = Namespace(bare, SYSTEM), Namespace(bare, "team")
    system.wait(lambda: system.get("configmap", "kube-root-ca.crt"), "the namespace is furnished")
    team.wait(lambda: team.get("configmap", "kube-root-ca.crt"), "the namespace is furnished")
    before = everything(bare)
    helm(program, "install", "holdfast", str(ROOT / "charts" / "holdfast"), "--set", "web.enabled=true", *options)
    (port,) = free_ports(1)
    bare.write_kubeconfig(tmp_path / "config", system.kubectl("create", "token", "holdfast").strip())
    operator = OperatorProcess(
        tmp_path / "config", tmp_path / "operator.log", port=port, lease="holdfast", namespace=SYSTEM
    )
    operator.start()
    try:
        with open_shop(team, operator, bare, mongod, database, tmp_path / "pods") as shop:
            shop.back_up()
            assert operator.stop() == 0
            helm(program, "uninstall", "holdfast", *options)

            left = everything(bare) - before
            inside = {name for name in left if name.startswith("team/")}
            assert left - inside == CRDS
            assert {"team/backuppolicy/shop", "team/cronjob/shop", "team/backuprun/by-hand"} <= inside

            shop.damage()
            uri = b64decode(team.get("secret", "shop")["data"]["MONGODB_URI"]).decode()
            restore = [
                "restore",
                "latest",
                "--repository",
                "mongodb:",
                "--existing",
                "drop",
                "--confirm",
                database.name,
            ]
            done = subprocess.run(
                [sys.executable, "-m", "holdfast", *restore],
                env={**os.environ, "MONGODB_URI": uri},
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 0, done.stderr
            assert shop.is_clean()
    finally:
        operator.kill()

    team.kubectl("delete", "backuppolicies", "--all")
    wait_until_only(bare, before | CRDS | {"team/secret/shop"})
    team.kubectl("delete", "secret", "shop")
    bare.kubectl("delete", "crd", *(name.partition("/")[2] for name in CRDS), "--timeout=60s")
    wait_until_only(bare, before)


def wait_until_only(plane: ControlPlane, wanted: set[str]) -> None:
    """Kubernetes' garbage collector looks for kinds that are new to it only every half minute."""
    deadline = time.monotonic() + 120
    while left := everything(plane) - wanted:
        assert time.monotonic() < deadline, left
        time.sleep(0.5)
