"""Notice who signs up in the application of a policy, each once, whatever is killed in between.

How far that went, and who was noticed since, is written into the policy's status in one write. It is written when
somebody was noticed, and each hour without anybody; in between the position is only remembered, since to look at the
same quiet stretch once more after a restart finds nobody twice. Names and addresses are not read here.
"""

from datetime import datetime, timedelta
from functools import partial

from holdfast.domain.new_users import SHOWN, Detail
from holdfast.domain.notifications import Event
from holdfast.errors import ClusterUnavailable, HoldfastError
from holdfast.ports import BACKUP_POLICY, Clock, Cluster, KubeObject, Messenger, Signups, SignupSource
from holdfast.resources.base import format_time
from holdfast.resources.conditions import find_condition
from holdfast.resources.new_users import NewUsersSpec, NewUsersStatus, SignupsSeen
from holdfast.resources.notifications import PolicyNotifications
from holdfast.resources.policy import BackupPolicy
from holdfast.services.find_policy import living_policy
from holdfast.services.mail_account import House, no_house
from holdfast.services.say_notifications import Verdict, say_condition
from holdfast.services.setting import read_setting
from holdfast.services.user_collection import user_collection

NEW_USERS_READY = "NewUsersReady"
MISSED_REASON = "NewUsersMissed"

KEEP = timedelta(hours=1)
"""How old the written position gets without signups. It must be much younger than an oplog is long."""

_WATCHED = "Watching"
_NOBODY = Verdict(
    False, "Suspended", "Nobody is to be told of new users: mail and channels are off, or want no NewUser events."
)


class UserWatch:
    """Looks after new users, policy by policy. One policy is never looked at twice at a time."""

    def __init__(
        self,
        cluster: Cluster,
        signups: SignupSource,
        messenger: Messenger,
        clock: Clock,
        house: House = no_house,
    ) -> None:
        self._cluster, self._signups, self._messenger, self._clock = cluster, signups, messenger, clock
        self._house = house
        self._reached: dict[tuple[str, str], tuple[str, str]] = {}
        """By policy: the position that is written, and the one that was reached from it without meeting anybody."""

    def look(self, namespace: str, name: str) -> float | None:
        """Returns seconds until the policy wants to be looked at again, where that is sooner than with all others.

        Raises ClusterUnavailable if the cluster does not answer: the caller tries again.
        """
        found = living_policy(self._cluster, namespace, name)
        if found is None:
            self._reached.pop((namespace, name), None)
            return None
        body, policy = found
        spec = policy.spec.notifications.new_users
        if spec is None:
            self._forget(body, policy, None)
            return None
        setting = read_setting(self._cluster, self._messenger, policy, self._house)
        wanted = setting.account is not None and any(
            Event.NEW_USER in events for events in setting.account.recipients.values()
        )
        if not wanted and not setting.wrong:
            self._forget(body, policy, _NOBODY)
            return None
        return self._follow(body, policy, spec)

    def _follow(self, body: KubeObject, policy: BackupPolicy, spec: NewUsersSpec) -> float | None:
        now = self._clock().replace(microsecond=0)
        known = policy.status.notifications.new_users if policy.status.notifications else None
        try:
            where = user_collection(self._cluster, policy, spec)
            known = known if known and known.watched == str(where) else None
            shown = 0 if spec.detail is Detail.COUNT else SHOWN
            signups = self._signups.look(where, self._position(policy, known), shown=shown)
        except ClusterUnavailable:
            raise  # that says nothing of the source
        except HoldfastError as error:
            verdict = Verdict(False, error.reason, f"New users are not followed: {error}")
            say_condition(self._cluster, body, NEW_USERS_READY, verdict, now=now, change=lambda notes: notes)
            return None
        change = partial(_advanced, watched=str(where), known=known, signups=signups, now=now)
        verdict = _verdict(str(where), signups)
        say_condition(self._cluster, body, NEW_USERS_READY, verdict, now=now, change=change)
        if signups.lost and known is not None:
            self._tell_of_gap(body, known, now)
        written = signups.position if _is_worth_writing(known, signups, now) or known is None else known.position
        self._reached[_key(policy)] = (written, signups.position)
        return 0.0 if signups.more else None

    def _position(self, policy: BackupPolicy, known: NewUsersStatus | None) -> str | None:
        if known is None:
            return None
        written, reached = self._reached.get(_key(policy), (known.position, known.position))
        return reached if written == known.position else known.position

    def _forget(self, body: KubeObject, policy: BackupPolicy, verdict: Verdict | None) -> None:
        """What comes while nobody asks is not made up for."""
        self._reached.pop(_key(policy), None)
        known = policy.status.notifications.new_users if policy.status.notifications else None
        if known is None and verdict is None and find_condition(policy.status.conditions, NEW_USERS_READY) is None:
            return

        def change(notes: PolicyNotifications) -> PolicyNotifications:
            return notes.model_copy(update={"new_users": None})

        now = self._clock().replace(microsecond=0)
        say_condition(self._cluster, body, NEW_USERS_READY, verdict, now=now, change=change)

    def _tell_of_gap(self, body: KubeObject, known: NewUsersStatus, now: datetime) -> None:
        note = (
            f"Of those who signed up in {known.watched} between {format_time(known.position_time)} and "
            f"{format_time(now)}, some may not be told: the server no longer has its changes of that time."
        )
        self._cluster.record(body, BACKUP_POLICY, "Warning", MISSED_REASON, note)


def _key(policy: BackupPolicy) -> tuple[str, str]:
    return policy.metadata.namespace, policy.metadata.name


def _verdict(where: str, signups: Signups) -> Verdict:
    if not signups.there:
        message = f"There is no collection {where} yet. Who signs up is told from its first document on."
        return Verdict(False, "CollectionMissing", message)
    if signups.way == "Ids":
        message = f"New users of {where} are found by their _id: the server is a standalone, which tells of no changes."
        return Verdict(True, _WATCHED, message)
    return Verdict(True, _WATCHED, f"New users of {where} are followed by a change stream.")


def _is_worth_writing(known: NewUsersStatus | None, signups: Signups, now: datetime) -> bool:
    return known is None or signups.count > 0 or signups.lost or now - known.position_time >= KEEP


def _advanced(
    notes: PolicyNotifications, *, watched: str, known: NewUsersStatus | None, signups: Signups, now: datetime
) -> PolicyNotifications:
    """What is noticed is added to what is owed; unless somebody else went on from the same position meanwhile."""
    current = notes.new_users
    if not _is_worth_writing(known, signups, now):
        return notes
    if known is not None and (current is None or current.position != known.position):
        return notes
    pending = current.pending if current and known else None
    if signups.lost and known is not None:
        pending = _seen(pending, signups, now, missing_since=known.position_time)
    elif signups.count:
        pending = _seen(pending, signups, now, missing_since=None)
    status = NewUsersStatus(
        watched=watched,
        position=signups.position,
        position_time=now,
        pending=pending,
        told=current.told if current else None,
    )
    return notes.model_copy(update={"new_users": status})


def _seen(
    before: SignupsSeen | None, signups: Signups, now: datetime, *, missing_since: datetime | None
) -> SignupsSeen:
    return SignupsSeen(
        count=(before.count if before else 0) + signups.count,
        ids=(*(before.ids if before else ()), *signups.ids)[:SHOWN],
        first_time=before.first_time if before else now,
        last_time=now,
        missing_since=(before.missing_since if before else None) or missing_since,
    )
