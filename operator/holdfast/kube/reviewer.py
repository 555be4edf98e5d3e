"""The Reviewer port: by rights in the whole cluster, or by none but in some namespaces."""

from collections.abc import Mapping, Sequence
from typing import Any

from holdfast.errors import ClusterUnavailable, NotAuthorized
from holdfast.kube.connection import Connection, Refused
from holdfast.ports import Kind, Viewer

TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"
SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
ACCESS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


class KubeReviewer:
    """Asks the API server anew each time; ``services/know_viewers.py`` remembers."""

    def __init__(self, connection: Connection, audiences: Sequence[str] = ()) -> None:
        """``audiences``: a token must be for one of them; none: for the API server itself."""
        self._connection, self._audiences = connection, frozenset(audiences)

    def identify(self, token: str) -> Viewer | None:
        spec = {"token": token, **({"audiences": sorted(self._audiences)} if self._audiences else {})}
        status = _review(self._connection, TOKENS, "authentication.k8s.io/v1", "TokenReview", spec)
        if not status.get("authenticated"):
            return None
        # An authenticator that knows no audiences leaves them out: then the token is for the API server, not for us.
        if self._audiences and not self._audiences & set(status.get("audiences") or ()):
            return None
        return _viewer(status.get("user") or {})

    def allows(self, viewer: Viewer, verb: str, kind: Kind, namespace: str | None) -> bool:
        spec = _question(viewer, verb, kind, namespace)
        return _yes(_review(self._connection, ACCESS, "authorization.k8s.io/v1", "SubjectAccessReview", spec))


class NamespacedReviewer:
    """The same with no right in the whole cluster: a token itself asks whose it is, and in each of the namespaces a
    LocalSubjectAccessReview tells what that user may do there. Of other namespaces it says nothing but no."""

    def __init__(self, connection: Connection, namespaces: Sequence[str]) -> None:
        self._connection, self._namespaces = connection, frozenset(namespaces)

    def identify(self, token: str) -> Viewer | None:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            answer = self._connection.request("POST", SELF, body=body, token=token)
        except (Refused, NotAuthorized):
            return None
        return _viewer((answer.get("status") or {}).get("userInfo") or {})

    def allows(self, viewer: Viewer, verb: str, kind: Kind, namespace: str | None) -> bool:
        if namespace not in self._namespaces:
            return False
        path = f"/apis/authorization.k8s.io/v1/namespaces/{namespace}/localsubjectaccessreviews"
        spec = _question(viewer, verb, kind, namespace)
        body = {"metadata": {"namespace": namespace}}
        api_version, name = "authorization.k8s.io/v1", "LocalSubjectAccessReview"
        return _yes(_review(self._connection, path, api_version, name, spec, body))


def _viewer(user: Mapping[str, Any]) -> Viewer:
    return Viewer(
        name=user.get("username", ""),
        uid=user.get("uid", ""),
        groups=tuple(user.get("groups") or ()),
        extra=tuple(sorted((key, tuple(values)) for key, values in (user.get("extra") or {}).items())),
    )


def _question(viewer: Viewer, verb: str, kind: Kind, namespace: str | None) -> dict[str, Any]:
    group = kind.api_version.rpartition("/")[0]
    resource, _, subresource = kind.plural.partition("/")
    attributes = {"verb": verb, "group": group, "resource": resource, "subresource": subresource}
    return {
        "user": viewer.name,
        "uid": viewer.uid,
        "groups": list(viewer.groups),
        "extra": {key: list(values) for key, values in viewer.extra},
        "resourceAttributes": {**attributes, "namespace": namespace or ""},
    }


def _yes(status: Mapping[str, Any]) -> bool:
    return bool(status.get("allowed")) and not status.get("denied")


def _review(
    connection: Connection,
    path: str,
    api_version: str,
    kind: str,
    spec: dict[str, Any],
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    body = {"apiVersion": api_version, "kind": kind, "spec": spec, **(more or {})}
    try:
        answer = connection.request("POST", path, body=body)
    except Refused as refused:
        raise ClusterUnavailable(f"The Kubernetes API offers no {kind}.") from refused
    except NotAuthorized as error:  # our own want of rights, not that of whom we ask about
        raise ClusterUnavailable(
            f"Holdfast may not create a {kind}.", hint="Bind the role of the chart's web to its account."
        ) from error
    status: dict[str, Any] = answer.get("status") or {}
    return status
