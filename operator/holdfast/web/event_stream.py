"""An answer that goes on: what there is to tell, as it comes, for as long as somebody listens."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

SLOW_SECONDS = 30.0
"""Who takes nothing for so long is let go: its place is for others."""

_log = logging.getLogger(__name__)


class Bell:
    """Wakes all that wait in the server's loop. ``ring`` and ``close`` may come from any thread, or from a signal."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next = asyncio.Event()
        self.closed = False

    def next(self) -> asyncio.Event:
        """What the next ring sets. Take it before you look whether there is something to do."""
        self._loop = asyncio.get_running_loop()
        return self._next

    def ring(self) -> None:
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ring)

    def close(self) -> None:
        """From now on nobody is to wait any more."""
        self.closed = True
        self.ring()

    def _ring(self) -> None:
        waited, self._next = self._next, asyncio.Event()
        waited.set()


class EventStream(Response):
    """Server-sent events. It ends with its parts, with whoever listens, or when that one takes nothing any more."""

    media_type = "text/event-stream"

    def __init__(self, parts: AsyncGenerator[bytes, None], on_end: Callable[[], None]) -> None:
        # For proxies that would collect an answer before they hand it on.
        super().__init__(headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._parts, self._on_end = parts, on_end

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        telling = asyncio.create_task(self._tell(send))
        leaving = asyncio.create_task(left(receive))
        try:
            await asyncio.wait((telling, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (telling, leaving):
                task.cancel()
            await asyncio.gather(telling, leaving, return_exceptions=True)
            self._on_end()
        if not telling.cancelled():
            telling.result()

    async def _tell(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with aclosing(self._parts) as parts:
            async for part in parts:
                try:
                    async with asyncio.timeout(SLOW_SECONDS):
                        await send({"type": "http.response.body", "body": part, "more_body": True})
                except TimeoutError:
                    _log.info("A reader of events took nothing for %s seconds, and is let go.", SLOW_SECONDS)
                    return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def left(receive: Receive) -> None:
    """Returns when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
