"""``holdfast web`` as a process, with the rights that the chart gives it, on a real API server."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.kube.conftest import ROOT, Namespace, token_of
from tests.integration.kube.shop import restore
from tests.integration.kube.test_resources import policy
from tests.support.control_plane import ControlPlane
from tests.support.web_process import Answer, WebProcess

LINES = [
    line for line in (ROOT / "docs" / "api.md").read_text(encoding="utf-8").splitlines() if line.startswith("curl ")
]
BACKUP = "/api/admin/backup"
ENDPOINTS = ("/api/admin/backup-status", "/api/policies", "/api/runs", "/api/restores")


def run(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "holdfast.dev/v1alpha1",
        "kind": "BackupRun",
        "metadata": {"name": name},
        "spec": {"policyRef": {"name": "shop"}},
    }


def seen(here: Namespace, web: WebProcess, token: str, path: str, count: int) -> list[dict[str, Any]]:
    """The items, once there are so many: a watch tells them a moment later."""

    def answered() -> Answer | None:
        answer = web.get(path, token)
        assert answer.status == 200, answer.text
        return answer if len(answer.json["items"]) == count else None

    items: list[dict[str, Any]] = here.wait(answered, f"{path} has {count}").json["items"]
    return items


def is_problem(answer: Answer, status: int) -> bool:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json
    assert body["hint"], body
    return bool(answer.status == status == body["status"])


@pytest.mark.parametrize("path", ENDPOINTS)
def test_without_a_token_nothing_is_told(web: WebProcess, path: str) -> None:
    answer = web.get(path)
    assert is_problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("token", ["made-up", "a.b.c", "x" * 20_000])
def test_a_token_that_the_cluster_does_not_know_is_refused(web: WebProcess, path: str, token: str) -> None:
    assert is_problem(web.get(path, token), 401)


def test_a_token_for_the_kubernetes_api_is_not_one_for_us(here: Namespace, web: WebProcess, viewer: str) -> None:
    assert web.get("/api/policies", viewer).status in (200, 403)
    assert is_problem(web.get("/api/policies", token_of(here, "viewer", "--duration=10m")), 401)


def test_a_changed_token_is_refused(web: WebProcess, viewer: str) -> None:
    head, body, signature = viewer.split(".")
    assert is_problem(web.get("/api/policies", f"{head}.{body}.{signature[::-1]}"), 401)


@pytest.mark.parametrize("path", ENDPOINTS)
def test_who_has_no_right_is_told_so(here: Namespace, web: WebProcess, stranger: str, path: str) -> None:
    here.apply(policy())
    assert is_problem(web.get(f"{path}?namespace={here.name}", stranger), 403)


def test_a_viewer_sees_one_namespace_and_not_its_neighbour(
    here: Namespace, web: WebProcess, viewer: str, control_plane: ControlPlane
) -> None:
    other = Namespace(control_plane, f"{here.name}-other")
    control_plane.kubectl("create", "namespace", other.name)
    other.apply(policy("secret"))
    here.apply(policy())
    assert [one["name"] for one in seen(here, web, viewer, f"/api/policies?namespace={here.name}", 1)] == ["shop"]
    everywhere = seen(here, web, viewer, "/api/policies", 1)
    assert {one["namespace"] for one in everywhere} == {here.name}
    assert is_problem(web.get(f"/api/policies?namespace={other.name}", viewer), 403)
    assert is_problem(web.get(f"/api/admin/backup-status?namespace={other.name}&policy=secret", viewer), 403)
    assert is_problem(web.get("/api/admin/backup-status?policy=secret", viewer), 404)


def test_the_status_of_the_only_policy_needs_no_name(here: Namespace, web: WebProcess, viewer: str) -> None:
    here.apply(policy(schedule={"cron": "0 2 * * *", "timeZone": "Europe/Berlin"}))
    here.apply(run("by-hand"))
    seen(here, web, viewer, f"/api/policies?namespace={here.name}", 1)
    seen(here, web, viewer, f"/api/runs?namespace={here.name}", 1)
    status = web.get("/api/admin/backup-status", viewer).json
    assert (status["namespace"], status["policy"]) == (here.name, "shop")
    assert status["schedule"] == {"cron": "0 2 * * *", "timeZone": "Europe/Berlin", "suspended": False}
    assert status["retention"]["rule"]["keepDaily"] == 7
    assert [one["name"] for one in status["recentRuns"]] == ["by-hand"]


def test_a_change_is_seen_without_being_asked_for(here: Namespace, web: WebProcess, viewer: str) -> None:
    path = f"/api/runs?namespace={here.name}"
    here.apply(policy(), run("one"))
    seen(here, web, viewer, path, 1)
    status = json.dumps({"status": {"phase": "Running", "progress": "42%"}})
    here.kubectl("patch", "br", "one", "--subresource=status", "--type=merge", f"--patch={status}")
    [running] = seen(here, web, viewer, f"{path}&phase=Running", 1)
    assert running["status"]["progress"] == "42%"
    here.kubectl("delete", "br", "one")
    seen(here, web, viewer, path, 0)


def test_pages_hold_each_run_once(here: Namespace, web: WebProcess, viewer: str) -> None:
    here.apply(policy(), *(run(f"run-{number}") for number in range(5)))
    whole = [one["name"] for one in seen(here, web, viewer, f"/api/runs?namespace={here.name}", 5)]
    names, after = [], ""
    while True:
        part = web.get(f"/api/runs?namespace={here.name}&limit=2{after}", viewer).json
        names += [one["name"] for one in part["items"]]
        if "after" not in part:
            break
        after = f"&after={part['after']}"
    assert names == whole


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=many",
        "after=nonsense",
        "after=%00",
        "after=W10",
        "namespace=..%2F..",
        "namespace=",
        "namespace=a%0d%0ab",
        "policy=%3Cscript%3E",
        "phase=Exploded",
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(here: Namespace, web: WebProcess, viewer: str, query: str) -> None:
    here.apply(policy())
    seen(here, web, viewer, f"/api/policies?namespace={here.name}", 1)
    place = "" if query.startswith("namespace") else f"namespace={here.name}&"
    assert is_problem(web.get(f"/api/runs?{place}{query}", viewer), 422)


@pytest.mark.parametrize("path", ["/api", "/api/../etc/passwd", "/docs", "/redoc"])
def test_what_is_not_there_is_told_as_a_problem(web: WebProcess, path: str) -> None:
    assert is_problem(web.get(path), 404)


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_what_is_shown_cannot_be_changed(web: WebProcess, viewer: str, path: str, method: str) -> None:
    assert is_problem(web.get(path, viewer, method), 405)


def test_no_answer_is_kept_or_taken_for_a_page(web: WebProcess) -> None:
    for path in ("/healthz", "/api/policies", "/api/openapi.json", "/nothing"):
        headers = web.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "server" not in headers


def test_who_may_starts_a_backup_and_it_is_told_who_it_was(here: Namespace, web: WebProcess, backer: str) -> None:
    here.apply(policy())
    seen(here, web, backer, f"/api/policies?namespace={here.name}", 1)
    answer = web.get(f"{BACKUP}?namespace={here.name}&policy=shop", backer, "POST")
    assert answer.status == 202
    name = answer.json["name"]
    assert answer.json == {"namespace": here.name, "policy": "shop", "name": name}
    assert here.get("br", name)["spec"]["policyRef"] == {"name": "shop"}
    [audited] = audited_in(web, here)
    who = f"system:serviceaccount:{here.name}:backer"
    assert (audited["who"], audited["action"], audited["name"], audited["result"]) == (who, "Backup", name, "Done")
    assert audited["from"] == "127.0.0.1"
    events = here.kubectl("get", "events", f"--field-selector=involvedObject.name={name},reason=BackupRequested")
    assert f"{who} asked for this backup" in events


def test_nobody_says_by_a_header_where_a_request_came_from(here: Namespace, web: WebProcess, viewer: str) -> None:
    forwarded = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
    web.get(f"{BACKUP}?namespace={here.name}&policy=shop", viewer, "POST", headers=forwarded)
    assert [one["from"] for one in audited_in(web, here)] == ["127.0.0.1"]


def test_a_viewer_cannot_start_a_backup_and_the_try_is_told(here: Namespace, web: WebProcess, viewer: str) -> None:
    here.apply(policy())
    seen(here, web, viewer, f"/api/policies?namespace={here.name}", 1)
    assert is_problem(web.get(f"{BACKUP}?namespace={here.name}&policy=shop", viewer, "POST"), 403)
    assert "No resources found" in here.kubectl("get", "backupruns")
    assert [one["result"] for one in audited_in(web, here)] == ["NotAuthorized"]


def test_nobody_starts_a_backup_without_a_token(web: WebProcess) -> None:
    assert is_problem(web.get(BACKUP, None, "POST"), 401)


def test_a_policy_that_is_not_there_is_not_backed_up(here: Namespace, web: WebProcess, backer: str) -> None:
    assert is_problem(web.get(f"{BACKUP}?namespace={here.name}&policy=nothing", backer, "POST"), 404)
    assert [(one["name"], one["result"]) for one in audited_in(web, here)] == [("nothing", "PolicyNotFound")]


def test_who_may_not_even_look_is_told_so_and_the_try_is_told(here: Namespace, web: WebProcess, stranger: str) -> None:
    here.apply(policy())
    assert is_problem(web.get(f"{BACKUP}?namespace={here.name}&policy=shop", stranger, "POST"), 403)
    assert [one["result"] for one in audited_in(web, here)] == ["NotAuthorized"]


def audited_in(web: WebProcess, here: Namespace) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in web.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["namespace"] == here.name]


def run_line(line: str, web: WebProcess, token: str, here: Namespace, folder: Path) -> subprocess.CompletedProcess[str]:
    variables = {"HOLDFAST": f"http://127.0.0.1:{web.port}", "TOKEN": token, "NAMESPACE": here.name}
    return subprocess.run(
        ["bash", "-c", line],
        env={**variables, "PATH": os.environ["PATH"]},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


ELSEWHERE = (" -OJ ", "wait=true", "/test-email")
"""Lines that need a database or a mail server: they are run where one is."""


@pytest.mark.parametrize("line", [line for line in LINES if not any(part in line for part in ELSEWHERE)])
def test_each_line_of_the_docs_works(here: Namespace, web: WebProcess, backer: str, line: str, tmp_path: Path) -> None:
    here.apply(policy(), run("one"), restore())
    for kind in ("policies", "runs", "restores"):
        seen(here, web, backer, f"/api/{kind}?namespace={here.name}", 1)
    done = run_line(line, web, backer, here, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "event: ready" in done.stdout if "/api/events" in line else json.loads(done.stdout)


def test_each_endpoint_of_the_document_has_a_line_in_the_docs(web: WebProcess) -> None:
    document = web.get("/api/openapi.json").json
    told = {re.findall(r"/api/[\w./-]+", line)[0] for line in LINES}
    assert told == {*document["paths"], "/api/openapi.json"}
