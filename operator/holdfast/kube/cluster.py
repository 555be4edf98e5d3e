"""The Cluster port over a connection to a real API server."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote

from holdfast.errors import HoldfastError
from holdfast.kube.connection import Connection, Refused
from holdfast.ports import EVENT, Clock, Kind, KubeObject

FIELD_MANAGER = "holdfast"
PAGE = 500
FEW = 100
"""Where objects are looked at one by one. Much smaller pages take longer than they save."""

_log = logging.getLogger(__name__)


class KubeCluster:
    """A Kubernetes cluster."""

    def __init__(
        self, connection: Connection, clock: Clock = lambda: datetime.now(UTC), *, manager: str = FIELD_MANAGER
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._manager = manager

    def get(self, kind: Kind, namespace: str, name: str) -> KubeObject | None:
        return self._or_none("GET", address(kind, namespace, name))

    def list(
        self, kind: Kind, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Sequence[KubeObject]:
        return self._pages(address(kind, namespace), _selected(labels))

    def each(
        self, kind: Kind, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Iterator[KubeObject]:
        return self._each(address(kind, namespace), _selected(labels), FEW)

    def create(self, kind: Kind, body: KubeObject) -> KubeObject | None:
        path = address(kind, body["metadata"]["namespace"])
        try:
            return self._object("POST", path, query={"fieldManager": self._manager}, body=_typed(kind, body))
        except Refused as refused:
            if refused.conflict and refused.reason == "AlreadyExists":
                return None
            raise HoldfastError(f"{kind.name} {_name(body)} cannot be created: {refused.reason}.") from refused

    def apply(self, kind: Kind, body: KubeObject) -> KubeObject:
        metadata = body["metadata"]
        try:
            return self._object(
                "PATCH",
                address(kind, metadata["namespace"], metadata["name"]),
                query={"fieldManager": self._manager, "force": "true"},
                body=_typed(kind, body),
                content_type="application/apply-patch+yaml",
            )
        except Refused as refused:
            raise HoldfastError(f"{kind.name} {_name(body)} cannot be applied: {refused.reason}.") from refused

    def patch(self, kind: Kind, current: KubeObject, changes: Mapping[str, Any]) -> KubeObject | None:
        return self._merge(kind, current, dict(changes), subresource="")

    def patch_status(self, kind: Kind, current: KubeObject, changes: Mapping[str, Any]) -> KubeObject | None:
        return self._merge(kind, current, {"status": dict(changes)}, subresource="/status")

    def delete(self, kind: Kind, current: KubeObject) -> bool:
        metadata = current["metadata"]
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": metadata["uid"]},
        }
        path = address(kind, metadata["namespace"], metadata["name"])
        return self._or_none("DELETE", path, body=options) is not None

    def events(self, about: KubeObject, reason: str) -> Sequence[KubeObject]:
        metadata = about["metadata"]
        query = {"fieldSelector": f"involvedObject.uid={metadata['uid']},reason={reason}"}
        return self._pages(address(EVENT, metadata["namespace"]), query)

    def record(
        self, about: KubeObject, kind: Kind, event: Literal["Normal", "Warning"], reason: str, note: str
    ) -> None:
        metadata = about["metadata"]
        now = self._clock().astimezone(UTC)
        moment = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        body = {
            "metadata": {"generateName": f"{metadata['name'][:200]}.", "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": kind.api_version,
                "kind": kind.name,
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata.get("uid", ""),
                "resourceVersion": metadata.get("resourceVersion", ""),
            },
            "type": event,
            "reason": reason,
            "message": note[:1024],
            "source": {"component": FIELD_MANAGER},
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
        }
        try:
            self._object("POST", address(EVENT, metadata["namespace"]), body=_typed(EVENT, body))
        except (HoldfastError, Refused) as error:
            _log.debug("The event %s could not be recorded: %s", reason, error)

    def _merge(
        self, kind: Kind, current: KubeObject, changes: dict[str, Any], *, subresource: str
    ) -> KubeObject | None:
        metadata = current["metadata"]
        guard = {"resourceVersion": metadata["resourceVersion"], "uid": metadata["uid"]}
        body = {**changes, "metadata": {**changes.get("metadata", {}), **guard}}
        return self._or_none(
            "PATCH",
            address(kind, metadata["namespace"], metadata["name"]) + subresource,
            query={"fieldManager": self._manager},
            body=body,
            content_type="application/merge-patch+json",
        )

    def _or_none(self, method: str, path: str, **options: Any) -> KubeObject | None:
        try:
            return self._object(method, path, **options)
        except Refused:
            return None

    def _object(self, method: str, path: str, **options: Any) -> KubeObject:
        answer: KubeObject = self._connection.request(method, path, **options)
        return answer

    def _pages(self, path: str, query: dict[str, str]) -> Sequence[KubeObject]:
        return list(self._each(path, query, PAGE))

    def _each(self, path: str, query: dict[str, str], limit: int) -> Iterator[KubeObject]:
        page = {**query, "limit": str(limit)}
        while True:
            try:
                answer = self._connection.request("GET", path, query=page)
            except Refused as refused:
                if "continue" in page and refused.gone:  # the list changed too much meanwhile: take it in one piece
                    yield from self._pages_whole(path, query)
                    return
                raise HoldfastError(
                    f"{path} is not known to the Kubernetes API.", hint="Are the CRDs of Holdfast installed?"
                ) from refused
            token = answer.get("metadata", {}).get("continue")
            yield from answer.pop("items", None) or ()
            if not token:
                return
            page["continue"] = token

    def _pages_whole(self, path: str, query: dict[str, str]) -> Sequence[KubeObject]:
        items: list[KubeObject] = self._connection.request("GET", path, query=query).get("items") or []
        return items


def address(kind: Kind, namespace: str | None, name: str | None = None) -> str:
    """The path of an object, or of all of a kind."""
    root = "/api/v1" if kind.api_version == "v1" else f"/apis/{kind.api_version}"
    middle = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    end = f"/{quote(name, safe='')}" if name else ""
    return f"{root}{middle}/{kind.plural}{end}"


def _selected(labels: Mapping[str, str] | None) -> dict[str, str]:
    return {"labelSelector": ",".join(f"{key}={value}" for key, value in sorted(labels.items()))} if labels else {}


def _typed(kind: Kind, body: KubeObject) -> KubeObject:
    return {"apiVersion": kind.api_version, "kind": kind.name, **body}


def _name(body: KubeObject) -> str:
    return f"{body['metadata'].get('namespace')}/{body['metadata'].get('name')}"
