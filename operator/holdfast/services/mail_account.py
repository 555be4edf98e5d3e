"""By what server, and to whom, a policy sends mail: its spec and the Secret that it names, read together."""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from holdfast.domain.channels import is_channel
from holdfast.domain.mail_settings import ADMIN, HOST, MailServer, MailSettings, read_admins, read_mail_settings
from holdfast.domain.mongodb_uri import uri_database
from holdfast.domain.notifications import Event
from holdfast.errors import InvalidInput, InvalidMailSettings, SecretMissing
from holdfast.ports import SECRET, Cluster
from holdfast.resources.policy import BackupPolicy

House = Callable[[], Mapping[str, str]]
"""The settings of the mail server that the installation lends to policies which have none; empty: it lends none."""

HOUSE_WORDS = "the installation's own mail Secret (smtp.existingSecret)"


@dataclass(frozen=True)
class Account:
    """``recipients``: what each address, and each channel, wants to be told."""

    server: MailServer | None
    recipients: Mapping[str, tuple[Event, ...]]
    urls: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of the channels. They are secrets."""
    mail_unknown: bool = False
    """Mail is wanted and cannot be: what is owed by mail waits."""
    channels_unknown: bool = False
    """The same of channels."""

    def __str__(self) -> str:
        return f"Mail goes to {', '.join(to for to in self.recipients if not is_channel(to))} by {self.server}."

    def gone(self, to: str) -> bool:
        """Whether this recipient is not to be told any more. Of one that waits nobody knows."""
        unknown = self.channels_unknown if is_channel(to) else self.mail_unknown
        return to not in self.recipients and not unknown


@dataclass(frozen=True)
class NoMail:
    """Mail is off, on purpose."""

    reason: str
    message: str


def no_house() -> Mapping[str, str]:
    """Of an installation that lends no mail server."""
    return {}


def mail_account(cluster: Cluster, policy: BackupPolicy, house: House = no_house) -> Account | NoMail:
    """SecretMissing or InvalidMailSettings where mail is wanted and cannot be.

    A Secret that the policy names for mail is the only one that counts: whoever names one means that server.
    """
    spec, namespace = policy.spec.notifications.email, policy.metadata.namespace
    if spec.suspend:
        return NoMail("Suspended", "Mail is suspended by spec.notifications.email.suspend.")
    name = (spec.secret_ref or policy.spec.source.uri_secret_ref).name
    where = f"Secret {namespace}/{name}"
    values = secret_values(cluster, namespace, name)
    lent = {} if spec.secret_ref else house()
    if values is None and not lent:
        raise SecretMissing(f"There is no {where}.", hint="Create it, with key SMTP_HOST and what goes with it.")
    settings = _settings(values or {}, where, lent)
    if settings.server is None:
        return NoMail("NotConfigured", f"Mail is off: {where} has no {HOST}. Add the SMTP settings to have mail.")
    events = tuple(Event) if spec.events is None else spec.events
    recipients = {one.address: events if one.events is None else one.events for one in spec.recipients}
    if not recipients:
        recipients = dict.fromkeys(settings.admins, events)
    if not recipients:
        raise InvalidMailSettings(
            f"Nobody gets mail: {where} has no {ADMIN}, and the policy names no recipients.",
            hint=f"Set {ADMIN}, or spec.notifications.email.recipients.",
        )
    return Account(settings.server, recipients)


def _settings(values: Mapping[str, str], where: str, lent: Mapping[str, str]) -> MailSettings:
    """The policy's own, or the server that is lent; who is told is the policy's own in either case, if it names any."""
    own = read_mail_settings(values, where)
    if own.server is not None or not lent:
        return own
    settings = read_mail_settings(lent, HOUSE_WORDS)
    return MailSettings(settings.server, read_admins(values, where) or settings.admins)


def database_name(cluster: Cluster, policy: BackupPolicy) -> str:
    """What people call the database: its name, or that of the policy where none can be found."""
    source = policy.spec.source
    if source.database:
        return source.database
    try:
        values = secret_values(cluster, policy.metadata.namespace, source.uri_secret_ref.name) or {}
        found = uri_database(values.get(source.uri_secret_ref.key, ""), "The Secret")
    except InvalidInput:
        found = None
    return found or policy.metadata.name


def secret_values(cluster: Cluster, namespace: str, name: str) -> Mapping[str, str] | None:
    """What a Secret holds, as far as it is text."""
    body = cluster.get(SECRET, namespace, name)
    if body is None:
        return None
    values: dict[str, str] = {}
    for key, encoded in (body.get("data") or {}).items():
        try:
            values[key] = b64decode(encoded).decode()
        except (Base64Error, UnicodeDecodeError):
            continue
    return values
