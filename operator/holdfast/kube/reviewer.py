"""The Reviewer port: TokenReview and SubjectAccessReview."""

from collections.abc import Sequence
from typing import Any

from holdfast.errors import ClusterUnavailable, NotAuthorized
from holdfast.kube.connection import Connection, Refused
from holdfast.ports import Kind, Viewer

TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCESS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


class KubeReviewer:
    """Asks the API server anew each time; ``services/know_viewers.py`` remembers."""

    def __init__(self, connection: Connection, audiences: Sequence[str] = ()) -> None:
        """``audiences``: a token must be for one of them; none: for the API server itself."""
        self._connection, self._audiences = connection, frozenset(audiences)

    def identify(self, token: str) -> Viewer | None:
        spec = {"token": token, **({"audiences": sorted(self._audiences)} if self._audiences else {})}
        status = self._review(TOKENS, "authentication.k8s.io/v1", "TokenReview", spec)
        if not status.get("authenticated"):
            return None
        # An authenticator that knows no audiences leaves them out: then the token is for the API server, not for us.
        if self._audiences and not self._audiences & set(status.get("audiences") or ()):
            return None
        user = status.get("user") or {}
        return Viewer(
            name=user.get("username", ""),
            uid=user.get("uid", ""),
            groups=tuple(user.get("groups") or ()),
            extra=tuple(sorted((key, tuple(values)) for key, values in (user.get("extra") or {}).items())),
        )

    def allows(self, viewer: Viewer, verb: str, kind: Kind, namespace: str | None) -> bool:
        group = kind.api_version.rpartition("/")[0]
        resource, _, subresource = kind.plural.partition("/")
        attributes = {"verb": verb, "group": group, "resource": resource, "subresource": subresource}
        spec = {
            "user": viewer.name,
            "uid": viewer.uid,
            "groups": list(viewer.groups),
            "extra": {key: list(values) for key, values in viewer.extra},
            "resourceAttributes": {**attributes, "namespace": namespace or ""},
        }
        status = self._review(ACCESS, "authorization.k8s.io/v1", "SubjectAccessReview", spec)
        return bool(status.get("allowed")) and not status.get("denied")

    def _review(self, path: str, api_version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
        body = {"apiVersion": api_version, "kind": kind, "spec": spec}
        try:
            answer = self._connection.request("POST", path, body=body)
        except Refused as refused:
            raise ClusterUnavailable(f"The Kubernetes API offers no {kind}.") from refused
        except NotAuthorized as error:  # our own want of rights, not that of whom we ask about
            raise ClusterUnavailable(
                f"Holdfast may not create a {kind}.", hint="Bind the ClusterRole of the chart's web to its account."
            ) from error
        status: dict[str, Any] = answer.get("status") or {}
        return status
