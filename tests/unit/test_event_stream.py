"""A stream of events: it ends with its reader, with the server, or when the reader takes nothing any more."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from holdfast.errors import ClusterUnavailable
from holdfast.ports import BACKUP_RUN, Change, Kind, Viewer
from holdfast.services.look_up import LookUp
from holdfast.services.recent_changes import RecentChanges
from holdfast.web import event_stream, events
from holdfast.web.event_stream import Bell, EventStream
from holdfast.web.events import _Feed, _parts
from tests.unit.test_look_up import Memory, Rights

ANN = Viewer("ann")


def change(name: str, namespace: str = "shop") -> Change:
    return Change(BACKUP_RUN, {"metadata": {"name": name, "namespace": namespace}, "spec": {}, "status": {}})


def always() -> bool:
    return True


class Reader:
    """The server's side of one connection; ``stuck``: its buffers are full and stay so."""

    def __init__(self, *, stuck: bool = False) -> None:
        self.sent: list[dict[str, Any]] = []
        self.leave = asyncio.Event()
        self._stuck = stuck

    async def receive(self) -> dict[str, Any]:
        await self.leave.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if self._stuck and self.sent:
            await asyncio.Event().wait()
        self.sent.append(message)


async def endless() -> AsyncGenerator[bytes, None]:
    while True:
        yield b"x"
        await asyncio.sleep(0)


async def stream(parts: AsyncGenerator[bytes, None], reader: Reader) -> int:
    """How often its end was told."""
    ends: list[None] = []
    await asyncio.wait_for(
        EventStream(parts, lambda: ends.append(None))({"type": "http"}, reader.receive, reader.send), 10
    )
    return len(ends)


def test_it_ends_when_the_reader_leaves() -> None:
    async def scene() -> int:
        reader = Reader()
        asyncio.get_running_loop().call_later(0.01, reader.leave.set)
        return await stream(endless(), reader)

    assert asyncio.run(scene()) == 1


def test_it_lets_a_reader_go_who_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "SLOW_SECONDS", 0.01)
    assert asyncio.run(stream(endless(), Reader(stuck=True))) == 1


def test_an_end_of_its_parts_is_a_proper_end() -> None:
    async def scene() -> list[dict[str, Any]]:
        reader = Reader()
        await stream(_end(), reader)
        return reader.sent

    async def _end() -> AsyncGenerator[bytes, None]:
        yield b"x"

    sent = asyncio.run(scene())
    assert [message.get("more_body") for message in sent] == [None, True, False]
    assert (b"content-type", b"text/event-stream; charset=utf-8") in sent[0]["headers"]


def test_a_bell_is_heard_from_another_thread_and_its_close_ends_streams() -> None:
    changes, bell = RecentChanges(), Bell()
    changes.listen(bell.ring)

    async def scene() -> list[bytes]:
        feed = _Feed(LookUp(Memory(), Rights("shop")), changes, ANN, None)
        told = []
        async for part in _parts(feed, bell, None, always):
            told.append(part)
            if len(told) == 1:
                threading.Thread(target=changes.add, args=(change("one"),)).start()
            else:
                threading.Thread(target=bell.close).start()
        return told

    first, second = asyncio.run(asyncio.wait_for(scene(), 10))
    assert first.startswith(b"retry: 2000\nevent: ready\nid: ")
    assert b'"name": "one"' in second


def test_a_viewer_is_told_only_of_what_that_viewer_may_watch() -> None:
    changes = RecentChanges()

    async def scene() -> list[str]:
        feed = _Feed(LookUp(Memory(), Rights("shop")), changes, ANN, None)
        changes.add(change("theirs", "bank"))
        changes.add(change("ours"))
        return [note.name for note in await feed.news() or ()]

    assert asyncio.run(scene()) == ["ours"]


def test_a_right_that_is_taken_away_ends_what_is_told() -> None:
    changes, rights = RecentChanges(), Rights("shop")

    async def scene() -> list[list[str]]:
        feed, told = _Feed(LookUp(Memory(), rights), changes, ANN, None), []
        for name in ("before", "after"):
            changes.add(change(name))
            told.append([note.name for note in await feed.news() or ()])
            rights.places = ()
        return told

    assert asyncio.run(scene()) == [["before"], []]


def test_a_slow_reader_is_told_to_read_anew_and_then_goes_on() -> None:
    changes = RecentChanges(limit=2)

    async def scene() -> list[Any]:
        feed = _Feed(LookUp(Memory(), Rights("shop")), changes, ANN, None)
        for name in "abc":
            changes.add(change(name))
        seen = [await feed.news()]
        changes.add(change("d"))
        return [*seen, [note.name for note in await feed.news() or ()]]

    assert asyncio.run(scene()) == [None, ["d"]]


def test_a_quiet_stream_is_kept_open_by_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.01)

    async def scene() -> bytes:
        parts = _parts(_Feed(LookUp(Memory(), Rights("shop")), RecentChanges(), ANN, None), Bell(), None, always)
        await anext(parts)
        return await anext(parts)

    assert asyncio.run(scene()).startswith(b": still here\nid: ")


def test_a_stream_does_not_outlive_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LIFE_SECONDS", 0)

    async def scene() -> list[bytes]:
        feed = _Feed(LookUp(Memory(), Rights("shop")), RecentChanges(), ANN, None)
        return [part async for part in _parts(feed, Bell(), None, always)]

    assert len(asyncio.run(scene())) == 1


def test_a_right_to_one_kind_is_none_to_another() -> None:
    class RunsOnly(Rights):
        def allows(self, viewer: Viewer, verb: str, kind: Kind, namespace: str | None) -> bool:
            assert verb == "watch"
            return kind == BACKUP_RUN and super().allows(viewer, verb, kind, namespace)

    look_up = LookUp(Memory(), RunsOnly("shop"))
    assert look_up.may_watch(ANN, BACKUP_RUN, "shop")
    assert not look_up.may_watch(ANN, BACKUP_RUN, "bank")
    assert not look_up.may_watch(ANN, Kind("holdfast.dev/v1alpha1", "RestoreRun", "restoreruns"), "shop")


def test_a_stream_says_when_nothing_is_heard_of_the_cluster_and_when_it_is_again() -> None:
    bell, heard = Bell(), [True]

    async def scene() -> list[bytes]:
        parts = _parts(
            _Feed(LookUp(Memory(), Rights("shop")), RecentChanges(), ANN, None), bell, None, lambda: heard[0]
        )
        told = [await anext(parts)]
        for now in (False, True):
            heard[0] = now
            asyncio.get_running_loop().call_later(0.01, bell.ring)
            told.append(await asyncio.wait_for(anext(parts), 10))
        return told

    assert [part.decode().partition("\nid")[0].rpartition(" ")[2] for part in asyncio.run(scene())] == [
        "ready", "lost", "ready",
    ]  # fmt: skip


def test_a_stream_ends_where_nobody_can_say_what_its_viewer_may_watch() -> None:
    changes = RecentChanges()

    class Away(Rights):
        def allows(self, viewer: Viewer, verb: str, kind: Kind, namespace: str | None) -> bool:
            raise ClusterUnavailable(f"It does not say whether {viewer.name} may {verb} {kind.name} in {namespace}.")

    async def scene() -> list[bytes]:
        feed = _Feed(LookUp(Memory(), Away()), changes, ANN, None)
        changes.add(change("one"))
        return [part async for part in _parts(feed, Bell(), None, always)]

    assert len(asyncio.run(asyncio.wait_for(scene(), 10))) == 1
