"""Signing in with a token of the cluster, and out again."""

from contextlib import suppress
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from holdfast.errors import HoldfastError
from holdfast.ports import Viewer
from holdfast.web.dashboard.desk import Desk, go_to
from holdfast.web.dashboard.door import Change, Form, SignedIn
from holdfast.web.limits import TooMany
from holdfast.web.parameters import TOKEN_LIMIT, origin_of
from holdfast.web.session import COOKIE, session_of

UNKNOWN = "The cluster does not know this token, or it has expired, or it was made for something else."


def add_sign_in(router: APIRouter, desk: Desk) -> None:
    @router.get("/sign-in")
    def sign_in_page(
        request: Request, next_: Annotated[str, Query(alias="next", max_length=600)] = "/", over: bool = False
    ) -> Response:
        """The form. Who has signed in already goes on at once."""
        session = session_of(request)
        if session and desk.reviewer.identify(session.token):
            return go_to(_own_path(next_))
        return desk.pages.page("sign-in.html", None, {"next": _own_path(next_), "over": over, "problem": ""})

    @router.post("/sign-in")
    def sign_in(request: Request, form: Form) -> Response:
        """A session for a token that the cluster knows."""
        path, token = _own_path(form.get("next", "/")), form.get("token", "").strip()
        origin = origin_of(request)
        try:
            desk.sign_ins.check(origin)
            viewer = desk.reviewer.identify(token) if 0 < len(token) <= TOKEN_LIMIT and token.isascii() else None
            cookie = desk.sessions.begin(token) if viewer else ""
        except TooMany as refused:
            desk.audit.tell(Viewer(""), "SignIn", "", "", origin=origin, result=refused.reason)
            return _too_many(desk, path, refused)
        except HoldfastError as error:
            facts = {"next": path, "over": False, "problem": str(error)}
            return desk.pages.page("sign-in.html", None, facts, HTTPStatus.BAD_REQUEST)
        if viewer is None:
            with suppress(TooMany):  # it is this one that was one too many: the next is refused
                desk.sign_ins.admit(origin)
            desk.audit.tell(Viewer(""), "SignIn", "", "", origin=origin, result="Unauthorized")
            facts = {"next": path, "over": False, "problem": UNKNOWN}
            return desk.pages.page("sign-in.html", None, facts, HTTPStatus.UNAUTHORIZED)
        desk.audit.tell(viewer, "SignIn", "", "", origin=origin, result="Done")
        answer = go_to(path)
        seconds = int(desk.sessions.lifetime.total_seconds())
        answer.set_cookie(COOKIE, cookie, max_age=seconds, secure=True, httponly=True, samesite="strict")
        return answer

    @router.post("/sign-out")
    def sign_out(request: Request, visitor: SignedIn, _form: Change) -> Response:
        """The end of a session in this browser."""
        origin = origin_of(request)
        desk.audit.tell(visitor.viewer, "SignOut", "", "", origin=origin, result="Done")
        answer = go_to("/sign-in")
        answer.delete_cookie(COOKIE, secure=True, httponly=True, samesite="strict")
        return answer


def _too_many(desk: Desk, path: str, refused: TooMany) -> Response:
    problem = f"Too many {refused.what}. Try again in {refused.seconds} seconds."
    facts = {"next": path, "over": False, "problem": problem}
    answer = desk.pages.page("sign-in.html", None, facts, HTTPStatus.TOO_MANY_REQUESTS)
    answer.headers["Retry-After"] = str(refused.seconds)
    return answer


def _own_path(path: str) -> str:
    """A path of ours; the start page for anything that could lead elsewhere."""
    plain = path.isascii() and path.isprintable() and "\\" not in path
    return path if plain and path.startswith("/") and not path.startswith(("//", "/sign-")) else "/"
