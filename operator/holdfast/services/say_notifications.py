"""The policy's condition NotificationsReady, and since when notifications are on."""

from dataclasses import dataclass
from datetime import datetime

from holdfast.errors import ClusterUnavailable
from holdfast.ports import BACKUP_POLICY, Cluster, KubeObject
from holdfast.resources.conditions import condition, find_condition, set_condition
from holdfast.resources.notifications import PolicyNotifications
from holdfast.resources.policy import BackupPolicyStatus
from holdfast.services.write_status import CONFLICTS, write_status

NOTIFICATIONS_READY = "NotificationsReady"

QUIET = frozenset({"NotConfigured", "Suspended", "Configured"})
"""What somebody wanted so is no news."""


@dataclass(frozen=True)
class Verdict:
    ready: bool
    reason: str
    message: str


def say(
    cluster: Cluster, body: KubeObject, verdict: Verdict, *, now: datetime, since: datetime | None
) -> BackupPolicyStatus:
    """Write it, unless the status says so already. An event tells of trouble, and of its end."""
    for _ in range(CONFLICTS):
        old = BackupPolicyStatus.model_validate(body.get("status") or {})
        before = find_condition(old.conditions, NOTIFICATIONS_READY)
        new = condition(
            NOTIFICATIONS_READY,
            verdict.ready,
            verdict.reason,
            verdict.message,
            now=now,
            generation=body["metadata"].get("generation", 0),
        )
        notes = (old.notifications or PolicyNotifications()).model_copy(update={"since": since})
        status = old.model_copy(
            update={"conditions": set_condition(old.conditions, new), "notifications": _or_none(notes)}
        )
        written = write_status(cluster, BACKUP_POLICY, body, status.to_wire())
        if written is not None:
            changed = before is None or (before.status, before.reason) != (new.status, new.reason)
            recovered = before is not None and before.status == "False" and before.reason not in QUIET
            if changed and (verdict.reason not in QUIET or recovered):
                cluster.record(
                    body, BACKUP_POLICY, "Normal" if verdict.ready else "Warning", verdict.reason, verdict.message
                )
            return status
        current = cluster.get(BACKUP_POLICY, body["metadata"]["namespace"], body["metadata"]["name"])
        if current is None or current["metadata"]["uid"] != body["metadata"]["uid"]:
            return status
        body = current
    raise ClusterUnavailable(f"BackupPolicy {body['metadata']['name']} changes faster than it can be written.")


def _or_none(notes: PolicyNotifications) -> PolicyNotifications | None:
    return notes if notes != PolicyNotifications() else None
