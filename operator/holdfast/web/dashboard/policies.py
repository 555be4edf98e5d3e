"""The page of a policy."""

from fastapi import APIRouter, Response

from holdfast.ports import BACKUP_RUN, RESTORE_RUN
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.restore_run import RestoreRun
from holdfast.services.rights import SEND_TEST_MAIL
from holdfast.web.dashboard.desk import Desk, Name, Namespace
from holdfast.web.dashboard.door import SignedIn, Visitor
from holdfast.web.dashboard.views.policy import policy_view


def add_policies(router: APIRouter, desk: Desk) -> None:
    @router.get("/policies/{namespace}/{name}")
    def policy_page(visitor: SignedIn, namespace: Namespace, name: Name) -> Response:
        policy = desk.look_up.policy(visitor.viewer, namespace, name)
        runs = desk.look_up.runs_of(policy).models()
        view = policy_view(policy, runs, _restores(desk, visitor, policy), desk.clock())
        facts = {
            "view": view,
            "may_back_up": desk.may(visitor, "create", BACKUP_RUN, namespace),
            "may_mail": desk.mails.on and desk.may(visitor, SEND_TEST_MAIL.verb, SEND_TEST_MAIL.kind, namespace),
            "may_restore": desk.may(visitor, "create", RESTORE_RUN, namespace),
        }
        return desk.pages.page("policy.html", visitor, facts)


def _restores(desk: Desk, visitor: Visitor, policy: BackupPolicy) -> list[RestoreRun] | None:
    """Newest first. None: the viewer may not see any."""
    place = policy.metadata.namespace
    if not desk.may(visitor, "list", RESTORE_RUN, place):
        return None
    found = desk.look_up.restores(visitor.viewer, place).models()
    return [one for one in found if one.policy_name == policy.metadata.name]
