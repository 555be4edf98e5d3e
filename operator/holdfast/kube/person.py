"""The Kubernetes API as a person has it: the rights, the cluster and the namespace of a kubeconfig."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException

from holdfast.errors import ClusterUnavailable, InvalidSpec
from holdfast.kube.cluster import PAGE, KubeCluster
from holdfast.kube.connection import Connection, Refused
from holdfast.ports import Kind, KubeObject

FIELD_MANAGER = "kubectl-holdfast"
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@dataclass(frozen=True)
class Table:
    """What ``kubectl get`` would print: the API server itself makes the cells from the columns of the CRD."""

    columns: Sequence[Mapping[str, Any]]
    rows: Sequence[Mapping[str, Any]] = field(default_factory=list)
    """Each with its ``cells`` and its whole ``object``."""


class Person:
    """One user of a cluster."""

    def __init__(self, connection: Connection, namespace: str) -> None:
        self._connection = connection
        self.namespace = namespace
        """Where the person works unless another is named."""
        self.cluster = KubeCluster(connection, manager=FIELD_MANAGER)

    @classmethod
    def from_kubeconfig(
        cls, path: Path | None, context: str | None, *, connect_seconds: float = 5, read_seconds: float = 30
    ) -> "Person":
        """The user of a context; by default of the current one in KUBECONFIG or ~/.kube/config.

        InvalidSpec if a file or context that was named is not there, ClusterUnavailable if none was and there is none.
        """
        configuration = client.Configuration()
        file = str(path) if path else None
        try:
            config.load_kube_config(file, context=context, client_configuration=configuration)  # type: ignore[no-untyped-call]
            contexts, active = config.list_kube_config_contexts(file)  # type: ignore[no-untyped-call]
        except (ConfigException, OSError) as error:
            if path or context:
                raise InvalidSpec(
                    f"The kubeconfig has no such context, or cannot be read: {context or path}.",
                    hint="kubectl config get-contexts lists what there is.",
                ) from error
            raise ClusterUnavailable(
                "No Kubernetes cluster is configured.", hint="Set KUBECONFIG, or give --kubeconfig PATH."
            ) from error
        chosen = next((one for one in contexts if one["name"] == context), active)
        connection = Connection(
            client.ApiClient(configuration), connect_seconds=connect_seconds, read_seconds=read_seconds
        )
        return cls(connection, chosen["context"].get("namespace") or "default")

    def table(self, kind: Kind, namespace: str | None) -> Table:
        """All objects of a kind; of every namespace if none is named."""
        place = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        path = f"/apis/{kind.api_version}{place}/{kind.plural}"
        query = {"includeObject": "Object", "limit": str(PAGE)}
        columns: Sequence[Mapping[str, Any]] = []
        rows: list[Mapping[str, Any]] = []
        while True:
            try:
                page = self._connection.request("GET", path, query=query, accept=_TABLE)
            except Refused as refused:
                raise ClusterUnavailable(
                    f"The Kubernetes API does not list {kind.plural}: {refused.reason}.",
                    hint="Is Holdfast installed in this cluster? If it is, try again.",
                ) from refused
            columns = columns or page["columnDefinitions"]
            rows.extend(page.get("rows") or [])
            token = page.get("metadata", {}).get("continue")
            if not token:
                return Table(columns, rows)
            query["continue"] = token

    def need(self, kind: Kind, namespace: str, name: str, *, hint: str = "") -> KubeObject:
        """An object. InvalidSpec if it is not there."""
        found = self.cluster.get(kind, namespace, name)
        if found is None:
            raise InvalidSpec(f"There is no {kind.name} {namespace}/{name}.", hint=hint)
        return found

    def create(self, kind: Kind, body: KubeObject) -> KubeObject:
        """A new object, as the server has it. ``metadata.generateName`` will do."""
        path = f"/apis/{kind.api_version}/namespaces/{quote(body['metadata']['namespace'], safe='')}/{kind.plural}"
        typed = {"apiVersion": kind.api_version, "kind": kind.name, **body}
        try:
            made: KubeObject = self._connection.request("POST", path, query={"fieldManager": FIELD_MANAGER}, body=typed)
        except Refused as refused:
            raise InvalidSpec(f"The {kind.name} cannot be created: {refused.reason}.") from refused
        return made
