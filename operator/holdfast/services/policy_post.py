"""What a policy itself has to tell, beside the ends of its runs: owed once for each moment, and sent until it went.

Each story has its events, and a field in ``status.notifications`` with the moment that was told of last. Stories share
the list of deliveries, and each replaces only its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from holdfast.domain.notifications import DeliveryPhase, Event
from holdfast.errors import ClusterUnavailable
from holdfast.ports import BACKUP_POLICY, Cluster
from holdfast.resources.notifications import Delivery, PolicyNotifications
from holdfast.resources.policy import BackupPolicy
from holdfast.services.courier import Courier
from holdfast.services.mail_account import Account
from holdfast.services.outbox import change_delivery
from holdfast.services.post import Owner, Post, debt_of, place_of, withdrawn
from holdfast.services.write_status import CONFLICTS, merge_changes, parse_policy

_POLICY = ""
"""Where a run has its name: what is owed here is owed by the policy itself."""


@dataclass(frozen=True)
class Story:
    """What is told of under one moment."""

    events: frozenset[Event]
    moment: Literal["summary_time", "drill_time", "health_time", "missed_time", "user_time"]


def owe_story(
    cluster: Cluster,
    policy: BackupPolicy,
    account: Account,
    story: Story,
    event: Event,
    at: datetime,
    *,
    also: Callable[[PolicyNotifications], PolicyNotifications] = lambda notes: notes,
) -> PolicyNotifications | None:
    """Write down who is owed the story of that moment, unless it is written already. None if the policy is gone.

    ``also``: what else changes in the same write, so that nobody ever sees the one without the other.
    """
    wanted = [Delivery(to=to, event=event) for to, events in account.recipients.items() if event in events]
    for _ in range(CONFLICTS):
        body = cluster.get(BACKUP_POLICY, policy.metadata.namespace, policy.metadata.name)
        if body is None or body["metadata"]["uid"] != policy.metadata.uid:
            return None
        notes = parse_policy(body).status.notifications or PolicyNotifications()
        told = getattr(notes, story.moment)
        if told and told >= at:
            return notes
        kept = [one for one in notes.deliveries if one.event not in story.events]
        owed = also(notes).model_copy(update={story.moment: at, "deliveries": (*kept, *wanted)})
        changes = merge_changes(notes.to_wire(), owed.to_wire())
        if cluster.patch_status(BACKUP_POLICY, body, {"notifications": changes}) is not None:
            return owed
    raise ClusterUnavailable(f"BackupPolicy {policy.metadata.name} changes faster than it can be written.")


def tell_story(
    cluster: Cluster,
    courier: Courier,
    policy: BackupPolicy,
    account: Account,
    story: Story,
    notes: PolicyNotifications,
    facts: Callable[[], Mapping[str, Any]],
    *,
    since: datetime,
    now: datetime,
) -> datetime | None:
    """Send what is owed of a story. Returns when to look again, if that is to be."""
    body = cluster.get(BACKUP_POLICY, policy.metadata.namespace, policy.metadata.name)
    told_of = getattr(notes, story.moment)
    if body is None or told_of is None:
        return None
    owner = Owner(place_of(BACKUP_POLICY, body), body)
    looks = []
    for delivery in notes.deliveries:
        if delivery.phase is not DeliveryPhase.OWED or delivery.event not in story.events:
            continue
        if account.gone(delivery.to) or told_of < since:
            change_delivery(cluster, owner.place, delivery.to, delivery.event, withdrawn)
            continue
        if delivery.to not in account.recipients:
            continue
        post = Post(cluster, courier, delivery.to, {_POLICY: owner}, lambda _: facts(), now)
        look = post.pay([debt_of(_POLICY, told_of, delivery)], timedelta(0))
        looks += [look] if look else []
    return min(looks, default=None)
