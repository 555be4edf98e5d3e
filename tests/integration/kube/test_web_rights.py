"""``holdfast web`` with rights in the whole cluster, and with rights in one namespace only: all works, none is left."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.kube.conftest import Namespace, token_of
from tests.integration.kube.test_dashboard_actions import Person
from tests.integration.kube.test_notifications import set_secret
from tests.integration.kube.test_resources import policy
from tests.integration.kube.test_rights import NOBODY_THERE, rights_of, used
from tests.integration.kube.test_web import BACKUP, is_problem, run, seen
from tests.support.control_plane import PERSON, ControlPlane
from tests.support.helm import objects_in
from tests.support.web_process import WebProcess

API = "--duration=10m"
"""A token for the Kubernetes API itself: it has no audience of ours."""


@pytest.fixture
def inside(here: Namespace, control_plane: ControlPlane, tmp_path: Path) -> Iterator[WebProcess]:
    """One with rights in this namespace only."""
    chart = (f"watchNamespaces={{{here.name}}}", "web.audiences=null")
    settings = {"audiences": "", "watch_namespaces": here.name, "test_mail": "true"}
    process = WebProcess(control_plane, tmp_path, *chart, release=here.name, **settings)
    try:
        process.start()
        yield process
    finally:
        process.stop()


def person(here: Namespace, name: str, *verbs: str) -> None:
    here.kubectl("create", "serviceaccount", name)
    if verbs:
        kinds = "--resource=backuppolicies.holdfast.dev,backupruns.holdfast.dev,restoreruns.holdfast.dev"
        here.kubectl("create", "role", name, f"--verb={','.join(verbs)}", kinds)
        here.kubectl("create", "rolebinding", name, f"--role={name}", f"--serviceaccount={here.name}:{name}")


def do_everything(here: Namespace, web: WebProcess, *options: str) -> None:
    """All that the web does in the cluster for who may do all there."""
    person(here, "doer", "get", "list", "create", "patch")
    here.kubectl("create", "role", "mail", "--verb=create", "--resource=backuppolicies.holdfast.dev/testemail")
    here.kubectl("create", "rolebinding", "mail", "--role=mail", f"--serviceaccount={here.name}:doer")
    templates = {"email": {"templatesRef": {"name": "templates"}}}
    here.kubectl("create", "configmap", "templates", "--from-literal=backup_success.txt=Done.")
    set_secret(here, **NOBODY_THERE)
    here.apply(policy(notifications=templates), run("by-hand"))
    token = token_of(here, "doer", *options)
    query = f"policy=shop&namespace={here.name}"
    seen(here, web, token, f"/api/policies?namespace={here.name}", 1)
    seen(here, web, token, f"/api/runs?namespace={here.name}", 1)
    assert web.get(f"{BACKUP}?{query}", token, "POST").status == 202
    assert web.get(f"/api/admin/test-email?{query}&kind=backup_success", token, "POST").status == 409
    somebody = Person(here, web, token)
    assert somebody.send("/runs/{}/by-hand/hold").status == 303
    plan = {"database": "copy", "existing": "Fail", "backup": "latest"}
    assert somebody.send("/policies/{}/shop/restore", **plan).status == 303


def test_in_one_namespace_each_right_is_enough_and_needed(
    here: Namespace, control_plane: ControlPlane, inside: WebProcess
) -> None:
    do_everything(here, inside, API)
    [role] = [body for body in objects_in(inside.rendered) if body["kind"] == "Role"]
    asked = control_plane.asked(inside.account)
    assert {one.namespace for one in asked} == {here.name}, "nothing outside is even asked for"
    assert used(asked) == rights_of(role)


def test_in_the_whole_cluster_each_right_is_enough_and_needed(
    here: Namespace, control_plane: ControlPlane, tmp_path: Path
) -> None:
    web = WebProcess(control_plane, tmp_path, release=here.name, test_mail="true")
    try:
        web.start()
        do_everything(here, web)
    finally:
        web.stop()
    [role] = [body for body in objects_in(web.rendered) if body["kind"] == "ClusterRole"]
    assert used(control_plane.asked(web.account)) == rights_of(role)


def test_in_one_namespace_each_sees_what_the_cluster_lets_them(
    here: Namespace, inside: WebProcess, control_plane: ControlPlane
) -> None:
    other = Namespace(control_plane, f"{here.name}-other")
    control_plane.kubectl("create", "namespace", other.name)
    person(here, "viewer", "get", "list")
    person(here, "stranger")
    account = f"--serviceaccount={here.name}:viewer"
    other.kubectl("create", "rolebinding", "viewer", "--clusterrole=default:holdfast:view", account)
    here.apply(policy())
    other.apply(policy("elsewhere"))
    viewer, stranger = token_of(here, "viewer", API), token_of(here, "stranger", API)
    assert [one["name"] for one in seen(here, inside, viewer, "/api/policies", 1)] == ["shop"]
    assert is_problem(inside.get("/api/policies", stranger), 403)
    assert is_problem(inside.get(f"/api/policies?namespace={other.name}", viewer), 403), "it is not looked after here"
    assert is_problem(inside.get(f"{BACKUP}?policy=shop&namespace={here.name}", viewer, "POST"), 403)
    head, body, signature = viewer.split(".")
    for token in ("made-up", "x" * 20_000, f"{head}.{body}.{signature[::-1]}", token_of(here, "viewer")):
        assert is_problem(inside.get("/api/policies", token), 401)


@pytest.mark.parametrize("admins", [PERSON, f"bob@example.com, {PERSON}", "bob@example.com", ""])
def test_who_is_named_an_admin_may_do_all_and_nobody_else_may_more(
    here: Namespace, control_plane: ControlPlane, tmp_path: Path, admins: str
) -> None:
    person(here, "stranger")
    here.apply(policy())
    web = WebProcess(control_plane, tmp_path, "web.audiences=null", release=here.name, audiences="", admin_email=admins)
    try:
        web.start()
        ada, stranger = control_plane.token_of_person(), token_of(here, "stranger", API)
        path = f"{BACKUP}?policy=shop&namespace={here.name}"
        if PERSON in admins:
            seen(here, web, ada, f"/api/policies?namespace={here.name}", 1)
        assert web.get(path, ada, "POST").status == (202 if PERSON in admins else 403)
        assert is_problem(web.get(path, stranger, "POST"), 403)
        assert is_problem(web.get(path, "made-up", "POST"), 401)
    finally:
        web.stop()
