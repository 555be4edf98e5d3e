"""Holdfast in one namespace, with the Roles that the chart gives it there: all works, and no right is left over."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from holdfast.repository.locks import Lock, LockKind
from holdfast.services.pod_witness import PodWitness
from holdfast.specs.names import archiver_name
from holdfast.stores.mongodb import MongoStore
from holdfast.wiring.opening import now
from tests.integration.kube.conftest import ROOT, Namespace
from tests.integration.kube.shop import Shop, open_shop, restore
from tests.integration.kube.test_operator import run_by_hand, wait_ready
from tests.integration.kube.test_point_in_time import Archive
from tests.integration.kube.test_resources import policy
from tests.support.control_plane import Asked, ControlPlane
from tests.support.fake_cluster import FakeCluster
from tests.support.helm import objects_in
from tests.support.mongod import Mongod
from tests.support.operator_process import OperatorProcess
from tests.support.ports import free_ports

Right = tuple[str, str, str]
"""Group, resource and verb."""

WATCHED = "watched"
KEPT: dict[str, Any] = {"job": {"backoffLimit": 1}, "retention": {"keepLast": 5}}


class Installation:
    """What the chart installs for one namespace, and the operator with the account that it has there."""

    def __init__(self, plane: ControlPlane, folder: Path, namespace: str) -> None:
        plane.kubectl("create", "namespace", namespace)
        self.here, self.account = Namespace(plane, namespace), f"system:serviceaccount:{namespace}:holdfast"
        settings = (f"watchNamespaces={{{namespace}}}", "crds.install=false")
        rendered = [
            plane.render(ROOT / "charts" / "holdfast", f"templates/{name}.yaml", *settings, namespace=namespace)
            for name in ("rbac", "lease")
        ]
        self.roles = [body for text in rendered for body in objects_in(text) if body["kind"] == "Role"]
        self.here.kubectl("apply", "-f", "-", stdin="\n---\n".join(rendered))
        kubeconfig = folder / "kubeconfig"
        plane.write_kubeconfig(kubeconfig, self.here.kubectl("create", "token", "holdfast", "--duration=1h").strip())
        (port,) = free_ports(1)
        self.operator = OperatorProcess(
            kubeconfig,
            folder / "log",
            port=port,
            resync_seconds=2,
            lease="holdfast",
            namespace=namespace,
            identity="one",
            watch_namespaces=namespace,
        )

    def rights(self, name: str) -> set[Right]:
        [role] = [one for one in self.roles if one["metadata"]["name"] == name]
        return rights_of(role)


def rights_of(role: dict[str, Any]) -> set[Right]:
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def used(asked: Iterable[Asked]) -> set[Right]:
    """The rights that requests needed. What is applied and was not there needs two."""
    found = set()
    for one in asked:
        assert one.code != 403, f"{one} is refused"
        found.add((one.group, one.resource, one.verb))
        if one.verb == "patch" and one.code == 201:
            found.add((one.group, one.resource, "create"))
    return {right for right in found if right[1] not in ("selfsubjectaccessreviews", "selfsubjectrulesreviews")}


NOBODY_THERE = {
    "ADMIN_EMAIL": "admin@example.com",
    "FROM_EMAIL": "backups@example.com",
    "SMTP_HOST": "127.0.0.1",
    "SMTP_PORT": "1",
    "SMTP_SECURE": "false",
}
"""Settings for mail to a port where nobody listens."""


@pytest.fixture
def installation(control_plane: ControlPlane, tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(control_plane, tmp_path, WATCHED)
    # As where Leases are left out by what installs the rest. The operator makes one, after a while.
    installation.here.kubectl("delete", "lease", "holdfast")
    installation.operator.start()
    try:
        yield installation
    finally:
        installation.operator.kill()


def do_all_there_is_to_do(
    installation: Installation, plane: ControlPlane, mongod: Mongod, database: Database[dict[str, Any]], folder: Path
) -> set[Right]:
    """One of each that an operator and its workers do; the rights that the workers were given meanwhile."""
    here = installation.here
    with open_shop(here, installation.operator, plane, mongod, database, folder) as shop:
        here.apply(policy(**KEPT))
        shop.back_up("first")
        shop.damage()
        shop.restore(mode="Apply", existing="Drop", confirm=database.name)
        assert shop.is_clean()
        _scheduled(shop)
        _deleted(shop)
        _drilled(shop, mongod)
        _lost_and_found(shop)
        given = _archived(shop, mongod, plane, folder)
        _told(here)
        _in_trouble(here)
        return given


def _scheduled(shop: Shop) -> None:
    shop.here.kubectl("create", "job", "now", "--from=cronjob/shop")
    assert shop.start("now").end() == 0
    shop.here.wait_for_status("br", "now", phase="Succeeded")


def _deleted(shop: Shop) -> None:
    """A backup goes with its run, and an old failure by itself."""
    here = shop.here
    here.apply(policy(**KEPT, deletionPolicy="Delete", historyLimits={"failedRuns": 1}))
    here.kubectl("wait", "br/first", "--for=jsonpath={.metadata.finalizers}", "--timeout=30s")
    here.kubectl("delete", "br/first", "--wait=false")
    here.wait(lambda: here.get("job", "delete-first"), "the Job of the deletion is there")
    _leave_lock(shop, "first")
    assert shop.start("delete-first").end() == 0
    here.wait(lambda: not here.get("br", "first"), "the run is gone")
    for name in ("cancelled", "cancelled-too"):
        run_by_hand(here, name)
        here.wait_for_status("br", name, phase="Pending")
        here.kubectl("patch", "br", name, "--type=merge", '--patch={"spec":{"cancel":true}}')
        here.wait_for_status("br", name, phase="Cancelled")
    # It is left alone for an hour.
    ended = (datetime.now(UTC) - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    patch = json.dumps({"status": {"completionTime": ended}})
    here.kubectl("patch", "br", "cancelled", "--subresource=status", "--type=merge", f"--patch={patch}")
    here.wait(lambda: not here.get("br", "cancelled"), "the older one is gone")


def _leave_lock(shop: Shop, job: str) -> None:
    """As if the worker of a Job that has ended had been killed: who wants the repository next asks for its pod."""
    [pod] = json.loads(shop.here.kubectl("get", "pods", f"--selector=job-name={job}", "--output=json"))["items"]
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    witness = PodWitness(FakeCluster(), shop.here.name, name, uid, shop.here.get("bp", "shop")["metadata"]["uid"])
    store = MongoStore(shop.database.client, shop.database.name, origin="the test")
    Lock(store, now, LockKind.SHARED, "backup", witness).acquire()


def _archived(shop: Shop, mongod: Mongod, plane: ControlPlane, folder: Path) -> set[Right]:
    """A policy wants its oplog archived, and then not any more; the rights that its workers have meanwhile."""
    here = shop.here
    mongod.client.admin.command("grantRolesToUser", f"user-{shop.database.name}", roles=["backup"])
    archive = Archive(shop, plane, folder / "archivers", shop.database)
    try:
        archive.start()
        here.wait(archive.status, "the archiver tells how far it is")
        given = rights_of(here.get("role", "holdfast-shop"))
    finally:
        for pod in archive.pods:
            pod.kill()
            pod.process.communicate()
    here.apply(policy(**KEPT))
    here.wait(lambda: not here.get("deployments", archiver_name("shop")), "it is gone")
    return given


def _drilled(shop: Shop, mongod: Mongod) -> None:
    """A policy wants drills, and then none."""
    here = shop.here
    here.kubectl("create", "secret", "generic", "drill", f"--from-literal=MONGODB_URI={mongod.uri}")
    target = {"scratch": {"uriSecretRef": {"name": "drill"}}}
    here.apply(policy(**KEPT, verification={"drill": {"schedule": "@weekly", "target": target}}))
    here.wait(lambda: here.get("cronjob", "shop-drill"), "there is a CronJob of drills")
    here.kubectl("create", "job", "drill", "--from=cronjob/shop-drill")
    assert shop.start("drill").end() == 0
    here.apply(policy(**KEPT))
    here.wait(lambda: not here.get("cronjob", "shop-drill"), "it is gone")


def _lost_and_found(shop: Shop) -> None:
    shop.here.kubectl("delete", "br/now")
    shop.here.kubectl("annotate", "bp/shop", "holdfast.dev/sync=now")
    shop.here.wait(lambda: shop.here.get("job", "sync-shop"), "the sync is started")
    assert shop.start("sync-shop").end() == 0


def _told(here: Namespace) -> None:
    """Mail in somebody's own words."""
    here.kubectl("create", "configmap", "templates", "--from-literal=backup_success.txt=Done.")
    here.kubectl("patch", "secret", "shop", "--type=merge", f"--patch={json.dumps({'stringData': NOBODY_THERE})}")
    here.apply(policy(**KEPT, notifications={"email": {"templatesRef": {"name": "templates"}}}))
    here.wait(lambda: _is_said(here, "TemplatesReady"), "the templates were read")


def _is_said(here: Namespace, type_: str) -> bool:
    return type_ in [one["type"] for one in here.get("bp", "shop")["status"]["conditions"]]


def _in_trouble(here: Namespace) -> None:
    """A claim that is not there, and pods that may not be."""
    here.apply(policy("claimed", storage={"volume": {"claimName": "nowhere"}}))
    wait_ready(here, "VolumeMissing", "claimed")
    here.kubectl("create", "quota", "small", "--hard=pods=0")
    run_by_hand(here, "refused")
    here.wait_for_status("br", "refused", phase="Pending", reason="QuotaExceeded")


def test_each_right_in_a_namespace_is_enough_and_needed(
    installation: Installation,
    control_plane: ControlPlane,
    mongod: Mongod,
    database: Database[dict[str, Any]],
    tmp_path: Path,
) -> None:
    worker = do_all_there_is_to_do(installation, control_plane, mongod, database, tmp_path / "pods")
    asked = control_plane.asked(installation.account)
    did = used(control_plane.asked(f"system:serviceaccount:{WATCHED}:holdfast-shop"))
    operator = installation.rights(f"{WATCHED}:holdfast") | installation.rights("holdfast")
    assert {one.namespace for one in asked} == {WATCHED}, "nothing outside is even asked for"
    assert {one.name for one in asked if one.resource == "secrets"} == {"shop"}, "what a policy names"
    assert sorted(worker - operator) == [], "who gives a right must hold it"
    assert sorted(operator - used(asked) - worker) == [], "the operator does not need it"
    assert sorted(used(asked) - operator) == [], "it comes from elsewhere"
    assert sorted(worker - did) == [], "the worker does not need it"
    assert sorted(did - worker) == [], "it comes from elsewhere"


# --- people -----------------------------------------------------------------------------------------------------------

OBJECTS = {
    "backuppolicies": policy("one"),
    "backupruns": {"kind": "BackupRun", "spec": {"policyRef": {"name": "shop"}}},
    "restoreruns": restore("one"),
}


def allowed(here: Namespace, user: str, resource: str, verb: str) -> bool:
    """Whether somebody can do it. Nothing is changed by it."""
    if "/" in resource:  # the API server has no such thing: ``holdfast web`` asks for the right as this does
        kind, part = resource.split("/")
        asked = ("auth", "can-i", verb, f"{kind}.holdfast.dev", f"--subresource={part}")
        return "yes" in here.kubectl(f"--as={user}", *asked, check=False).split()
    path = f"/apis/holdfast.dev/v1alpha1/namespaces/{here.name}/{resource}"
    head = {"apiVersion": "holdfast.dev/v1alpha1", "metadata": {"name": "another"}}
    body = json.dumps({**OBJECTS[resource], **head})
    update = here.get(resource, "one") | {"spec": OBJECTS[resource]["spec"]}
    command = {
        "get": ("get", "--raw", f"{path}/one"),
        "list": ("get", "--raw", path),
        "watch": ("get", "--raw", f"{path}?watch=true&timeoutSeconds=1"),
        "create": ("create", "-f", "-", "--dry-run=server"),
        "update": ("replace", "--raw", f"{path}/one?dryRun=All", "-f", "-"),
        "patch": (
            "patch",
            resource,
            "one",
            "--type=merge",
            '--patch={"metadata":{"labels":{"a":"b"}}}',
            "--dry-run=server",
        ),
        "delete": ("delete", "--raw", f"{path}/one?dryRun=All"),
        "deletecollection": ("delete", "--raw", f"{path}?dryRun=All"),
    }[verb]
    answer = here.kubectl(f"--as={user}", *command, stdin=json.dumps(update) if verb == "update" else body, check=False)
    assert "orbidden" in answer or "rror" not in answer, answer
    return "orbidden" not in answer


@pytest.mark.parametrize(("role", "besides"), [("view", []), ("edit", ["view"]), ("backup", []), ("restore", [])])
def test_each_right_of_a_role_for_people_is_needed(
    here: Namespace, control_plane: ControlPlane, role: str, besides: list[str]
) -> None:
    """With the role each of its verbs works, and without it none does."""
    for one in OBJECTS.values():
        here.apply({**one, "apiVersion": "holdfast.dev/v1alpha1", "metadata": {"name": "one"}})
    for name in (role, *besides):
        here.kubectl("create", "rolebinding", name, f"--clusterrole=default:holdfast:{name}", "--user=somebody")
    rendered = control_plane.render(ROOT / "charts" / "holdfast", "templates/rbac.yaml")
    [body] = [one for one in objects_in(rendered) if one["metadata"]["name"] == f"default:holdfast:{role}"]
    for _, resource, verb in sorted(rights_of(body)):
        assert allowed(here, "somebody", resource, verb), f"{verb} {resource}"
        assert not allowed(here, "nobody", resource, verb), f"{verb} {resource}"
