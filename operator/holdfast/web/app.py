"""The application: its endpoints, and what every answer carries."""

import time
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus

from fastapi import FastAPI, Response

from holdfast.ports import Cluster, Mirror
from holdfast.services.know_viewers import KnownViewers
from holdfast.services.look_up import LookUp
from holdfast.services.recent_changes import RecentChanges
from holdfast.version import VERSION
from holdfast.web.admin import add_status
from holdfast.web.answers import Problem
from holdfast.web.audit import Audit
from holdfast.web.automated import Automated
from holdfast.web.body_limit import BodyLimit
from holdfast.web.dashboard import add_dashboard
from holdfast.web.download import Downloads
from holdfast.web.event_stream import Bell
from holdfast.web.events import add_events
from holdfast.web.features import Features
from holdfast.web.get_backup import add_get_backup
from holdfast.web.headers import Headers
from holdfast.web.lists import add_lists
from holdfast.web.post_backup import add_post_backup
from holdfast.web.problems import add_problems, answer
from holdfast.web.sample_mails import SampleMails, add_sample_mails
from holdfast.web.session import Sessions

_WAIT = "It is tried again all the time."


def create_app(
    mirror: Mirror,
    reviewer: KnownViewers,
    cluster: Cluster,
    audit: Audit,
    sessions: Sessions,
    clock: Callable[[], datetime],
    bell: Bell,
    features: Features,
) -> FastAPI:
    """``bell``: close it when the server is to end; streams end by it."""
    # No pages for the OpenAPI document: they would load scripts from outside.
    app = FastAPI(title="Holdfast", version=VERSION, openapi_url="/api/openapi.json", docs_url=None, redoc_url=None)
    app.state.reviewer = reviewer
    app.add_middleware(BodyLimit)
    app.add_middleware(Headers)

    @app.get("/healthz", include_in_schema=False)
    def healthz() -> Response:
        """It lives: to start it anew would help nobody, whatever the cluster does."""
        return Response("ok", media_type="text/plain")

    @app.get("/readyz", include_in_schema=False)
    def readyz() -> Response:
        """It shows what is: the cluster has been read, and is followed."""
        if mirror.current():
            return Response("ok", media_type="text/plain")
        if mirror.complete():
            return answer(HTTPStatus.SERVICE_UNAVAILABLE, "Behind", "The Kubernetes API does not answer.", _WAIT)
        return answer(HTTPStatus.SERVICE_UNAVAILABLE, "Starting", "The cluster is still being read.", _WAIT)

    look_up = LookUp(mirror, reviewer)
    add_status(app, look_up)
    add_post_backup(app, look_up, cluster, reviewer, audit, clock, bell)
    downloads = Downloads(look_up, features.opener, cluster, audit, clock, time.monotonic)
    allowed, secret = features.automated, features.cron_secret
    due = Automated(cluster, mirror, audit, clock, time.monotonic, allowed=allowed, secret=secret)
    add_get_backup(app, downloads, due)
    mails = SampleMails(look_up, features.mailer, cluster, audit, clock, time.monotonic, features.house)
    add_sample_mails(app, mails)
    add_lists(app, look_up)
    changes = RecentChanges()
    changes.listen(bell.ring)
    mirror.listen(changes.add)
    mirror.attend(bell.ring)
    add_events(app, look_up, changes, bell, mirror.current)
    add_dashboard(app, mirror, look_up, reviewer, cluster, audit, sessions, clock, mails, downloads)
    add_problems(app)
    _name_problem(app)
    return app


def _name_problem(app: FastAPI) -> None:
    """Put the model of a problem into the OpenAPI document; no endpoint returns it, so nobody else does."""
    made = app.openapi

    def openapi() -> dict[str, object]:
        document = made()
        schema = Problem.model_json_schema(by_alias=True, mode="serialization")
        document["components"]["schemas"].setdefault("Problem", schema)
        return document

    app.openapi = openapi  # type: ignore[method-assign]
