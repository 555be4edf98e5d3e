"""One policy: how it does, and a backup of it at once."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus

from fastapi import FastAPI, Request

from holdfast.errors import HoldfastError
from holdfast.ports import Cluster, Reviewer
from holdfast.services.look_up import LookUp
from holdfast.services.start_backup import start_backup
from holdfast.web.answers import RECENT_RUNS, BackupStatus, Started
from holdfast.web.audit import Audit
from holdfast.web.parameters import REFUSALS, Namespace, Policy, Somebody
from holdfast.web.problems import documented


def add_status(app: FastAPI, look_up: LookUp) -> None:
    @app.get(
        "/api/admin/backup-status",
        response_model_exclude_none=True,
        responses={**REFUSALS, **documented(HTTPStatus.NOT_FOUND)},
    )
    def backup_status(viewer: Somebody, namespace: Namespace = None, policy: Policy = None) -> BackupStatus:
        """How a policy does: health, statistics, schedule, retention, storage and the newest runs. Neither name is
        needed where you may see one policy only."""
        found = look_up.policy(viewer, namespace, policy)
        return BackupStatus.of(found, look_up.runs_of(found).models(slice(RECENT_RUNS)))


def add_backup(
    app: FastAPI,
    look_up: LookUp,
    cluster: Cluster,
    reviewer: Reviewer,
    audit: Audit,
    clock: Callable[[], datetime],
) -> None:
    @app.post(
        "/api/admin/backup",
        status_code=HTTPStatus.ACCEPTED,
        responses={**REFUSALS, **documented(HTTPStatus.NOT_FOUND)},
    )
    def backup(request: Request, viewer: Somebody, namespace: Namespace = None, policy: Policy = None) -> Started:
        """Start a backup. Neither name is needed where you may see one policy only. The run goes on by itself."""
        origin = request.client.host if request.client else ""
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
