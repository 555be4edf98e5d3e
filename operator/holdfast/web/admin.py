"""One policy: how it does."""

from http import HTTPStatus

from fastapi import FastAPI, Response

from holdfast.services.look_up import LookUp
from holdfast.web.answering import answered
from holdfast.web.answers import RECENT_RUNS, BackupStatus
from holdfast.web.parameters import REFUSALS, Namespace, Policy, Somebody
from holdfast.web.problems import documented


def add_status(app: FastAPI, look_up: LookUp) -> None:
    @app.get(
        "/api/admin/backup-status",
        response_model=BackupStatus,
        responses={**REFUSALS, **documented(HTTPStatus.NOT_FOUND)},
    )
    async def backup_status(viewer: Somebody, namespace: Namespace = None, policy: Policy = None) -> Response:
        """How a policy does: health, statistics, schedule, retention, storage and the newest runs. Neither name is
        needed where you may see one policy only."""

        def make() -> BackupStatus:
            found = look_up.policy(viewer, namespace, policy)
            return BackupStatus.of(found, look_up.runs_of(found).models(slice(RECENT_RUNS)))

        return await answered(make)
