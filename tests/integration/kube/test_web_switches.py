"""What the API does not do where it is switched off, and who may download where everybody may."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.kube.conftest import Namespace, token_of
from tests.integration.kube.test_dashboard_actions import Person
from tests.integration.kube.test_resources import policy
from tests.integration.kube.test_web import BACKUP, is_problem, run, seen
from tests.integration.kube.test_web_mail import MAIL
from tests.support.control_plane import ControlPlane
from tests.support.web_process import WebProcess


@contextmanager
def started(plane: ControlPlane, folder: Path, **settings: str) -> Iterator[WebProcess]:
    process = WebProcess(plane, folder, **settings)
    try:
        process.start()
        yield process
    finally:
        process.stop()


@pytest.fixture
def everybody(here: Namespace) -> str:
    """A token of who may do all."""
    here.kubectl("create", "serviceaccount", "everybody")
    for role in ("view", "edit", "backup", "restore", "download"):
        options = (f"--clusterrole=default:holdfast:{role}", f"--serviceaccount={here.name}:everybody")
        here.kubectl("create", "rolebinding", f"everybody-{role}", *options)
    return token_of(here, "everybody")


def test_what_is_switched_off_is_off_for_everybody(
    here: Namespace, control_plane: ControlPlane, everybody: str, tmp_path: Path
) -> None:
    here.apply(policy(), run("by-hand"))
    here.tell("br/by-hand", {"phase": "Succeeded", "backupId": "20260301T020000Z-0a"})
    with started(control_plane, tmp_path, download="Off", automated="false", test_mail="false") as web:
        seen(here, web, everybody, f"/api/runs?namespace={here.name}&phase=Succeeded", 1)
        of = f"?namespace={here.name}&policy=shop"
        for path, method in (
            (f"{BACKUP}{of}", "GET"),
            (f"{BACKUP}{of}&automated=true", "GET"),
            (f"{MAIL}{of}", "GET"),
            (f"{MAIL}{of}", "POST"),
        ):
            answer = web.get(path, everybody, method)
            assert is_problem(answer, 403)
            assert "switched off" in answer.json["detail"]
            assert "value web." in answer.json["hint"]
        person = Person(here, web, everybody)
        assert "Download" not in person.look("/runs/{}/by-hand").text
        assert "test mail" not in person.look("/policies/{}/shop").text
        assert person.look("/runs/{}/by-hand/download").status == 403
        assert person.send("/policies/{}/shop/test-mail").status == 403


def test_where_all_may_download_those_may_whom_the_cluster_knows(
    here: Namespace, control_plane: ControlPlane, stranger: str, tmp_path: Path
) -> None:
    here.apply(policy())
    path = f"{BACKUP}?namespace={here.name}&policy=shop"
    with started(control_plane, tmp_path, download="Authenticated") as web:
        # It comes as far as the Secret of the repository, which is not there.
        here.wait(lambda: web.get(path, stranger).status == 409, "the policy is seen")
        assert web.get(path, stranger).json["title"] == "BackupOutOfReach"
        assert is_problem(web.get(path), 401)
        assert is_problem(web.get("/api/policies", stranger), 403), "nothing else"
