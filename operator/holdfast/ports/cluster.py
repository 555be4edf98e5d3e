"""The Kubernetes cluster: its API."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol

from holdfast.ports.kinds import Kind, KubeObject


class Cluster(Protocol):
    """The Kubernetes API; the contract is ``tests/support/cluster_contract.py``.

    ClusterUnavailable when it does not answer, NotAuthorized when it forbids, InvalidSpec when it finds an object
    invalid. What is not there is None, never an error.
    """

    def get(self, kind: Kind, namespace: str, name: str) -> KubeObject | None: ...

    def list(
        self, kind: Kind, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Sequence[KubeObject]:
        """All objects of a kind with all of these labels; of all namespaces if none is named."""
        ...

    def each(
        self, kind: Kind, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Iterator[KubeObject]:
        """The same, a few at a time, for what is too much to be held at once.

        It is no picture of one moment: what changes meanwhile may come twice, as it was and as it is.
        """
        ...

    def create(self, kind: Kind, body: KubeObject) -> KubeObject | None:
        """The new object, or None if one of its name exists."""
        ...

    def apply(self, kind: Kind, body: KubeObject) -> KubeObject:
        """Server-side apply as field manager ``holdfast``, taking the fields in ``body`` from whoever holds them."""
        ...

    def patch(self, kind: Kind, current: KubeObject, changes: Mapping[str, Any]) -> KubeObject | None:
        """A JSON merge patch of ``current``. None if it is gone, or was changed since it was read."""
        ...

    def patch_status(self, kind: Kind, current: KubeObject, changes: Mapping[str, Any]) -> KubeObject | None:
        """The same for its status; ``changes`` are those of the status itself."""
        ...

    def delete(self, kind: Kind, current: KubeObject) -> bool:
        """Delete exactly this object, with what it owns, without waiting. False if it is gone."""
        ...

    def events(self, about: KubeObject, reason: str) -> Sequence[KubeObject]:
        """Events of one reason about one object."""
        ...

    def record(
        self, about: KubeObject, kind: Kind, event: Literal["Normal", "Warning"], reason: str, note: str
    ) -> None:
        """Record an event. Never raises: an event is a courtesy."""
        ...
