"""How much somebody may send: forms and a few words. More is refused before it is read, whoever it comes from."""

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast.web.problems import answer

BODY_LIMIT = 128 * 1024


class BodyLimit:
    """Answers 413 to what is too large by its own word, or turns out to be."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        # The server has refused what is no number, and reads no more than that number.
        if int(headers.get("content-length", "0")) > BODY_LIMIT:
            await _refuse(scope, receive, send)
        elif "transfer-encoding" not in headers:
            await self._app(scope, receive, send)
        elif (told := await _read(receive)) is None:
            await _refuse(scope, receive, send)
        else:
            await self._app(scope, _again(told, receive), send)


async def _read(receive: Receive) -> list[Message] | None:
    """A body that does not say how large it is; None if it is too large."""
    told: list[Message] = []
    size, more = 0, True
    while more:
        message = await receive()
        told.append(message)
        size += len(message.get("body", b""))
        if size > BODY_LIMIT:
            return None
        more = message.get("more_body", False)
    return told


def _again(told: list[Message], receive: Receive) -> Receive:
    """What was read, then what comes."""
    waiting = iter(told)

    async def next_one() -> Message:
        return next(waiting, None) or await receive()

    return next_one


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    # The rest of the body is on its way: nobody reads it, so nothing else can follow on this connection.
    refusal = answer(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "TooLarge",
        f"The body of the request is larger than {BODY_LIMIT // 1024} KiB.",
        "Nothing here takes that much: most take no body at all.",
        {"Connection": "close"},
    )
    await refusal(scope, receive, send)
