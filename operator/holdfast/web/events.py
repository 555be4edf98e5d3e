"""Live changes: server-sent events, to each viewer those of what that viewer may watch."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Annotated

from fastapi import FastAPI, Header, Query
from fastapi.concurrency import run_in_threadpool

from holdfast.errors import ClusterUnavailable
from holdfast.ports import Viewer
from holdfast.services.look_up import LookUp
from holdfast.services.recent_changes import LIMIT, Note, RecentChanges
from holdfast.web.answers import ChangeAnswer
from holdfast.web.event_stream import Bell, EventStream
from holdfast.web.limits import Places
from holdfast.web.parameters import REFUSALS, Namespace, Somebody
from holdfast.web.problems import documented

HEARTBEAT_SECONDS = 15.0
LIFE_SECONDS = 300.0
"""After about so long a stream ends and its reader comes again, with a token that still counts, or not."""
GATHER_SECONDS = 0.2
"""What changes within it is told together: of a run that reports often nobody needs more."""
RETRY_MILLISECONDS = 2000
STREAMS = 2000
STREAMS_OF_ONE = 100

_Since = Annotated[str | None, Query(description="The `id` of an event: what came after it is told.", max_length=64)]
_LastEventId = Annotated[str | None, Header(description="The same, as browsers send it. It goes before.")]
_STREAM = {
    "description": "Events `ready` (from here on you miss nothing), `change` (its data is a ChangeAnswer), `reload` "
    "(you missed some: read anew what you show) and `lost` (nothing is heard of the cluster until `ready` comes).",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


def add_events(app: FastAPI, look_up: LookUp, changes: RecentChanges, bell: Bell, current: Callable[[], bool]) -> None:
    """``bell`` rings at each change, and closes when the server is to end. ``current``: whether changes are heard of
    at all; it rings for that too."""
    places = Places("open streams of events", STREAMS, STREAMS_OF_ONE)

    @app.get(
        "/api/events",
        status_code=HTTPStatus.OK,
        response_class=EventStream,
        responses={**REFUSALS, **documented(HTTPStatus.TOO_MANY_REQUESTS), int(HTTPStatus.OK): _STREAM},
    )
    def events(
        viewer: Somebody, namespace: Namespace = None, since: _Since = None, last_event_id: _LastEventId = None
    ) -> EventStream:
        """Changes of the policies, runs and restores that you may watch, as they happen: server-sent events."""
        look_up.check_watching(viewer, namespace)
        places.take(viewer.name)
        feed = _Feed(look_up, changes, viewer, namespace)
        return EventStream(_parts(feed, bell, last_event_id or since, current), lambda: places.give_back(viewer.name))


class _Feed:
    """What one viewer has not been told yet."""

    def __init__(self, look_up: LookUp, changes: RecentChanges, viewer: Viewer, namespace: str | None) -> None:
        self._look_up, self._changes, self._viewer, self._namespace = look_up, changes, viewer, namespace
        self.position = changes.position()

    def resume(self, position: str | None) -> bool:
        """Go on from where the viewer was; False if nobody knows what came after that."""
        if position is None:
            return True
        if self._changes.after(position) is None:
            return False
        self.position = position
        return True

    async def news(self) -> Sequence[Note] | None:
        """What changed since the last call; None if it was too much to keep."""
        notes = self._changes.after(self.position)
        if not notes:
            if notes is None:
                self.position = self._changes.position()
            return notes
        self.position = self._changes.position_after(notes[-1].number)
        return await run_in_threadpool(self._seen, notes)

    def _seen(self, notes: Sequence[Note]) -> Sequence[Note]:
        return [
            note
            for note in notes
            if self._namespace in (None, note.namespace)
            and self._look_up.may_watch(self._viewer, note.kind, note.namespace)
        ]


async def _parts(
    feed: _Feed, bell: Bell, position: str | None, current: Callable[[], bool]
) -> AsyncGenerator[bytes, None]:
    loop = asyncio.get_running_loop()
    # Not all at once: who came together comes back apart.
    end = loop.time() + LIFE_SECONDS * random.uniform(0.8, 1)  # noqa: S311
    known, followed = feed.resume(position), True
    yield f"retry: {RETRY_MILLISECONDS}\n".encode() + _event("ready" if known else "reload", feed.position, "{}")
    while not bell.closed and loop.time() < end:
        rung = bell.next()
        if current() != followed:
            followed = not followed
            yield _event("ready" if followed else "lost", feed.position, "{}")
        try:
            notes = await feed.news()
        except ClusterUnavailable:  # nobody says any more what this viewer may watch
            return
        if notes is None:
            yield _event("reload", feed.position, "{}")
        elif notes:
            yield b"".join(_change(note, feed.position) for note in notes)
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                await rung.wait()
        except TimeoutError:
            # A comment: who is gone is seen by it. The id moves on, behind what was not for this viewer.
            yield f": still here\nid: {feed.position}\n\n".encode()
        else:
            await asyncio.sleep(GATHER_SECONDS)


@lru_cache(maxsize=LIMIT)
def _change(note: Note, position: str) -> bytes:
    """The same for all that are told of it."""
    return _event("change", position, json.dumps(ChangeAnswer.of(note).to_wire()))


def _event(name: str, position: str, data: str) -> bytes:
    return f"event: {name}\nid: {position}\ndata: {data}\n\n".encode()
