"""One policy: how it does."""

from http import HTTPStatus

from fastapi import FastAPI

from holdfast.services.look_up import LookUp
from holdfast.web.answers import RECENT_RUNS, BackupStatus
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
