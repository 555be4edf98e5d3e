"""What every page needs at hand, and how each refusal becomes a page of its own."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from holdfast.errors import HoldfastError, NotAuthorized, Unavailable
from holdfast.ports import Cluster, Kind, Reviewer
from holdfast.services.look_up import LookUp
from holdfast.services.rights import DOWNLOAD
from holdfast.web.audit import Audit
from holdfast.web.dashboard.arrivals import Arrivals
from holdfast.web.dashboard.door import SAFE, SignedOut, Visitor, visitor_of
from holdfast.web.dashboard.render import Pages
from holdfast.web.download import Downloads
from holdfast.web.limits import Limiter, TooMany
from holdfast.web.parameters import NAME
from holdfast.web.problems import hint_of, status_of
from holdfast.web.sample_mails import SampleMails
from holdfast.web.session import COOKIE, Sessions

Namespace = Annotated[str, Path(max_length=63, pattern=NAME)]
Name = Annotated[str, Path(max_length=253, pattern=NAME)]


@dataclass(frozen=True)
class Desk:
    """What the pages work with."""

    look_up: LookUp
    reviewer: Reviewer
    cluster: Cluster
    audit: Audit
    sessions: Sessions
    pages: Pages
    arrivals: Arrivals
    sign_ins: Limiter
    """Of each address: those that failed."""
    clock: Callable[[], datetime]
    downloads: Downloads
    mails: SampleMails

    def may(self, visitor: Visitor, verb: str, kind: Kind, namespace: str) -> bool:
        return self.reviewer.allows(visitor.viewer, verb, kind, namespace)

    def may_download(self, visitor: Visitor, namespace: str) -> bool:
        return self.downloads.on and self.may(visitor, DOWNLOAD.verb, DOWNLOAD.kind, namespace)


def go_to(path: str) -> Response:
    """On to another page, after a form or in place of this one."""
    return RedirectResponse(path, HTTPStatus.SEE_OTHER)


def route_class(pages: Pages) -> type[APIRoute]:
    """Routes whose refusals are pages: for a person, not for a program."""

    class PageRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handle_for_people(request: Request) -> Response:
                try:
                    return await handle(request)
                except SignedOut as out:
                    return _to_sign_in(request, over=out.over)
                except RequestValidationError:
                    return _refusal(pages, request, HTTPStatus.NOT_FOUND, "There is no such page.", "")
                except TooMany as error:
                    wait = f"Try again in {error.seconds} seconds."
                    return _refusal(pages, request, HTTPStatus.TOO_MANY_REQUESTS, f"Too many {error.what}.", wait)
                except HoldfastError as error:
                    return refusal(pages, request, error)

            return handle_for_people

    return PageRoute


def _to_sign_in(request: Request, *, over: bool) -> Response:
    # Where a form was sent, there may be no page to come back to.
    path = request.url.path if request.method in SAFE else "/"
    answer = go_to(f"/sign-in?next={quote(path, safe='')}{'&over=true' if over else ''}")
    answer.delete_cookie(COOKIE, secure=True, httponly=True, samesite="strict")
    return answer


def refusal(pages: Pages, request: Request, error: HoldfastError) -> Response:
    """A page that says what is wrong, and what to do."""
    return _refusal(pages, request, status_of(error), error.message, hint_of(error))


def _refusal(pages: Pages, request: Request, status: HTTPStatus, message: str, hint: str) -> Response:
    kind = "error"
    if status is HTTPStatus.FORBIDDEN:
        kind = NotAuthorized.reason
    elif status is HTTPStatus.SERVICE_UNAVAILABLE:
        kind = Unavailable.reason
    facts = {"kind": kind, "status": int(status), "message": message, "hint": hint}
    return pages.page("refusal.html", _visitor(request), facts, status)


def _visitor(request: Request) -> Visitor | None:
    try:
        return visitor_of(request)
    except (SignedOut, HoldfastError):
        return None
