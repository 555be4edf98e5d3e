"""The application: who asks, the endpoints, and what every answer carries."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from holdfast.domain.phases import Phase, RestorePhase
from holdfast.ports import Mirror, Reviewer, Viewer
from holdfast.services.look_up import LookUp
from holdfast.version import VERSION
from holdfast.web.answers import (
    RECENT_RUNS,
    BackupStatus,
    Policies,
    PolicyAnswer,
    Problem,
    RestoreAnswer,
    Restores,
    RunAnswer,
    Runs,
)
from holdfast.web.pages import page
from holdfast.web.problems import Unknown, add_problems, answer, documented

TOKEN_LIMIT = 16_384
PAGE = 50
PAGE_LIMIT = 500
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_NAME = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"
_REFUSALS = documented(
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)

Namespace = Annotated[
    str | None, Query(description="Only there. Default: wherever you may look.", max_length=63, pattern=_NAME)
]
Policy = Annotated[str | None, Query(description="Name of a BackupPolicy.", max_length=253, pattern=_NAME)]
Limit = Annotated[int, Query(description="How many at most.", ge=1, le=PAGE_LIMIT)]
After = Annotated[str | None, Query(description="The `after` of the page before.", max_length=1000)]


def create_app(mirror: Mirror, reviewer: Reviewer) -> FastAPI:
    # No pages for the OpenAPI document: they would load scripts from outside.
    app = FastAPI(title="Holdfast", version=VERSION, openapi_url="/api/openapi.json", docs_url=None, redoc_url=None)
    look_up = LookUp(mirror, reviewer)
    bearer = HTTPBearer(auto_error=False, description="A token of the cluster, such as `kubectl create token` gives.")

    def who(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> Viewer:
        if credentials is None:
            raise Unknown("The request has no token.")
        token = credentials.credentials
        viewer = reviewer.identify(token) if 0 < len(token) <= TOKEN_LIMIT else None
        if viewer is None:
            raise Unknown("The cluster does not know this token, or it has expired, or it was made for something else.")
        return viewer

    somebody = Annotated[Viewer, Depends(who)]

    @app.middleware("http")
    async def _headers(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await go_on(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    @app.get("/healthz", include_in_schema=False)
    def healthz() -> Response:
        """Ready once the cluster has been read."""
        if mirror.complete():
            return Response("ok", media_type="text/plain")
        return answer(HTTPStatus.SERVICE_UNAVAILABLE, "Starting", "The cluster is still being read.")

    @app.get(
        "/api/admin/backup-status",
        response_model_exclude_none=True,
        responses={**_REFUSALS, **documented(HTTPStatus.NOT_FOUND)},
    )
    def backup_status(viewer: somebody, namespace: Namespace = None, policy: Policy = None) -> BackupStatus:
        """How a policy does: health, statistics, schedule, retention, storage and the newest runs. Neither name is
        needed where you may see one policy only."""
        found = look_up.policy(viewer, namespace, policy)
        return BackupStatus.of(found, look_up.runs_of(found).models(slice(RECENT_RUNS)))

    @app.get("/api/policies", response_model_exclude_none=True, responses=_REFUSALS)
    def policies(viewer: somebody, namespace: Namespace = None, limit: Limit = PAGE, after: After = None) -> Policies:
        """The BackupPolicies that you may list, by namespace and name."""
        found = look_up.policies(viewer, namespace)
        part, more = page(found.places, after, limit)
        return Policies(items=tuple(PolicyAnswer.of(one) for one in found.models(part)), after=more)

    @app.get("/api/runs", response_model_exclude_none=True, responses=_REFUSALS)
    def runs(
        viewer: somebody,
        namespace: Namespace = None,
        policy: Policy = None,
        phase: Phase | None = None,
        limit: Limit = PAGE,
        after: After = None,
    ) -> Runs:
        """The BackupRuns that you may list, newest first."""
        found = look_up.runs(viewer, namespace, policy, phase)
        part, more = page(found.places, after, limit)
        return Runs(items=tuple(RunAnswer.of(one) for one in found.models(part)), after=more)

    @app.get("/api/restores", response_model_exclude_none=True, responses=_REFUSALS)
    def restores(
        viewer: somebody,
        namespace: Namespace = None,
        phase: RestorePhase | None = None,
        limit: Limit = PAGE,
        after: After = None,
    ) -> Restores:
        """The RestoreRuns that you may list, newest first."""
        found = look_up.restores(viewer, namespace, phase)
        part, more = page(found.places, after, limit)
        return Restores(items=tuple(RestoreAnswer.of(one) for one in found.models(part)), after=more)

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
