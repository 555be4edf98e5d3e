"""A file that is made while it is sent: nothing of it lies on a disk, and little of it in memory.

It is either sent to its end or broken off so that the client sees it: a part must not pass for the whole. HTTP/1.1 and
later show that by themselves, where the last piece is missing.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from http import HTTPStatus
from threading import Event
from typing import IO, cast

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from holdfast.errors import HoldfastError, Interrupted
from holdfast.web.event_stream import left

PIECE = 256 * 1024
SLOW_SECONDS = 60.0
"""Who takes nothing for so long is let go: its place is for others."""

Refuse = Callable[[HoldfastError], Response]
"""Makes the answer where there is no file."""

_log = logging.getLogger(__name__)


class Sink:
    """What a file is written into, in a thread of its own. Each write waits until the client has taken it.

    Interrupted once nobody takes any more."""

    def __init__(self, send: Send, loop: asyncio.AbstractEventLoop) -> None:
        self._send, self._loop = send, loop
        self._piece = bytearray()
        self._sending: asyncio.Task[None] | None = None
        self._closed = False
        self._headers: Mapping[str, str] = {}
        self.status = HTTPStatus.OK
        self.begun = False

    def describe(self, headers: Mapping[str, str], status: HTTPStatus = HTTPStatus.OK) -> None:
        """What stands before the file; it is sent with its first piece."""
        self._headers, self.status = headers, status

    def write(self, data: bytes) -> int:
        rest = memoryview(data)
        while rest:
            taken = PIECE - len(self._piece)
            self._piece += rest[:taken]
            rest = rest[taken:]
            if len(self._piece) == PIECE:
                self._hand_on(more=True)
        return len(data)

    def flush(self) -> None:
        """A file may be flushed at any time; the last piece goes with ``end``."""

    def end(self) -> None:
        """All was written."""
        self._hand_on(more=False)

    def file(self) -> IO[bytes]:
        return cast("IO[bytes]", self)

    def close(self) -> None:
        """Nobody takes any more. Call it in the loop."""
        self._closed = True
        if self._sending:
            self._sending.cancel()

    def _hand_on(self, *, more: bool) -> None:
        piece, self._piece = bytes(self._piece), bytearray()
        try:
            asyncio.run_coroutine_threadsafe(self._deliver(piece, more=more), self._loop).result()
        except (CancelledError, TimeoutError):
            raise Interrupted("The client takes no more of the file.") from None

    async def _deliver(self, piece: bytes, *, more: bool) -> None:
        if self._closed:
            raise TimeoutError
        self._sending = asyncio.current_task()
        try:
            async with asyncio.timeout(SLOW_SECONDS):
                if not self.begun:
                    self.begun = True
                    await self._send(_start(self.status, self._headers))
                await self._send({"type": "http.response.body", "body": piece, "more_body": more})
        finally:
            self._sending = None


class FileStream(Response):
    """``make`` writes the file; what it raises before the first piece is raised, and answered as a problem, or as
    ``refuse`` says.

    ``make`` must look at the event often: set, nobody waits for the file any more. ``on_end`` comes in any case, with
    what went wrong, if anything did.
    """

    def __init__(
        self,
        make: Callable[[Sink, Event], None],
        on_end: Callable[[Exception | None], None],
        refuse: Refuse | None = None,
    ) -> None:
        super().__init__()
        self._make, self._on_end, self._refuse = make, on_end, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sink, stop = Sink(send, asyncio.get_running_loop()), Event()
        making = asyncio.create_task(asyncio.to_thread(self._whole, sink, stop))
        leaving = asyncio.create_task(left(receive))
        try:
            await asyncio.wait((making, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.set()
            leaving.cancel()
            sink.close()
            [error, _] = await asyncio.gather(making, leaving, return_exceptions=True)
            failure = error if isinstance(error, Exception) else None
            await asyncio.to_thread(self._on_end, failure)
        if failure and not sink.begun and self._refuse and isinstance(failure, HoldfastError):
            await self._refuse(failure)(scope, receive, send)
        elif failure and not (sink.begun and isinstance(failure, HoldfastError)):
            raise failure
        elif failure:
            # Nothing more is sent: the server closes the connection before the end of the answer.
            _log.warning("A download broke off: %s", failure)

    def _whole(self, sink: Sink, stop: Event) -> None:
        self._make(sink, stop)
        sink.end()


def _start(status: HTTPStatus, headers: Mapping[str, str]) -> dict[str, object]:
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": int(status), "headers": raw}
