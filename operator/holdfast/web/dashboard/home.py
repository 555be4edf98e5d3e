"""The start page: all policies at a glance."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from holdfast.errors import NotAuthorized
from holdfast.web.dashboard.desk import Desk
from holdfast.web.dashboard.door import SignedIn
from holdfast.web.dashboard.views.overview import overview
from holdfast.web.dashboard.views.strip import RUNS


def add_home(router: APIRouter, desk: Desk) -> None:
    @router.get("/")
    def home(
        visitor: SignedIn,
        text: Annotated[str, Query(alias="q", max_length=320)] = "",
        page: Annotated[int, Query(ge=1, le=10_000)] = 1,
    ) -> Response:
        try:
            policies = desk.look_up.policies(visitor.viewer).models()
        except NotAuthorized as error:
            return desk.pages.page("no-rights.html", visitor, {"message": error.message})
        view = overview(policies, lambda some: desk.look_up.newest_runs(some, RUNS), text=text.strip(), page=page)
        return desk.pages.page("home.html", visitor, {"view": view, "text": text.strip()})
