"""What somebody must be allowed before we do it for them, in the words of RBAC, and who says whether they are."""

from collections.abc import Collection
from dataclasses import dataclass

from holdfast.errors import NotAuthorized
from holdfast.ports import BACKUP_POLICY, Kind, Reviewer, Viewer

DOWNLOADS = Kind("holdfast.dev/v1alpha1", "BackupRun", "backupruns/download")
"""No object: the right to take a backup away."""
TEST_MAILS = Kind("holdfast.dev/v1alpha1", "BackupPolicy", "backuppolicies/testemail")
"""The same of a mail with sample data to those who get the mails of a policy."""


@dataclass(frozen=True)
class Right:
    verb: str
    kind: Kind


GET_POLICIES = Right("get", BACKUP_POLICY)
DOWNLOAD = Right("get", DOWNLOADS)
SEND_TEST_MAIL = Right("create", TEST_MAILS)

ROLES = {DOWNLOADS: "the chart's cluster role …:download", TEST_MAILS: "the cluster role edit"}
"""Which role holds a right, for messages."""


def check_right(reviewer: Reviewer, viewer: Viewer, verb: str, kind: Kind, namespace: str, *, role: str) -> None:
    """NotAuthorized if they may not; ``role``: the end of the name of the chart's cluster role that lets them."""
    if not reviewer.allows(viewer, verb, kind, namespace):
        raise NotAuthorized(
            f"{viewer.name} may not {verb} {kind.plural} in the namespace {namespace}.",
            hint=f"Bind a role that lets you, such as the chart's cluster role …:{role}, in that namespace.",
        )


class DownloadsForAll:
    """A Reviewer that lets everybody download whom the cluster knows, and asks another one for the rest."""

    def __init__(self, reviewer: Reviewer) -> None:
        self._reviewer = reviewer

    def identify(self, token: str) -> Viewer | None:
        return self._reviewer.identify(token)

    def allows(self, viewer: Viewer, verb: str, kind: Kind, namespace: str | None) -> bool:
        return Right(verb, kind) == DOWNLOAD or self._reviewer.allows(viewer, verb, kind, namespace)


class AdminsByName:
    """A Reviewer that lets some users do all that Holdfast does, and asks another one for the rest.

    ``names``: as the cluster knows them. Whose a token is, only the cluster says.
    """

    def __init__(self, reviewer: Reviewer, names: Collection[str]) -> None:
        self._reviewer, self._names = reviewer, frozenset(names)

    def identify(self, token: str) -> Viewer | None:
        return self._reviewer.identify(token)

    def allows(self, viewer: Viewer, verb: str, kind: Kind, namespace: str | None) -> bool:
        ours = kind.api_version == BACKUP_POLICY.api_version
        return (ours and viewer.name in self._names) or self._reviewer.allows(viewer, verb, kind, namespace)
