"""What may be done from a page: by whom, that it is done once, and that nobody else's form does it."""

import json
from typing import Any

import pytest

from tests.integration.kube.conftest import Namespace, token_of
from tests.integration.kube.test_dashboard_doors import FORM, entries, look, secret_in, send, sign_in
from tests.integration.kube.test_resources import policy
from tests.integration.kube.test_web import run, seen
from tests.support.web_process import Answer, WebProcess

BACKUP_ID = "20260301T020000Z-0a1b2c"
ACTIONS = (
    "/policies/{}/shop/backup", "/policies/{}/shop/restore", "/runs/{}/by-hand/hold", "/runs/{}/by-hand/release",
    "/restores/{}/planned/apply",
)  # fmt: skip


class Person:
    """Somebody who has signed in, and looks into one namespace."""

    def __init__(self, here: Namespace, web: WebProcess, token: str) -> None:
        self._here, self._web = here, web
        self._cookie = sign_in(web, token)

    def look(self, path: str) -> Answer:
        return look(self._web, path.format(self._here.name), self._cookie)

    def send(self, path: str, **fields: str) -> Answer:
        """As a page of this session would."""
        secret = secret_in(self.look("/"))
        form = {"secret": secret, **fields}
        return send(self._web, path.format(self._here.name), self._cookie, FORM, **form)


@pytest.fixture
def place(here: Namespace, web: WebProcess, viewer: str) -> Namespace:
    """With a policy, a run that has a backup, and a plan that could be done."""
    plan = {
        "source": {"policyRef": {"name": "shop"}, "latest": True},
        "existing": "Drop",
        "target": {"database": "shop"},
    }
    planned = {
        "apiVersion": "holdfast.dev/v1alpha1",
        "kind": "RestoreRun",
        "metadata": {"name": "planned"},
        "spec": plan,
    }
    here.apply(policy(), run("by-hand"), planned)
    ended = "2026-03-01T02:00:09Z"
    done = {"phase": "Succeeded", "backupId": BACKUP_ID, "completionTime": ended}
    here.tell("br/by-hand", done)
    collections = [{"name": "users", "action": "Replace", "documents": 3, "existingDocuments": 2}]
    here.tell("rr/planned", {**done, "policy": "shop", "database": "shop", "plan": {"collections": collections}})
    seen(here, web, viewer, f"/api/policies?namespace={here.name}", 1)
    seen(here, web, viewer, f"/api/runs?namespace={here.name}&phase=Succeeded", 1)
    seen(here, web, viewer, f"/api/restores?namespace={here.name}&phase=Succeeded", 1)
    return here


@pytest.fixture
def admin(place: Namespace, web: WebProcess) -> Person:
    """Who may do all that a page offers."""
    place.kubectl("create", "serviceaccount", "admin")
    for role in ("view", "edit", "backup", "restore", "download"):
        options = (f"--clusterrole=default:holdfast:{role}", f"--serviceaccount={place.name}:admin")
        place.kubectl("create", "rolebinding", f"admin-{role}", *options)
    return Person(place, web, token_of(place, "admin"))


def test_who_may_only_look_is_offered_nothing_and_refused(place: Namespace, web: WebProcess, viewer: str) -> None:
    somebody, before = Person(place, web, viewer), len(entries(web))
    for path in ("/policies/{}/shop", "/runs/{}/by-hand", "/restores/{}/planned"):
        page = somebody.look(path)
        assert page.status == 200
        assert page.text.count("<form") == 1, "signing out is for everybody"
        assert "Download" not in page.text
        assert "/restore" not in page.text.replace(f"/restores/{place.name}/planned", "")
    assert somebody.look("/policies/{}/shop/restore").status == 403
    fields = {"confirm": "shop", "database": "shop", "existing": "Fail"}
    assert [somebody.send(path, **fields).status for path in ACTIONS] == [403] * len(ACTIONS)
    assert [(one["action"], one["result"]) for one in entries(web)[before:]] == [
        (action, "NotAuthorized") for action in ("Backup", "PlanRestore", "Hold", "Release", "Restore")
    ]
    assert place.kubectl("get", "br,rr", "-o", "name").split() == [
        "backuprun.holdfast.dev/by-hand", "restorerun.holdfast.dev/planned",
    ]  # fmt: skip


@pytest.mark.parametrize("path", ACTIONS)
def test_a_form_that_is_not_of_this_session_does_nothing(place: Namespace, admin: Person, path: str) -> None:
    before = place.kubectl("get", "br,rr", "-o", "yaml")
    assert admin.send(path, secret="guessed", confirm="shop", database="shop", existing="Fail").status == 403
    assert place.kubectl("get", "br,rr", "-o", "yaml") == before


def test_a_backup_is_started_and_its_page_is_there_at_once(place: Namespace, web: WebProcess, admin: Person) -> None:
    assert "Back up now" in admin.look("/policies/{}/shop").text
    answer = admin.send("/policies/{}/shop/backup")
    assert answer.status == 303
    page = admin.look(answer.headers["location"])
    assert (page.status, "Pending" in page.text) == (200, True)
    name = answer.headers["location"].rpartition("/")[2]
    assert place.get("br", name)["spec"]["policyRef"] == {"name": "shop"}
    entry = entries(web)[-1]
    assert (entry["action"], entry["name"], entry["result"]) == ("Backup", name, "Done")
    assert entry["who"] == f"system:serviceaccount:{place.name}:admin"


def test_a_backup_is_held_and_let_go(place: Namespace, admin: Person) -> None:
    place.kubectl("annotate", "br/by-hand", "holdfast.dev/hold=true")
    for action, held, offered in (("release", False, "Hold"), ("hold", True, "Let go"), ("release", False, "Hold")):
        page = admin.look(admin.send(f"/runs/{{}}/by-hand/{action}").headers["location"])
        assert place.get("br", "by-hand")["spec"].get("hold", False) is held
        assert f">{offered}</button>" in page.text
    reasons = {one["reason"] for one in json.loads(place.kubectl("get", "events", "-o", "json"))["items"]}
    assert {"BackupHeld", "BackupReleased"} <= reasons


def test_why_a_backup_cannot_be_downloaded_is_told_on_a_page(place: Namespace, web: WebProcess, admin: Person) -> None:
    assert f"/runs/{place.name}/by-hand/download" in admin.look("/runs/{}/by-hand").text
    answer = admin.look("/runs/{}/by-hand/download")
    assert answer.status == 409
    assert answer.headers["content-type"].startswith("text/html")
    assert "There is no Secret" in answer.text
    place.tell("br/by-hand", {"pruneTime": "2026-03-02T02:00:00Z"})
    place.wait(lambda: admin.look("/runs/{}/by-hand/download").status == 404, "its backup is gone")
    assert entries(web)[-1]["result"] == "BackupOutOfReach"


def test_who_may_only_look_downloads_nothing_from_a_page_either(place: Namespace, web: WebProcess, viewer: str) -> None:
    answer = Person(place, web, viewer).look("/runs/{}/by-hand/download")
    assert (answer.status, answer.headers["content-type"]) == (403, "text/html; charset=utf-8")


def test_a_plan_changes_nothing_and_is_of_what_was_filled_in(place: Namespace, admin: Person) -> None:
    assert BACKUP_ID in admin.look("/policies/{}/shop/restore?run=by-hand").text
    fields = {
        "backup": BACKUP_ID,
        "database": "copy",
        "existing": "Drop",
        "include": "users\r\nfeed*\r\n",
        "exclude": "feedbackVotes",
        "rename": "users = people\r\n",
        "strategy": "Swap",
    }
    answer = admin.send("/policies/{}/shop/restore", **fields)
    assert admin.look(answer.headers["location"]).status == 200
    spec = place.get("rr", answer.headers["location"].rpartition("/")[2])["spec"]
    assert _chosen(spec, "source", "mode", "existing", "include", "exclude", "rename", "strategy", "target") == {
        "source": {"policyRef": {"name": "shop"}, "backupId": BACKUP_ID},
        "mode": "Plan", "existing": "Drop", "include": ["users", "feed*"], "exclude": ["feedbackVotes"],
        "rename": [{"from": "users", "to": "people"}], "strategy": "Swap", "target": {"database": "copy"},
    }  # fmt: skip


def test_a_plan_can_be_of_a_second(place: Namespace, admin: Person) -> None:
    fields = {"moment": "2026-03-01T02:30:00", "backup": BACKUP_ID, "database": "copy", "existing": "Fail"}
    answer = admin.send("/policies/{}/shop/restore", **fields)
    spec = place.get("rr", answer.headers["location"].rpartition("/")[2])["spec"]
    assert spec["source"] == {"policyRef": {"name": "shop"}, "pointInTime": "2026-03-01T02:30:00Z"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"database": "a/b"},
        {"database": ""},
        {"database": "admin"},
        {"existing": "Explode"},
        {"backup": "<script>"},
        {"moment": "soon"},
        {"rename": "users"},
        {"rename": "users=a\nusers=b"},
        {"strategy": "Magic"},
    ],
)
def test_a_wish_that_makes_no_sense_is_told_on_its_form(place: Namespace, admin: Person, wrong: dict[str, str]) -> None:
    answer = admin.send(
        "/policies/{}/shop/restore", **{"database": "copy", "existing": "Merge", "include": "us*", **wrong}
    )
    assert answer.status == 422
    assert 'role="alert"' in answer.text
    assert "us*</textarea>" in answer.text
    assert "<script>" not in answer.text.partition("<main")[2]
    assert place.kubectl("get", "rr", "-o", "name").split() == ["restorerun.holdfast.dev/planned"]


def test_only_with_the_databases_name_is_a_plan_done_and_only_once(place: Namespace, admin: Person) -> None:
    for wrong in ("", "shopp", "SHOP"):
        answer = admin.send("/restores/{}/planned/apply", confirm=wrong)
        assert (answer.status, 'role="alert"' in answer.text) == (422, True)
    ways = {admin.send("/restores/{}/planned/apply", confirm="shop").headers["location"] for _ in range(2)}
    [way] = ways
    spec = place.get("rr", way.rpartition("/")[2])["spec"]
    assert _chosen(spec, "source", "mode", "existing", "target", "confirm") == {
        # What the plan found, even if another one is the newest by now.
        "source": {"policyRef": {"name": "shop"}, "backupId": BACKUP_ID},
        "mode": "Apply", "existing": "Drop", "target": {"database": "shop"}, "confirm": "shop",
    }  # fmt: skip
    assert 'name="confirm"' not in admin.look("/restores/{}/planned").text


def test_a_plan_that_would_fail_is_not_done(place: Namespace, admin: Person) -> None:
    place.tell("rr/planned", {"plan": {"conflicts": ["Database 'shop' has 'users' already."]}})
    place.wait(
        lambda: "has &#39;users&#39; already" in admin.look("/restores/{}/planned").text, "the conflict is shown"
    )
    assert 'name="confirm"' not in admin.look("/restores/{}/planned").text
    assert admin.send("/restores/{}/planned/apply", confirm="shop").status == 422
    assert place.kubectl("get", "rr", "-o", "name").split() == ["restorerun.holdfast.dev/planned"]


def _chosen(spec: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: spec[name] for name in names}
