"""What is owed lies in a status before it is sent, and is crossed out there afterwards.

Each change reads the object anew and is refused if somebody else was faster, so no two writers lose each other's words.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from holdfast.errors import ClusterUnavailable
from holdfast.ports import Cluster, Kind
from holdfast.resources.notifications import Delivery
from holdfast.services.write_status import CONFLICTS


@dataclass(frozen=True)
class Place:
    """The object whose status holds the deliveries, under ``notifications``."""

    kind: Kind
    namespace: str
    name: str
    uid: str


def owe(cluster: Cluster, place: Place, deliveries: Sequence[Delivery]) -> None:
    """Write down what is owed, unless something is written already."""
    _change(cluster, place, lambda known: deliveries if known is None else None)


def change_delivery(
    cluster: Cluster, place: Place, to: str, event: str, change: Callable[[Delivery], Delivery | None]
) -> bool:
    """Change one delivery. False if it is gone, or ``change`` will not have it any more."""
    changed = False

    def apply(known: Sequence[Delivery] | None) -> Sequence[Delivery] | None:
        nonlocal changed
        changed = False
        result: list[Delivery] = []
        for delivery in known or ():
            new = change(delivery) if (delivery.to, delivery.event) == (to, event) else None
            changed = changed or new is not None
            result.append(new or delivery)
        return result if changed else None

    return _change(cluster, place, apply) and changed


def _change(
    cluster: Cluster, place: Place, change: Callable[[Sequence[Delivery] | None], Sequence[Delivery] | None]
) -> bool:
    """False if the object is gone. ``change`` gets None where nobody has written yet, and returns None to leave it."""
    for _ in range(CONFLICTS):
        current = cluster.get(place.kind, place.namespace, place.name)
        if current is None or current["metadata"]["uid"] != place.uid:
            return False
        notes = (current.get("status") or {}).get("notifications") or {}
        known = notes.get("deliveries")
        ours, others = _sorted(known or ())
        new = change(None if known is None else ours)
        if new is None:
            return True
        wire = [*(delivery.to_wire() for delivery in new), *others]
        if wire == known or cluster.patch_status(place.kind, current, {"notifications": {"deliveries": wire}}):
            return True
    raise ClusterUnavailable(f"{place.kind.name} {place.namespace}/{place.name} changes faster than it can be written.")


def _sorted(known: Sequence[Mapping[str, Any]]) -> tuple[list[Delivery], list[Mapping[str, Any]]]:
    """What is owed, and, as it stands, what only a newer release can tell."""
    ours, others = list[Delivery](), list[Mapping[str, Any]]()
    for one in known:
        try:
            ours.append(Delivery.model_validate(one))
        except ValidationError:
            others.append(one)
    return ours, others
