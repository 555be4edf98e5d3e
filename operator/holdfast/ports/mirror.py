"""The Kubernetes cluster, as it lies in memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from holdfast.ports.kinds import Kind, KubeObject


@dataclass(frozen=True)
class Change:
    """An object that is new, or other than it was, or gone; ``body``: as it was seen last. It belongs to the mirror."""

    kind: Kind
    body: KubeObject
    gone: bool = False


class Mirror(Protocol):
    """Objects of the cluster as they lie in memory, followed by watches: to look costs no request."""

    def complete(self) -> bool:
        """Whether all kinds have been listed once."""
        ...

    def current(self) -> bool:
        """Whether it is as the cluster is: not before it is complete, nor while the cluster cannot be followed."""
        ...

    def objects(self, kind: Kind, namespace: str | None = None) -> Sequence[KubeObject]:
        """All of a kind, everywhere or in one namespace, in no order. They belong to the mirror: never change them."""
        ...

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Call it with each change from now on, those of one kind in their order. It must be quick, and never raise."""
        ...

    def attend(self, listener: Callable[[], None]) -> None:
        """Call it whenever ``current`` may have become another. It must be quick, and never raise."""
        ...
