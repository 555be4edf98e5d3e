"""The page of a run, live while it works."""

from fastapi import APIRouter, Response

from holdfast.ports import BACKUP_RUN, RESTORE_RUN
from holdfast.web.dashboard.desk import Desk, Name, Namespace
from holdfast.web.dashboard.door import SignedIn
from holdfast.web.dashboard.views.run import run_view


def add_runs(router: APIRouter, desk: Desk) -> None:
    @router.get("/runs/{namespace}/{name}")
    def run_page(visitor: SignedIn, namespace: Namespace, name: Name) -> Response:
        run = desk.look_up.run(visitor.viewer, namespace, name)
        facts = {
            "view": run_view(run, desk.clock()),
            "may_hold": run.stored and desk.may(visitor, "patch", BACKUP_RUN, namespace),
            "may_download": run.stored and desk.may_download(visitor, namespace),
            "may_restore": run.stored and desk.may(visitor, "create", RESTORE_RUN, namespace),
        }
        return desk.pages.page("run.html", visitor, facts)
