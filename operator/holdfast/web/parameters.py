"""What the endpoints take, and who asks."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from holdfast.ports import Viewer
from holdfast.services.know_viewers import KnownViewers
from holdfast.web.problems import Unknown, documented
from holdfast.web.session import session_of

TOKEN_LIMIT = 16_384
PAGE = 50
PAGE_LIMIT = 500
REFUSALS = documented(
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)

NAME = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"
_BEARER = HTTPBearer(auto_error=False, description="A token of the cluster, such as `kubectl create token` gives.")

Namespace = Annotated[
    str | None, Query(description="Only there. Default: wherever you may look.", max_length=63, pattern=NAME)
]
Policy = Annotated[str | None, Query(description="Name of a BackupPolicy.", max_length=253, pattern=NAME)]
Limit = Annotated[int, Query(description="How many at most.", ge=1, le=PAGE_LIMIT)]
After = Annotated[str | None, Query(description="The `after` of the page before.", max_length=1000)]


Automated = Annotated[
    bool,
    Query(description="No file: make sure that the runs that are due on schedule exist. For this no token is needed."),
]


async def who(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
) -> Viewer:
    """Whose token it is, by the application's reviewer; to look, the session of a page will do too. Raises Unknown."""
    # A browser sends its cookie along with whatever it is made to send: nothing may be changed by that alone.
    session = session_of(request) if credentials is None and request.method in ("GET", "HEAD") else None
    token = session.token if session else credentials.credentials if credentials else None
    if token is None:
        raise Unknown("The request has no token.")
    reviewer: KnownViewers = request.app.state.reviewer
    viewer = None
    if 0 < len(token) <= TOKEN_LIMIT:
        # Mostly it is remembered: a thread is for those who have to wait.
        known = reviewer.remembers(token)
        viewer = reviewer.identify(token) if known else await run_in_threadpool(reviewer.identify, token)
    if viewer is None:
        raise Unknown("The cluster does not know this token, or it has expired, or it was made for something else.")
    return viewer


async def who_unless_automated(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    automated: Automated = False,
) -> Viewer | None:
    """None where nobody needs to be known."""
    return None if automated else await who(request, credentials)


def origin_of(request: Request) -> str:
    """The address that the request came from."""
    return request.client.host if request.client else ""


Somebody = Annotated[Viewer, Depends(who)]
SomebodyUnlessAutomated = Annotated[Viewer | None, Depends(who_unless_automated)]
