"""Who comes in: the session of a page, and the proof that a change was asked for by a page of ours."""

import hmac
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from fastapi import Depends, Request

from holdfast.errors import InvalidSpec, NotAuthorized
from holdfast.ports import Viewer
from holdfast.web.session import COOKIE, Session, session_of

FORM_LIMIT = 64 * 1024
FIELDS_LIMIT = 50
FORM_TYPE = "application/x-www-form-urlencoded"
SECRET_FIELD = "secret"  # noqa: S105
SAFE = frozenset({"GET", "HEAD"})


class SignedOut(Exception):
    """Nobody has signed in here. ``over``: somebody had, and it does not count any more."""

    def __init__(self, *, over: bool) -> None:
        super().__init__("Nobody is signed in.")
        self.over = over


@dataclass(frozen=True)
class Visitor:
    """Who looks at a page."""

    viewer: Viewer
    session: Session


def visitor_of(request: Request) -> Visitor:
    """Raises SignedOut where there is no session, or the cluster does not take its token any more."""
    session = session_of(request)
    viewer = request.app.state.reviewer.identify(session.token) if session else None
    if session is None or viewer is None:
        raise SignedOut(over=COOKIE in request.cookies)
    return Visitor(viewer, session)


SignedIn = Annotated[Visitor, Depends(visitor_of)]


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form of a page of ours. InvalidSpec if it is none, NotAuthorized if it came from elsewhere."""
    _check_origin(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
        raise InvalidSpec("This is not a form of a page.", hint="Programs use the API: /api/openapi.json.")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > FORM_LIMIT:
            raise InvalidSpec(f"The form is larger than {FORM_LIMIT} bytes.", hint="Send less.")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_LIMIT))
    except ValueError as error:
        raise InvalidSpec("The form cannot be read.", hint="Reload the page, and try again.") from error


Form = Annotated[dict[str, str], Depends(form_of)]


def change_of(visitor: SignedIn, form: Form) -> dict[str, str]:
    """The fields of a form of this very session. NotAuthorized for any other."""
    if not hmac.compare_digest(form.get(SECRET_FIELD, "").encode(), visitor.session.secret.encode()):
        raise NotAuthorized(
            "This form was not made for your session.", hint="Go back, reload the page, and try it once more."
        )
    return form


Change = Annotated[dict[str, str], Depends(change_of)]


def _check_origin(request: Request) -> None:
    """What a browser says of where a form comes from. One that says nothing is no browser, or an old one."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        own = site == "same-origin"
    else:
        own = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not own:
        raise NotAuthorized("This form comes from another site.", hint="Open the dashboard itself, and do it there.")
