"""What a policy's settings for notifications come to, and the conditions about it: one of mail, one of channels."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from holdfast.domain.channels import is_channel
from holdfast.domain.notifications import TEMPLATE_FAILED, Event
from holdfast.errors import InvalidInput
from holdfast.ports import BACKUP_POLICY, Cluster, Messenger
from holdfast.resources.conditions import find_condition
from holdfast.resources.notifications import Delivery
from holdfast.resources.policy import BackupPolicy
from holdfast.services.channel_account import Channels, channel_account
from holdfast.services.mail_account import Account, House, NoMail, mail_account, no_house
from holdfast.services.post import WITHDRAWN
from holdfast.services.say_notifications import CHANNELS_READY, Verdict, say, say_condition
from holdfast.services.write_status import parse_policy

READY_REASON = "Configured"


@dataclass(frozen=True)
class Setting:
    """``account`` is None where nobody can be told. ``channels``: None where the policy has none."""

    account: Account | None
    mail: Verdict
    channels: Verdict | None
    wrong: bool
    """Something is wanted and cannot be."""


def read_setting(cluster: Cluster, messenger: Messenger, policy: BackupPolicy, house: House = no_house) -> Setting:
    """What is wrong about one of the two does not hold up the other."""
    mail: Account | NoMail | InvalidInput
    channels: Channels | InvalidInput | None
    try:
        mail = mail_account(cluster, policy, house)
    except InvalidInput as error:
        mail = error
    try:
        channels = channel_account(cluster, messenger, policy)
    except InvalidInput as error:
        channels = error
    wrong = isinstance(mail, InvalidInput) or isinstance(channels, InvalidInput)
    return Setting(_together(mail, channels), _of_mail(mail), _of_channels(channels), wrong)


def speak(
    cluster: Cluster,
    policy: BackupPolicy,
    setting: Setting,
    told: Sequence[Delivery],
    *,
    since: datetime | None,
    now: datetime,
) -> None:
    """Write the conditions: how the settings are, and what the newest tries say; ``told`` beside the policy's own."""
    for is_mail in (True, False):
        body = cluster.get(BACKUP_POLICY, policy.metadata.namespace, policy.metadata.name)
        if body is None or body["metadata"]["uid"] != policy.metadata.uid:
            return
        status = parse_policy(body).status
        verdict = setting.mail if is_mail else setting.channels
        if verdict is not None and verdict.ready and setting.account is not None:
            own = status.notifications.deliveries if status.notifications else ()
            mine = [one for one in (*told, *own) if is_channel(one.to) is not is_mail]
            verdict = _trouble(mine, setting.account) or verdict
        if is_mail:
            say(cluster, body, setting.mail if verdict is None else verdict, now=now, since=since)
        elif verdict is not None or find_condition(status.conditions, CHANNELS_READY):
            say_condition(cluster, body, CHANNELS_READY, verdict, now=now, change=lambda notes: notes)


def _together(mail: Account | NoMail | InvalidInput, channels: Channels | InvalidInput | None) -> Account | None:
    server, recipients = (mail.server, mail.recipients) if isinstance(mail, Account) else (None, {})
    urls: dict[str, str] = {}
    events: dict[str, tuple[Event, ...]] = {}
    if isinstance(channels, Channels):
        urls, events = dict(channels.urls), dict.fromkeys(channels.urls, channels.events)
    if not recipients and not urls:
        return None
    return Account(
        server,
        {**recipients, **events},
        urls,
        mail_unknown=isinstance(mail, InvalidInput),
        channels_unknown=isinstance(channels, InvalidInput),
    )


def _of_mail(mail: Account | NoMail | InvalidInput) -> Verdict:
    if isinstance(mail, InvalidInput):
        return Verdict(False, mail.reason, str(mail))
    if isinstance(mail, NoMail):
        return Verdict(mail.reason == "Suspended", mail.reason, mail.message)
    return Verdict(True, READY_REASON, str(mail))


def _of_channels(channels: Channels | InvalidInput | None) -> Verdict | None:
    if isinstance(channels, InvalidInput):
        return Verdict(False, channels.reason, str(channels))
    return None if channels is None else Verdict(True, READY_REASON, str(channels))


def _trouble(told: Sequence[Delivery], account: Account) -> Verdict | None:
    """What the newest tries tell about the mail server, or the services behind channels."""
    newest: dict[str, tuple[datetime, Delivery]] = {}
    for delivery in told:
        tried = delivery.sent_time or delivery.first_attempt_time
        if tried and delivery.to in account.recipients and delivery.reason != WITHDRAWN:
            known = newest.get(delivery.to)
            newest[delivery.to] = (tried, delivery) if known is None or tried >= known[0] else known
    troubled = [
        (to, delivery)
        for to, (_, delivery) in sorted(newest.items())
        if delivery.error and delivery.reason != TEMPLATE_FAILED
    ]
    if not troubled:
        return None
    to, delivery = troubled[0]
    more = f" So it is for {len(troubled) - 1} more." if len(troubled) > 1 else ""
    what = "Messages" if is_channel(to) else "Mail"
    message = f"{what} to {to} cannot be sent: {delivery.error}{more}"
    return Verdict(False, delivery.reason or "MailFailed", message)
