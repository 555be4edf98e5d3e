"""Notifications: whom a policy tells of what; and, in a status, whom it told."""

from typing import Annotated, Any

from pydantic import Field

from holdfast.domain.mail_settings import ADDRESS, ADDRESS_LIMIT
from holdfast.domain.notifications import DeliveryPhase, Event
from holdfast.resources.base import Spec, Status, Timestamp
from holdfast.resources.new_users import NewUsersSpec, NewUsersStatus
from holdfast.resources.references import SecretKey, SecretName

DELIVERIES_LIMIT = 128
"""Of a policy: each recipient may be owed each of its stories."""
RECIPIENTS_LIMIT = 16

_SET: dict[str, Any] = {"x-kubernetes-list-type": "set"}

_EVENTS = (
    "BackupSucceeded, BackupFailed, BackupPartial (some collections failed), BackupRecovered (good again; who does not "
    "name it is told of a success), RestoreSucceeded, RestoreFailed, ScheduleMissed (a backup never started), "
    "DrillPassed, DrillFailed, HealthCritical, HealthRecovered (healthy again), "
    "WeeklySummary (Monday at 08:00 in the time zone of the schedule), NewUser (somebody signed up; see `newUsers`)."
)


class SmtpSecretRef(Spec):
    """A Secret in the policy's namespace that holds SMTP settings under the names of an .env file."""

    name: Annotated[SecretName, Field(description="Name of the Secret, in the namespace of the policy.")]


class Recipient(Spec):
    """Somebody who gets mail."""

    address: Annotated[
        str, Field(description="The address.", min_length=3, max_length=ADDRESS_LIMIT, pattern=f"^{ADDRESS}$")
    ]
    events: Annotated[
        tuple[Event, ...] | None,
        Field(
            description="What to tell this address. Default: what `events` beside `recipients` says.",
            max_length=len(Event),
            json_schema_extra=_SET,
        ),
    ] = None


class TemplatesRef(Spec):
    """A ConfigMap in the policy's namespace that holds templates under their names."""

    name: Annotated[SecretName, Field(description="Name of the ConfigMap, in the namespace of the policy.")]


class EmailSpec(Spec):
    """Mail about this policy. It is off where neither the Secret nor the installation has an SMTP_HOST."""

    secret_ref: Annotated[
        SmtpSecretRef | None,
        Field(
            description="The Secret with SMTP_HOST, SMTP_PORT, SMTP_SECURE, SMTP_USER, SMTP_PASSWORD, FROM_EMAIL and "
            "ADMIN_EMAIL. Default: the one that holds the MongoDB URI; where that has no SMTP_HOST, the one of the "
            "installation, if it has any."
        ),
    ] = None
    suspend: Annotated[bool, Field(description="Send nothing for now. What happens meanwhile is not made up for.")] = (
        False
    )
    events: Annotated[
        tuple[Event, ...] | None,
        # Not a default of the schema: it would be stored, and leave out what a later release can tell.
        Field(description=f"What is told. Default: all. {_EVENTS}", max_length=len(Event), json_schema_extra=_SET),
    ] = None
    recipients: Annotated[
        tuple[Recipient, ...],
        Field(
            description="Who is told. Default: ADMIN_EMAIL of the Secret.",
            max_length=RECIPIENTS_LIMIT,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["address"]},
        ),
    ] = ()
    templates_ref: Annotated[
        TemplatesRef | None,
        Field(
            description="A ConfigMap with templates of your own, such as backup_failure.html, that go before those "
            "that Holdfast ships. One with an error is not used. Default: none."
        ),
    ] = None
    collect_seconds: Annotated[
        int,
        Field(
            description="After a mail about a failure, collect further failures for so long into one mail.",
            ge=0,
            le=604800,
        ),
    ] = 21600


class UrlSecretRef(Spec):
    """A key of a Secret in the policy's namespace that holds a URL."""

    name: Annotated[SecretName, Field(description="Name of the Secret, in the namespace of the policy.")]
    key: Annotated[SecretKey, Field(description="The key in the Secret that holds the URL.")] = "HEARTBEAT_URL"


class HeartbeatSpec(Spec):
    """A URL that is called after each good backup, so that whoever watches it notices silence."""

    url_secret_ref: Annotated[UrlSecretRef, Field(description="Where the URL is: http or https, called by GET.")]


class UrlsSecretRef(Spec):
    """A Secret in the policy's namespace that holds a URL under each of its keys."""

    name: Annotated[SecretName, Field(description="Name of the Secret, in the namespace of the policy.")]


class ChannelsSpec(Spec):
    """Messages to services such as Slack, Teams or PagerDuty."""

    urls_secret_ref: Annotated[
        UrlsSecretRef,
        Field(description="The Secret with one Apprise URL under each key, at most 8. A key is a channel's name."),
    ]
    events: Annotated[
        tuple[Event, ...] | None,
        Field(description="What is told. Default: all.", max_length=len(Event), json_schema_extra=_SET),
    ] = None
    suspend: Annotated[bool, Field(description="Send nothing for now. What happens meanwhile is not made up for.")] = (
        False
    )


class NotificationsSpec(Spec):
    """Who is told what."""

    email: Annotated[EmailSpec, Field(description="Mail about this policy.")] = EmailSpec()
    channels: Annotated[
        ChannelsSpec | None, Field(description="Messages to services such as Slack, Teams or PagerDuty. Default: none.")
    ] = None
    heartbeat: Annotated[
        HeartbeatSpec | None,
        Field(description="A dead man's switch: a URL that is called after each good backup. Default: none."),
    ] = None
    new_users: Annotated[
        NewUsersSpec | None,
        Field(
            description="Tell of people who sign up in the application. `{}` follows the collection users. Default: "
            "nobody reads it."
        ),
    ] = None


class Delivery(Status):
    """One message to one address."""

    to: Annotated[str, Field(description="The address, or `channel:` and the key of the URL.")]
    event: Annotated[Event, Field(description="What it is told.")]
    phase: Annotated[
        DeliveryPhase,
        Field(description="Owed: to be sent, perhaps once more. Sent: the mail server took it. Failed: given up."),
    ] = DeliveryPhase.OWED
    message_id: Annotated[
        str | None, Field(description="Message-ID of the mail. One mail may carry news of several runs.")
    ] = None
    attempts: Annotated[int | None, Field(description="How often it was tried.", ge=0)] = None
    first_attempt_time: Annotated[Timestamp | None, Field(description="When it was first tried.")] = None
    next_attempt_time: Annotated[Timestamp | None, Field(description="When it is tried again.")] = None
    sent_time: Annotated[Timestamp | None, Field(description="When the mail server took it.")] = None
    reason: Annotated[str | None, Field(description="Why the last try failed, as one CamelCase word.")] = None
    error: Annotated[
        str | None,
        Field(
            description="Why the last try failed, in the words of the mail server; or why templates of yours were not "
            "used."
        ),
    ] = None


Deliveries = Annotated[
    tuple[Delivery, ...],
    Field(
        description="What is owed, and what was sent.",
        max_length=DELIVERIES_LIMIT,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["to", "event"]},
    ),
]


class RunNotifications(Status):
    """Who was told of the end of a run. It is there once somebody has looked, even if nobody wants to know."""

    deliveries: Deliveries = ()


class HeartbeatStatus(Status):
    """What the heartbeat URL was told."""

    run: Annotated[str | None, Field(description="The newest run that it was told of.")] = None
    time: Annotated[Timestamp | None, Field(description="When.")] = None
    attempts: Annotated[int | None, Field(description="How often the next one was tried in vain.", ge=0)] = None
    next_attempt_time: Annotated[Timestamp | None, Field(description="When it is tried again.")] = None


class PolicyNotifications(Status):
    """What a policy itself tells of."""

    since: Annotated[
        Timestamp | None, Field(description="Since when notifications are on. What ended before is not told.")
    ] = None
    summary_time: Annotated[
        Timestamp | None, Field(description="The moment that the last weekly summary was due at.")
    ] = None
    drill_time: Annotated[Timestamp | None, Field(description="When the last drill ended that was told of.")] = None
    missed_time: Annotated[
        Timestamp | None, Field(description="When the last missed backup was due that was told of.")
    ] = None
    health_time: Annotated[Timestamp | None, Field(description="Since when health is as it was last told.")] = None
    user_time: Annotated[Timestamp | None, Field(description="When new users were last told of.")] = None
    deliveries: Deliveries = ()
    heartbeat: Annotated[HeartbeatStatus | None, Field(description="What the heartbeat URL was told.")] = None
    new_users: Annotated[NewUsersStatus | None, Field(description="How far new users were followed.")] = None
