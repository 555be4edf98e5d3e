"""A mirror of the cluster goes on after whatever the API server says: what it shows must not grow old unseen."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import pytest

from holdfast.errors import ClusterUnavailable
from holdfast.kube import mirror
from holdfast.kube.connection import Connection
from holdfast.kube.mirror import TRIES, KubeMirror
from holdfast.ports import BACKUP_POLICY, Change

Event = Mapping[str, Any]


def body(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default", "resourceVersion": "1"}}


class Scripted:
    """An API server that lists ``first``, then ``second``, and in between sends these events."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._lists = iter(["first", "second"])
        self._events = events
        self.again = threading.Event()

    def request(self, *_arguments: object, **_options: object) -> dict[str, Any]:
        return {"items": [body(next(self._lists))], "metadata": {"resourceVersion": "1"}}

    def lines(self, *_arguments: object, **_options: object) -> Iterator[Event]:
        events, self._events = self._events, ()
        yield from events
        if not events:
            self.again.set()
            threading.Event().wait()


class Paged:
    """An API server that lists in two pages."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, str]] = []
        self.watched = threading.Event()

    def request(self, *_arguments: object, query: Mapping[str, str], **_options: object) -> dict[str, Any]:
        self.asked.append(query)
        last = "continue" in query
        metadata = {"resourceVersion": "7", **({} if last else {"continue": "more"})}
        return {"items": [body("second" if last else "first")], "metadata": metadata}

    def lines(self, *_arguments: object, **_options: object) -> Iterator[Event]:
        self.watched.set()
        threading.Event().wait()
        yield from ()


class Flaky:
    """An API server of which the first watch breaks off, and after it so many tries fail in all."""

    def __init__(self, failures: int) -> None:
        self._left, self._broke = failures - 1, False
        self.again = threading.Event()

    def request(self, *_arguments: object, **_options: object) -> dict[str, Any]:
        if self._broke and self._left:
            self._left -= 1
            raise ClusterUnavailable("It does not answer.")
        return {"items": [], "metadata": {"resourceVersion": "1"}}

    def lines(self, *_arguments: object, **_options: object) -> Iterator[Event]:
        if not self._broke:
            self._broke = True
            raise ClusterUnavailable("It broke off.")
        self.again.set()
        threading.Event().wait()
        yield from ()


@pytest.mark.parametrize(
    "event",
    [
        {"type": "ERROR", "object": {"code": 410, "reason": "Expired"}},
        {"type": "ADDED", "object": {"kind": "Status"}},
        {"type": "MODIFIED"},
        {"type": "ADDED", "object": None},
    ],
)
def test_what_makes_no_sense_leads_to_a_new_list(event: Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "PAUSE_SECONDS", 0)
    server = Scripted([event])
    follower = KubeMirror(cast("Connection", server), [BACKUP_POLICY])
    follower.start()
    assert server.again.wait(10)
    assert [one["metadata"]["name"] for one in follower.objects(BACKUP_POLICY)] == ["second"]
    follower.stop()


def test_changes_are_told_and_so_is_what_a_new_list_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "PAUSE_SECONDS", 0)
    changed = {"type": "MODIFIED", "object": body("first")}
    expired = {"type": "ERROR", "object": {"code": 410, "reason": "Expired"}}
    server, told = Scripted([changed, expired]), list[Change]()
    follower = KubeMirror(cast("Connection", server), [BACKUP_POLICY])
    follower.listen(told.append)
    follower.start()
    assert server.again.wait(10)
    follower.stop()
    assert [(one.body["metadata"]["name"], one.gone) for one in told] == [
        ("first", False),
        ("first", True),
        ("second", False),
    ], "the first list is no change"


def test_it_says_when_it_cannot_follow_the_cluster_and_when_it_does_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "PAUSE_SECONDS", 0)
    server = Flaky(failures=TRIES)
    follower, told = KubeMirror(cast("Connection", server), [BACKUP_POLICY]), list[bool]()
    follower.attend(lambda: told.append(follower.current()))
    assert not follower.current(), "nothing has been read yet"
    follower.start()
    assert server.again.wait(10)
    follower.stop()
    assert told == [True, False, True]


def test_one_watch_that_breaks_off_is_no_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "PAUSE_SECONDS", 0)
    server = Flaky(failures=TRIES - 1)
    follower, told = KubeMirror(cast("Connection", server), [BACKUP_POLICY]), list[bool]()
    follower.attend(lambda: told.append(follower.current()))
    follower.start()
    assert server.again.wait(10)
    follower.stop()
    assert told == [True]


def test_a_long_list_is_read_in_pages() -> None:
    server = Paged()
    follower = KubeMirror(cast("Connection", server), [BACKUP_POLICY])
    follower.start()
    assert server.watched.wait(10)
    follower.stop()
    assert [one["metadata"]["name"] for one in follower.objects(BACKUP_POLICY)] == ["first", "second"]
    assert [one.get("continue") for one in server.asked] == [None, "more"]
