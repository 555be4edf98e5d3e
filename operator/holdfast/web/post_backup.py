"""``POST /api/admin/backup``: a backup at once."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from holdfast.domain.phases import Phase
from holdfast.errors import HoldfastError
from holdfast.ports import Cluster, Reviewer, Viewer
from holdfast.resources.run import BackupRun
from holdfast.services.look_up import LookUp
from holdfast.services.start_backup import start_backup
from holdfast.web.answers import Finished, RunAnswer, Started
from holdfast.web.audit import Audit
from holdfast.web.event_stream import Bell
from holdfast.web.parameters import REFUSALS, Namespace, Policy, Somebody, origin_of
from holdfast.web.problems import answer, documented

WAIT_SECONDS = 600.0
LOOK_SECONDS = 5.0
"""Whether the client is still there; a change of the run is seen at once."""
GATHER_SECONDS = 0.2

_Wait = Annotated[
    bool, Query(description="Answer when the run has ended, or after ten minutes as without it: the run goes on.")
]


def add_post_backup(
    app: FastAPI,
    look_up: LookUp,
    cluster: Cluster,
    reviewer: Reviewer,
    audit: Audit,
    clock: Callable[[], datetime],
    bell: Bell,
) -> None:
    def start(viewer: Viewer, origin: str, namespace: str | None, policy: str | None) -> Started:
        place, name = namespace or "", policy or ""
        try:
            found = look_up.policy(viewer, namespace, policy)
            place, name = found.metadata.namespace, found.metadata.name
            run = start_backup(cluster, reviewer, viewer, found, clock())
        except HoldfastError as error:
            audit.tell(viewer, "Backup", place, name, origin=origin, result=error.reason)
            raise
        audit.tell(viewer, "Backup", place, run, origin=origin, result="Done")
        return Started(namespace=place, policy=name, name=run)

    @app.post(
        "/api/admin/backup",
        status_code=HTTPStatus.ACCEPTED,
        response_model=Started,
        responses={
            **REFUSALS,
            **documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
            int(HTTPStatus.OK): {"description": "With `wait`: it succeeded.", "model": Finished},
        },
    )
    async def backup(
        request: Request, viewer: Somebody, namespace: Namespace = None, policy: Policy = None, wait: _Wait = False
    ) -> Started | Response:
        """Start a backup. Neither name is needed where you may see one policy only. The run goes on by itself."""
        started = await run_in_threadpool(start, viewer, origin_of(request), namespace, policy)
        run = await _end_of(started, look_up, bell, request) if wait else None
        return _finished(started, run) if run else started


async def _end_of(started: Started, look_up: LookUp, bell: Bell, request: Request) -> BackupRun | None:
    """The run when it has ended; None if nobody waits any more, or it was deleted."""
    loop = asyncio.get_running_loop()
    deadline, seen = loop.time() + WAIT_SECONDS, False
    while not bell.closed and loop.time() < deadline and not await request.is_disconnected():
        rung = bell.next()
        run = look_up.started_run(started.namespace, started.name)
        if run is not None and run.status.terminal:
            return run
        if seen and run is None:
            return None
        seen = run is not None
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await rung.wait()
        except TimeoutError:
            continue
        await asyncio.sleep(GATHER_SECONDS)
    return None


def _finished(started: Started, run: BackupRun) -> Response:
    """Only what succeeded is answered as a success."""
    status, place = run.status, f"{started.namespace}/{started.name}"
    if status.phase is not Phase.SUCCEEDED:
        return answer(
            HTTPStatus.CONFLICT,
            status.reason or "BackupFailed",
            f"BackupRun {place} ended as {status.phase}: {status.message or 'nobody knows why'}",
            f"kubectl describe br/{started.name} -n {started.namespace} tells more.",
        )
    finished = Finished(namespace=started.namespace, policy=started.policy, name=started.name, run=RunAnswer.of(run))
    return JSONResponse(finished.to_wire())
