"""People, as the Kubernetes cluster knows them."""

from dataclasses import dataclass
from typing import Protocol

from holdfast.ports.kinds import Kind


@dataclass(frozen=True)
class Viewer:
    """Somebody whose token the cluster knows: what it says of them, and asks for again to judge rights."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Reviewer(Protocol):
    """Who somebody is and what they may do, by the cluster's own word. ClusterUnavailable when it gives none."""

    def identify(self, token: str) -> Viewer | None:
        """None if the cluster does not know the token, or it was not made for us."""
        ...

    def allows(self, viewer: Viewer, verb: str, kind: Kind, namespace: str | None) -> bool:
        """Whether its RBAC lets them; without a namespace: in all of them."""
        ...
