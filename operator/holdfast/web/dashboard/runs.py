"""The page of a run, live while it works."""

from fastapi import APIRouter, Response

from holdfast.web.dashboard.desk import Desk, Name, Namespace
from holdfast.web.dashboard.door import SignedIn
from holdfast.web.dashboard.views.run import run_view


def add_runs(router: APIRouter, desk: Desk) -> None:
    @router.get("/runs/{namespace}/{name}")
    def run_page(visitor: SignedIn, namespace: Namespace, name: Name) -> Response:
        run = desk.look_up.run(visitor.viewer, namespace, name)
        return desk.pages.page("run.html", visitor, {"view": run_view(run, desk.clock())})
