"""The dashboard: pages made on the server, for people with a browser, under the same rights as the API."""

import time
from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter, FastAPI, HTTPException, Response

from holdfast.domain.rate import Rate
from holdfast.ports import Cluster, Mirror, Reviewer
from holdfast.services.look_up import LookUp
from holdfast.web.audit import Audit
from holdfast.web.dashboard.actions import add_actions
from holdfast.web.dashboard.arrivals import Arrivals
from holdfast.web.dashboard.desk import Desk, route_class
from holdfast.web.dashboard.downloads import add_downloads
from holdfast.web.dashboard.home import add_home
from holdfast.web.dashboard.policies import add_policies
from holdfast.web.dashboard.render import Pages, StaticFiles
from holdfast.web.dashboard.restores import add_restores
from holdfast.web.dashboard.runs import add_runs
from holdfast.web.dashboard.sign_in import add_sign_in
from holdfast.web.download import Downloads
from holdfast.web.limits import Limiter
from holdfast.web.sample_mails import SampleMails
from holdfast.web.session import Sessions

FAILED_SIGN_INS = Rate(burst=10, seconds=30)
"""From one address."""


def add_dashboard(
    app: FastAPI,
    mirror: Mirror,
    look_up: LookUp,
    reviewer: Reviewer,
    cluster: Cluster,
    audit: Audit,
    sessions: Sessions,
    clock: Callable[[], datetime],
    mails: SampleMails,
    downloads: Downloads,
) -> None:
    """Give the application its pages, and its endpoints the sessions of those who look at them."""
    app.state.sessions = sessions
    files = StaticFiles()
    pages = Pages(files, clock)
    arrivals = Arrivals(mirror)
    sign_ins = Limiter("failed attempts to sign in from your address", FAILED_SIGN_INS, time.monotonic)
    desk = Desk(look_up, reviewer, cluster, audit, sessions, pages, arrivals, sign_ins, clock, downloads, mails)
    router = APIRouter(route_class=route_class(pages), include_in_schema=False)
    add_sign_in(router, desk)
    add_home(router, desk)
    add_policies(router, desk)
    add_runs(router, desk)
    add_downloads(router, desk)
    add_restores(router, desk)
    add_actions(router, desk)

    @app.get(files.path + "/{name}", include_in_schema=False)
    def static(name: str) -> Response:
        if answer := files.answer(name):
            return answer
        raise HTTPException(404)

    app.include_router(router)
