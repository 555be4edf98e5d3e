"""``GET /api/admin/backup``: a backup as a file."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI, Header, Query, Request
from starlette.responses import JSONResponse, Response

from holdfast.web.automated import Automated
from holdfast.web.download import DownloadFormat, Downloads, Wanted
from holdfast.web.parameters import REFUSALS, Namespace, Policy, SomebodyUnlessAutomated
from holdfast.web.problems import documented

_Id = Annotated[
    str | None,
    Query(
        alias="id",
        description="The `backupId` of a run. Default: the newest good backup.",
        max_length=100,
        pattern=r"^[0-9A-Za-z][0-9A-Za-z-]*$",
    ),
]
_Format = Annotated[
    DownloadFormat,
    Query(alias="format", description="One file of canonical Extended JSON, or mongodump's archive."),
]
_Known = Annotated[str | None, Header(description="The `ETag` of a file that is there already.")]
_ANSWERS: dict[int | str, dict[str, Any]] = {
    int(HTTPStatus.OK): {
        "description": "The file. It is whole, or the connection breaks.",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    },
    int(HTTPStatus.NOT_MODIFIED): {"description": "It is the file of that `ETag`."},
    **documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UPGRADE_REQUIRED, HTTPStatus.TOO_MANY_REQUESTS),
}


def add_get_backup(app: FastAPI, downloads: Downloads, due: Automated) -> None:
    @app.get("/api/admin/backup", response_class=Response, response_model=None, responses={**REFUSALS, **_ANSWERS})
    def get_backup(
        request: Request,
        viewer: SomebodyUnlessAutomated,
        namespace: Namespace = None,
        policy: Policy = None,
        backup_id: _Id = None,
        form: _Format = DownloadFormat.JSON,
        if_none_match: _Known = None,
    ) -> Response:
        """A backup as a file, the newest good one unless you name another. Neither policy nor namespace is needed where
        you may download of one policy only. With `automated`, an AutomatedAnswer instead."""
        if viewer is None:
            return JSONResponse(due.answer(request, namespace, policy).to_wire())
        return downloads.answer(request, viewer, namespace, policy, Wanted(backup_id, form, if_none_match or ""))
