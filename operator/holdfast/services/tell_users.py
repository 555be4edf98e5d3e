"""Tell of people who signed up: those of a while are one mail. Their names are read when the mail is made."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from holdfast.domain.new_users import Detail
from holdfast.domain.notifications import DeliveryPhase, Event
from holdfast.errors import ClusterUnavailable, HoldfastError
from holdfast.ports import Cluster, SignupSource
from holdfast.resources.new_users import NewUsersSpec, SignupsSeen
from holdfast.resources.notifications import PolicyNotifications
from holdfast.resources.policy import BackupPolicy
from holdfast.services.courier import Courier
from holdfast.services.mail_account import Account, database_name
from holdfast.services.policy_post import Story, owe_story, tell_story
from holdfast.services.user_collection import person_fields, user_collection
from holdfast.specs.new_user_letter import new_user_facts

_NEW_USERS = Story(frozenset({Event.NEW_USER}), "user_time")

AGAIN = timedelta(minutes=1)
WAITS = timedelta(hours=1)
"""How long a mail waits for a source that cannot be read, before it goes without names."""


def tell_users(
    cluster: Cluster,
    courier: Courier,
    signups: SignupSource,
    policy: BackupPolicy,
    account: Account,
    *,
    since: datetime,
    now: datetime,
) -> datetime | None:
    """Given a policy as it was read, send what is owed about new users. Returns when to look again.

    After a mail, who signs up further waits for ``collectSeconds``.
    """
    spec, notes = policy.spec.notifications.new_users, policy.status.notifications
    if spec is None or notes is None or notes.new_users is None:
        return None
    if not _owed(notes):
        pending = notes.new_users.pending
        if pending is None:
            return None
        due = _collected_until(notes, spec) or now
        if due > now:
            return due
        if _read(cluster, signups, policy, spec, pending)["unread"] and now - pending.last_time < WAITS:
            return now + AGAIN
        owed = owe_story(cluster, policy, account, _NEW_USERS, Event.NEW_USER, now, also=_taken_up)
        if owed is None or owed.new_users is None:
            return None
        notes = owed
    told = notes.new_users.told if notes.new_users else None
    if told is None:
        return None

    def facts() -> Mapping[str, Any]:
        read = _read(cluster, signups, policy, spec, told)
        return new_user_facts(policy, database_name(cluster, policy), told, **read, detail=spec.detail)

    return tell_story(cluster, courier, policy, account, _NEW_USERS, notes, facts, since=since, now=now)


def _taken_up(notes: PolicyNotifications) -> PolicyNotifications:
    """What was noticed is what the mail tells of."""
    users = notes.new_users
    if users is None or users.pending is None:
        return notes
    return notes.model_copy(update={"new_users": users.model_copy(update={"told": users.pending, "pending": None})})


def _read(
    cluster: Cluster, signups: SignupSource, policy: BackupPolicy, spec: NewUsersSpec, seen: SignupsSeen
) -> Mapping[str, Any]:
    """The people, and why they cannot be read."""
    if spec.detail is Detail.COUNT or not seen.ids:
        return {"people": (), "unread": ""}
    try:
        where = user_collection(cluster, policy, spec)
        return {"people": signups.people(where, seen.ids, person_fields(spec)), "unread": ""}
    except ClusterUnavailable:
        raise
    except HoldfastError as error:
        return {"people": (), "unread": str(error)}


def _owed(notes: PolicyNotifications) -> bool:
    return any(one.phase is DeliveryPhase.OWED and one.event in _NEW_USERS.events for one in notes.deliveries)


def _collected_until(notes: PolicyNotifications, spec: NewUsersSpec) -> datetime | None:
    sent = [one.sent_time for one in notes.deliveries if one.event in _NEW_USERS.events and one.sent_time]
    return max(sent) + timedelta(seconds=spec.collect_seconds) if sent else None
