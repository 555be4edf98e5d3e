"""The application: its endpoints, and what every answer carries."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus

from fastapi import FastAPI, Response

from holdfast.ports import Cluster, Mirror, Reviewer
from holdfast.services.look_up import LookUp
from holdfast.services.recent_changes import RecentChanges
from holdfast.version import VERSION
from holdfast.web.admin import add_backup, add_status
from holdfast.web.answers import Problem
from holdfast.web.audit import Audit
from holdfast.web.dashboard import add_dashboard
from holdfast.web.event_stream import Bell
from holdfast.web.events import add_events
from holdfast.web.headers import Headers
from holdfast.web.lists import add_lists
from holdfast.web.problems import add_problems, answer
from holdfast.web.session import Sessions


def create_app(
    mirror: Mirror,
    reviewer: Reviewer,
    cluster: Cluster,
    audit: Audit,
    sessions: Sessions,
    clock: Callable[[], datetime],
    bell: Bell,
) -> FastAPI:
    """``bell``: close it when the server is to end; streams end by it."""
    # No pages for the OpenAPI document: they would load scripts from outside.
    app = FastAPI(title="Holdfast", version=VERSION, openapi_url="/api/openapi.json", docs_url=None, redoc_url=None)
    app.state.reviewer = reviewer
    app.add_middleware(Headers)

    @app.get("/healthz", include_in_schema=False)
    def healthz() -> Response:
        """Ready once the cluster has been read."""
        if mirror.complete():
            return Response("ok", media_type="text/plain")
        return answer(HTTPStatus.SERVICE_UNAVAILABLE, "Starting", "The cluster is still being read.")

    look_up = LookUp(mirror, reviewer)
    add_status(app, look_up)
    add_backup(app, look_up, cluster, reviewer, audit, clock)
    add_lists(app, look_up)
    changes = RecentChanges()
    changes.listen(bell.ring)
    mirror.listen(changes.add)
    add_events(app, look_up, changes, bell)
    add_dashboard(app, mirror, look_up, reviewer, cluster, audit, sessions, clock)
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
