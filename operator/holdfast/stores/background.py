"""Wait for a client that is deaf to signals, in a way that a signal ends."""

import asyncio
from collections.abc import Awaitable, Callable
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")
_PATIENCE = 5.0


class Background:
    """An event loop on a thread of its own.

    A blocking call into native code holds a signal back until it returns, which is minutes with a server that does
    not answer. Whoever waits here instead is woken, and the call is cancelled. Thread-safe.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="object store", daemon=True)
        self._thread.start()

    def result(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """What ``call()`` gives when it is awaited there; raises what it raises."""

        async def awaited() -> Result:
            return await call()

        future = asyncio.run_coroutine_threadsafe(awaited(), self._loop)
        try:
            return future.result()
        finally:
            future.cancel()

    def close(self) -> None:
        """Cancel what still runs, and end the thread. Harmless a second time."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop).result(_PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
