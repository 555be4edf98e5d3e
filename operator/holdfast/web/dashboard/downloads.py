"""A backup as a file, from the page of its run: what refuses it is a page, not a document for programs."""

from fastapi import APIRouter, Request, Response

from holdfast.errors import BackupNotFound, HoldfastError
from holdfast.web.dashboard.desk import Desk, Name, Namespace, refusal
from holdfast.web.dashboard.door import SignedIn
from holdfast.web.download import DownloadFormat, Wanted


def add_downloads(router: APIRouter, desk: Desk) -> None:
    @router.get("/runs/{namespace}/{name}/download")
    def download(request: Request, visitor: SignedIn, namespace: Namespace, name: Name) -> Response:
        """The backup of a run, as one JSON file."""
        run = desk.look_up.run(visitor.viewer, namespace, name)
        if not run.stored:
            raise BackupNotFound(f"The run {name} has no backup, or none any more.", hint="Choose another run.")
        wanted = Wanted(run.status.backup_id, DownloadFormat.JSON, "")

        def refuse(error: HoldfastError) -> Response:
            return refusal(desk.pages, request, error)

        return desk.downloads.answer(
            request, visitor.viewer, namespace, run.spec.policy_ref.name, wanted, refuse=refuse
        )
