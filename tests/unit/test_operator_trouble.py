"""What the operator's loop tells when something that nobody awaited goes wrong."""

import asyncio
import logging
from collections.abc import AsyncGenerator

import pytest

from holdfast.handlers.operator import tell_trouble


async def events() -> AsyncGenerator[int, None]:
    yield 1


def test_a_watch_that_is_cut_off_at_the_end_is_no_trouble(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.new_event_loop()
    error = RuntimeError("aclose(): asynchronous generator is already running")
    context = {"message": "an error occurred during closing", "exception": error, "asyncgen": events()}
    with caplog.at_level(logging.INFO):
        tell_trouble(loop, context)
    loop.close()
    assert not caplog.records


def test_all_else_is_told(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.new_event_loop()
    tell_trouble(loop, {"message": "a task broke", "exception": RuntimeError("no")})
    loop.close()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
