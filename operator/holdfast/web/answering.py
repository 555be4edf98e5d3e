"""Answers that are made of what lies in memory: many a second, none of which waits for anybody."""

from collections.abc import Callable

from anyio import CapacityLimiter, to_thread
from fastapi import Response

from holdfast.resources.base import Status

AT_ONCE = 4
"""It is all work for the interpreter, which does one thing at a time: more would hold up each other, and who sends."""

_makers = CapacityLimiter(AT_ONCE)


async def answered(make: Callable[[], Status]) -> Response:
    """What ``make`` returns, as JSON; it and its rights are looked up in a thread."""
    text = await to_thread.run_sync(lambda: make().model_dump_json(by_alias=True, exclude_none=True), limiter=_makers)
    return Response(text, media_type="application/json")
