"""Live changes from a real API server: each viewer is told of what that viewer may watch, and nothing is missed."""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.integration.kube.conftest import Namespace
from tests.integration.kube.test_resources import policy
from tests.integration.kube.test_web import is_problem, run, seen
from tests.support.control_plane import ControlPlane
from tests.support.web_process import WebProcess

SECONDS = 20


class Stream:
    """A reader of server-sent events."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response

    def __iter__(self) -> Iterator[dict[str, str]]:
        """Each event, with its fields; the end of the stream ends it."""
        fields: dict[str, str] = {}
        while line := self._response.readline().decode():
            if line == "\n":
                if "event" in fields:
                    yield fields
                fields = {}
            else:
                name, _, value = line.rstrip("\n").partition(": ")
                fields[name] = value

    def next(self) -> dict[str, str]:
        return next(iter(self))

    def changes(self, name: str) -> Iterator[dict[str, Any]]:
        """Those of one object."""
        deadline = time.monotonic() + SECONDS
        for event in self:
            assert time.monotonic() < deadline, f"nothing more of {name}"
            if event["event"] == "change" and (data := json.loads(event["data"]))["name"] == name:
                yield {**data, "id": event["id"]}


@contextmanager
def stream(web: WebProcess, token: str, path: str = "/api/events", last: str | None = None) -> Iterator[Stream]:
    connection = web.connect()
    try:
        headers = {"Authorization": f"Bearer {token}", **({"Last-Event-ID": last} if last else {})}
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        assert response.headers["Content-Type"].startswith("text/event-stream")
        yield Stream(response)
    finally:
        connection.close()


def test_a_run_is_followed_from_its_making_to_its_end(here: Namespace, web: WebProcess, viewer: str) -> None:
    here.apply(policy())
    seen(here, web, viewer, f"/api/policies?namespace={here.name}", 1)
    with stream(web, viewer, f"/api/events?namespace={here.name}") as events:
        assert events.next()["event"] == "ready"
        changes = events.changes("one")
        here.apply(run("one"))
        made = next(changes)
        assert (made["kind"], made["namespace"], made["policy"], made["change"]) == (
            "BackupRun",
            here.name,
            "shop",
            "Changed",
        )
        status = json.dumps({"status": {"phase": "Running", "progress": "42%"}})
        here.kubectl("patch", "br", "one", "--subresource=status", "--type=merge", f"--patch={status}")
        running = next(one for one in changes if one.get("phase"))
        assert (running["phase"], running["progress"]) == ("Running", "42%")
        here.kubectl("delete", "br", "one")
        assert next(one for one in changes if one["change"] == "Deleted")["phase"] == "Running"


def test_who_comes_back_is_told_what_happened_meanwhile(here: Namespace, web: WebProcess, viewer: str) -> None:
    here.apply(policy())
    seen(here, web, viewer, f"/api/policies?namespace={here.name}", 1)
    with stream(web, viewer) as events:
        last = events.next()["id"]
    here.apply(run("meanwhile"))
    seen(here, web, viewer, f"/api/runs?namespace={here.name}", 1)
    with stream(web, viewer, last=last) as events:
        assert events.next()["event"] == "ready"
        assert next(events.changes("meanwhile"))["change"] == "Changed"
    with stream(web, viewer, f"/api/events?since={last}") as events:
        assert next(events.changes("meanwhile"))["change"] == "Changed"


def test_who_was_away_too_long_is_told_to_read_anew(here: Namespace, web: WebProcess, viewer: str) -> None:
    here.apply(policy())
    seen(here, web, viewer, f"/api/policies?namespace={here.name}", 1)
    with stream(web, viewer, last="deadbeef-7") as events:
        assert events.next()["event"] == "reload"


def test_a_neighbours_changes_are_not_told(
    here: Namespace, web: WebProcess, viewer: str, control_plane: ControlPlane
) -> None:
    other = Namespace(control_plane, f"{here.name}-other")
    control_plane.kubectl("create", "namespace", other.name)
    here.apply(policy())
    seen(here, web, viewer, f"/api/policies?namespace={here.name}", 1)
    with stream(web, viewer) as events:
        assert events.next()["event"] == "ready"
        other.apply(policy("secret"), run("theirs"))
        here.apply(run("ours"))
        names = []
        for event in events:
            names.append(json.loads(event["data"])["name"])
            if "ours" in names:
                break
    assert set(names) <= {"shop", "ours"}


def test_who_may_not_watch_gets_no_stream(here: Namespace, web: WebProcess, viewer: str, stranger: str) -> None:
    here.apply(policy())
    seen(here, web, viewer, f"/api/policies?namespace={here.name}", 1)
    assert is_problem(web.get("/api/events"), 401)
    assert is_problem(web.get("/api/events", stranger), 403)
    assert is_problem(web.get(f"/api/events?namespace={here.name}", stranger), 403)
    assert is_problem(web.get("/api/events?namespace=kube-system", viewer), 403)
