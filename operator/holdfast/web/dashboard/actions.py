"""What somebody may do from a page, each under their own rights and in the audit log."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from holdfast.errors import HoldfastError
from holdfast.ports import BACKUP_RUN, KubeObject, Viewer
from holdfast.resources.run import BackupRun
from holdfast.services.hold import hold_for
from holdfast.services.start_backup import start_backup
from holdfast.specs.sample_letters import Sample
from holdfast.web.dashboard.desk import Desk, Name, Namespace, go_to
from holdfast.web.dashboard.door import Change, SignedIn
from holdfast.web.parameters import origin_of


@dataclass
class Entry:
    """What the audit log is told; ``name`` may become better known while it is done."""

    name: str


@contextmanager
def audited(desk: Desk, request: Request, viewer: Viewer, action: str, namespace: str, name: str) -> Iterator[Entry]:
    """Tell of an action, whether it is done or refused."""
    entry, origin = Entry(name), origin_of(request)
    try:
        yield entry
    except HoldfastError as error:
        desk.audit.tell(viewer, action, namespace, entry.name, origin=origin, result=error.reason)
        raise
    desk.audit.tell(viewer, action, namespace, entry.name, origin=origin, result="Done")


def add_actions(router: APIRouter, desk: Desk) -> None:
    @router.post("/policies/{namespace}/{name}/backup")
    def back_up_now(request: Request, visitor: SignedIn, _form: Change, namespace: Namespace, name: Name) -> Response:
        """A backup at once; on to its page."""
        with audited(desk, request, visitor.viewer, "Backup", namespace, name) as entry:
            policy = desk.look_up.policy(visitor.viewer, namespace, name)
            run = entry.name = start_backup(desk.cluster, desk.reviewer, visitor.viewer, policy, desk.clock())
        desk.arrivals.wait_for(BACKUP_RUN, namespace, run)
        return go_to(f"/runs/{namespace}/{run}")

    @router.post("/policies/{namespace}/{name}/test-mail")
    def send_test_mail(
        request: Request, visitor: SignedIn, _form: Change, namespace: Namespace, name: Name
    ) -> Response:
        """A mail that says that mail works, to those who get the others of the policy."""
        sent = desk.mails.send(request, visitor.viewer, namespace, name, Sample.TEST)
        return desk.pages.page("mail-sent.html", visitor, {"sent": sent})

    @router.post("/runs/{namespace}/{name}/hold")
    def hold(request: Request, visitor: SignedIn, _form: Change, namespace: Namespace, name: Name) -> Response:
        """Keep a backup for ever."""
        return _hold(request, visitor.viewer, namespace, name, hold=True)

    @router.post("/runs/{namespace}/{name}/release")
    def release(request: Request, visitor: SignedIn, _form: Change, namespace: Namespace, name: Name) -> Response:
        """Let a backup go again."""
        return _hold(request, visitor.viewer, namespace, name, hold=False)

    def _hold(request: Request, viewer: Viewer, namespace: str, name: str, *, hold: bool) -> Response:
        def shown(body: KubeObject) -> bool:
            return BackupRun.model_validate(body).held == hold

        with audited(desk, request, viewer, "Hold" if hold else "Release", namespace, name):
            run = desk.look_up.run(viewer, namespace, name)
            hold_for(desk.cluster, desk.reviewer, viewer, run, hold=hold)
        desk.arrivals.wait_for(BACKUP_RUN, namespace, name, shown)
        return go_to(f"/runs/{namespace}/{name}")
