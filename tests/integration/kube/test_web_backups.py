"""Backups that are asked for over HTTP: when they are due, by a cron elsewhere, and with an answer at their end."""

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.kube.conftest import Namespace
from tests.integration.kube.shop import Shop
from tests.integration.kube.test_resources import policy
from tests.integration.kube.test_web import BACKUP, LINES, audited_in, is_problem, run_line, seen
from tests.support.control_plane import ControlPlane
from tests.support.web_process import Answer, WebProcess

SECRET = "a-secret-of-the-cron"
DUE = f"{BACKUP}?automated=true"


@pytest.fixture(scope="module")
def guarded(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    folder = tmp_path_factory.mktemp("guarded")
    process = WebProcess(control_plane, folder, automated="true", cron_secret=SECRET)
    try:
        process.start()
        yield process
    finally:
        process.stop()


def due_now(**spec: Any) -> dict[str, Any]:
    """A policy whose next time is a minute away at most, and the first one of it."""
    return policy(schedule={"cron": "* * * * *", "startingDeadlineSeconds": 3600, **spec})


def ask(web: WebProcess, path: str) -> dict[str, int]:
    """As somebody who comes again when told so."""
    while (answer := web.get(path)).status == 429:
        time.sleep(int(answer.headers["retry-after"]))
    assert answer.status == 200, answer.text
    counts: dict[str, int] = answer.json
    return counts


def runs(here: Namespace) -> list[str]:
    return here.kubectl("get", "backupruns", "-o", "name").split()


def test_whoever_asks_gets_what_is_due_and_no_more(here: Namespace, web: WebProcess) -> None:
    """No operator and no CronJob controller is there: nobody else starts it."""
    here.apply(due_now())
    path = f"{DUE}&namespace={here.name}"
    here.wait(lambda: ask(web, path)["started"], "its time has come", 90)
    again = [ask(web, path) for _ in range(5)]
    assert all(one["started"] == 0 and one["there"] + one["busy"] == 1 for one in again)
    # An earlier run still works: there is no other, whatever the time is.
    [run] = runs(here)
    assert re.fullmatch(r"backuprun\.holdfast\.dev/shop-\d{8}", run)
    assert {line["who"] for line in audited_in(web, here)} == {"system:anonymous"}


def test_no_names_are_told_to_nobody(here: Namespace, web: WebProcess) -> None:
    here.apply(due_now(suspend=True))
    path = f"{DUE}&namespace={here.name}"
    here.wait(lambda: ask(web, path)["suspended"], "the policy is seen")
    nothing = {"started": 0, "there": 0, "busy": 0, "suspended": 0, "notDue": 0}
    assert ask(web, f"{path}&policy=nothing") == nothing


@pytest.mark.parametrize("header", [None, "Bearer wrong", f"Basic {SECRET}", SECRET, f"Bearer {SECRET}x", "Bearer "])
def test_where_there_is_a_secret_it_is_asked_for(guarded: WebProcess, header: str | None) -> None:
    answer = guarded.get(DUE, headers={"Authorization": header} if header else {})
    assert is_problem(answer, 401)
    assert SECRET not in answer.text


def test_who_knows_the_secret_may(guarded: WebProcess) -> None:
    answer = guarded.get(DUE, SECRET)
    assert answer.status == 200
    assert "started" in answer.json


def test_a_secret_is_no_token(guarded: WebProcess) -> None:
    assert is_problem(guarded.get("/api/policies", SECRET), 401)
    assert is_problem(guarded.get(BACKUP, SECRET), 401)


class Asked:
    """A request that is answered at the end of its run, made in a thread."""

    def __init__(self, web: WebProcess, here: Namespace, token: str) -> None:
        path = f"{BACKUP}?namespace={here.name}&policy=shop&wait=true"
        self._answers: list[Answer] = []
        self._thread = threading.Thread(target=lambda: self._answers.append(web.get(path, token, "POST")))
        self._thread.start()
        self.run = str(here.wait(lambda: runs(here), "there is a run")[0]).rpartition("/")[2]

    def answer(self) -> Answer:
        self._thread.join(60)
        return self._answers[0]


def test_who_waits_is_told_what_was_backed_up(shop: Shop, web: WebProcess, backer: str) -> None:
    seen(shop.here, web, backer, f"/api/policies?namespace={shop.here.name}", 1)
    asked = Asked(web, shop.here, backer)
    assert shop.start(asked.run).end() == 0
    answer = asked.answer()
    assert answer.status == 200
    told = answer.json["run"]["status"]
    status = shop.here.get("br", asked.run)["status"]
    assert (told["phase"], told["backupId"]) == ("Succeeded", status["backupId"])
    assert told["documents"] == sum(shop.database[name].count_documents({}) for name in collections_of(status))


@pytest.mark.parametrize("line", [line for line in LINES if "wait=true" in line])
def test_each_line_of_the_docs_that_waits_works(
    shop: Shop, web: WebProcess, backer: str, line: str, tmp_path: Path
) -> None:
    seen(shop.here, web, backer, f"/api/policies?namespace={shop.here.name}", 1)
    with shop.node():
        done = run_line(line, web, backer, shop.here, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["run"]["status"]["phase"] == "Succeeded"


def collections_of(status: dict[str, Any]) -> list[str]:
    return [one["name"] for one in status["collections"]]


@pytest.mark.parametrize("phase", ["Failed", "PartiallyFailed", "Cancelled"])
def test_what_did_not_succeed_is_never_answered_as_a_success(
    here: Namespace, web: WebProcess, backer: str, phase: str
) -> None:
    here.apply(policy())
    seen(here, web, backer, f"/api/policies?namespace={here.name}", 1)
    asked = Asked(web, here, backer)
    status = json.dumps({"status": {"phase": phase, "reason": "StoreFull", "message": "No room is left."}})
    here.kubectl("patch", "br", asked.run, "--subresource=status", "--type=merge", f"--patch={status}")
    answer = asked.answer()
    assert is_problem(answer, 409)
    assert (answer.json["title"], phase in answer.json["detail"]) == ("StoreFull", True)


def test_who_waits_for_a_run_that_is_deleted_hears_no_more_than_its_name(
    here: Namespace, web: WebProcess, backer: str
) -> None:
    here.apply(policy())
    seen(here, web, backer, f"/api/policies?namespace={here.name}", 1)
    asked = Asked(web, here, backer)
    seen(here, web, backer, f"/api/runs?namespace={here.name}", 1)
    here.kubectl("delete", "br", asked.run)
    answer = asked.answer()
    assert (answer.status, answer.json["name"]) == (202, asked.run)
