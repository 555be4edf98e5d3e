"""The policy's conditions about what it tells, and the part of its status that goes with them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from holdfast.errors import ClusterUnavailable
from holdfast.ports import BACKUP_POLICY, Cluster, KubeObject
from holdfast.resources.conditions import Condition, condition, find_condition, set_condition
from holdfast.resources.notifications import PolicyNotifications
from holdfast.services.write_status import CONFLICTS, policy_status, write_status

NOTIFICATIONS_READY = "NotificationsReady"
CHANNELS_READY = "ChannelsReady"

QUIET = frozenset({"NotConfigured", "Suspended", "Configured"})
"""What somebody wanted so is no news."""


@dataclass(frozen=True)
class Verdict:
    ready: bool
    reason: str
    message: str


def say(cluster: Cluster, body: KubeObject, verdict: Verdict, *, now: datetime, since: datetime | None) -> None:
    """Say how mail stands, and since when it is on."""

    def change(notes: PolicyNotifications) -> PolicyNotifications:
        return notes.model_copy(update={"since": since})

    say_condition(cluster, body, NOTIFICATIONS_READY, verdict, now=now, change=change)


def say_condition(
    cluster: Cluster,
    body: KubeObject,
    type_: str,
    verdict: Verdict | None,
    *,
    now: datetime,
    change: Callable[[PolicyNotifications], PolicyNotifications],
) -> None:
    """Write a condition (None: take it away) and what goes with it, unless the status says so already.

    An event tells of trouble, and of its end.
    """
    for _ in range(CONFLICTS):
        old = policy_status(body)
        before = find_condition(old.conditions, type_)
        conditions = tuple(one for one in old.conditions if one.type != type_)
        if verdict is not None:
            generation = body["metadata"].get("generation", 0)
            new = condition(type_, verdict.ready, verdict.reason, verdict.message, now=now, generation=generation)
            conditions = set_condition(old.conditions, new)
        notes = change(old.notifications or PolicyNotifications())
        status = old.model_copy(update={"conditions": conditions, "notifications": _or_none(notes)})
        if write_status(cluster, BACKUP_POLICY, body, status.to_wire()) is not None:
            if verdict is not None and _is_news(before, verdict):
                kind: Literal["Normal", "Warning"] = "Normal" if verdict.ready else "Warning"
                cluster.record(body, BACKUP_POLICY, kind, verdict.reason, verdict.message)
            return
        current = cluster.get(BACKUP_POLICY, body["metadata"]["namespace"], body["metadata"]["name"])
        if current is None or current["metadata"]["uid"] != body["metadata"]["uid"]:
            return
        body = current
    raise ClusterUnavailable(f"BackupPolicy {body['metadata']['name']} changes faster than it can be written.")


def _is_news(before: Condition | None, verdict: Verdict) -> bool:
    if before is not None and (before.status == "True", before.reason) == (verdict.ready, verdict.reason):
        return False
    return verdict.reason not in QUIET or (
        before is not None and before.status == "False" and before.reason not in QUIET
    )


def _or_none(notes: PolicyNotifications) -> PolicyNotifications | None:
    return notes if notes != PolicyNotifications() else None
