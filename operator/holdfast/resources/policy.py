"""BackupPolicy: which database is backed up, when, and where to."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from holdfast.domain.consistency import Consistency
from holdfast.domain.pace import SLOWEST
from holdfast.resources.base import API_VERSION, Metadata, Spec, Status, Timestamp
from holdfast.resources.catalogue import CatalogueStatus
from holdfast.resources.conditions import Condition
from holdfast.resources.drill import DRILLS_KEPT, LastDrill, VerificationSpec
from holdfast.resources.health import Health, HealthSpec, Statistics
from holdfast.resources.job import MOST_PODS, JobTemplate
from holdfast.resources.missed import MissedSchedules
from holdfast.resources.notifications import NotificationsSpec, PolicyNotifications
from holdfast.resources.point_in_time import RULES as POINT_IN_TIME_RULES
from holdfast.resources.point_in_time import PointInTimeSpec, PointInTimeStatus
from holdfast.resources.references import DatabaseName, KeySecretRef, UriSecretRef
from holdfast.resources.retention import RULES, HistoryLimits, PolicyRetention, RetentionSpec
from holdfast.resources.run import DeletionPolicy
from holdfast.resources.storage import ONE_KIND, MongoStorage, StorageSpec
from holdfast.resources.stored import Stored

KIND = "BackupPolicy"

NAME_LIMIT = 52
"""A CronJob takes the policy's name, and appends eleven characters for its Jobs."""

TOGETHER_NAME_LIMIT = NAME_LIMIT - len(str(-(MOST_PODS - 1)))
"""With several pods: each has its index behind that name."""

Glob = Annotated[str, Field(min_length=1, max_length=255)]


class ReadPreference(StrEnum):
    """Which member of a replica set is read from."""

    PRIMARY = "primary"
    PRIMARY_PREFERRED = "primaryPreferred"
    SECONDARY = "secondary"
    SECONDARY_PREFERRED = "secondaryPreferred"
    NEAREST = "nearest"


class SourceSpec(Spec):
    """The database that is backed up."""

    uri_secret_ref: Annotated[
        UriSecretRef, Field(description="Where the MongoDB URI is. It is mounted into the worker, never copied.")
    ]
    database: Annotated[
        DatabaseName | None, Field(description="The database to back up. Default: the one named in the URI.")
    ] = None
    collections: Annotated[
        tuple[Glob, ...],
        Field(
            description="Collections to back up, by name or glob (`*`, `?`, `[abc]`). Default: all. A name that "
            "does not exist is a warning on the run.",
            max_length=1000,
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ] = ()
    exclude: Annotated[
        tuple[Glob, ...],
        Field(
            description="Collections to leave out, by name or glob. Wins over `collections`.",
            max_length=1000,
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ] = ()
    consistency: Annotated[
        Consistency,
        Field(
            description="Whether all collections must show one moment. Required: fail where that cannot be had. "
            "Preferred: take it where the server can, and say so. Where it has no snapshot, what is written meanwhile "
            "is taken from the oplog, if the user may read that (role `backup`). None: read each collection at a time "
            "of its own, unless the oplog is archived."
        ),
    ] = Consistency.PREFERRED
    read_preference: Annotated[ReadPreference, Field(description="Which member of a replica set to read from.")] = (
        ReadPreference.SECONDARY_PREFERRED
    )
    max_bytes_per_second: Annotated[
        int | None,
        Field(
            description="Read no faster than this on average, in bytes of documents a second, to spare the live "
            "database. Default: as fast as it goes.",
            ge=SLOWEST,
        ),
    ] = None


class ScheduleSpec(Spec):
    """When backups are taken."""

    cron: Annotated[
        str,
        Field(
            description='Five cron fields ("0 2 * * *": at 02:00 each day), or a macro such as @daily.',
            min_length=1,
            max_length=200,
        ),
    ]
    time_zone: Annotated[
        str,
        Field(
            description="IANA name of the time zone that `cron` is read in, such as Europe/Berlin.",
            min_length=1,
            max_length=100,
        ),
    ] = "Etc/UTC"
    suspend: Annotated[bool, Field(description="Take no scheduled backups for now. Backups by hand still work.")] = (
        False
    )
    starting_deadline_seconds: Annotated[
        int,
        Field(description="How late a scheduled backup may still start; a later one is skipped.", ge=10, le=604800),
    ] = 3600


class CompressionSpec(Spec):
    """How backups are compressed (Zstandard)."""

    level: Annotated[int, Field(description="Zstandard level, from 1 (fast) to 19 (small).", ge=1, le=19)] = 3


class EncryptionSpec(Spec):
    """How backups are encrypted, before they leave the worker."""

    key_secret_ref: Annotated[
        KeySecretRef,
        Field(
            description="Where the encryption key is. Keep a copy elsewhere: without it these backups cannot be read. "
            "A repository in the clear cannot be encrypted later; name another place."
        ),
    ]


class BackupPolicySpec(Spec):
    """What is wanted."""

    source: Annotated[SourceSpec, Field(description="The database that is backed up.")]
    schedule: Annotated[ScheduleSpec, Field(description="When backups are taken.")]
    retention: Annotated[
        RetentionSpec,
        Field(
            description="Which backups stay. Default: 7 daily ones, and one that is about 30 days old.",
            json_schema_extra={"x-kubernetes-validations": RULES},
        ),
    ] = RetentionSpec()
    history_limits: Annotated[
        HistoryLimits, Field(description="How many BackupRuns stay that stand for no backup.")
    ] = HistoryLimits()
    storage: Annotated[
        StorageSpec,
        Field(
            description="Where the backups are kept: exactly one kind of store. Default: `mongodb: {}`, beside the "
            "source.",
            # Not a default of the schema: it would be stored, and forbid to name another kind later.
            default_factory=lambda: StorageSpec(mongodb=MongoStorage()),
            json_schema_extra={"x-kubernetes-validations": [ONE_KIND]},
        ),
    ]
    compression: Annotated[CompressionSpec, Field(description="How backups are compressed.")] = CompressionSpec()
    encryption: Annotated[
        EncryptionSpec | None,
        Field(description="Encrypt backups on the client (AES-256-GCM). Default: they are stored in the clear."),
    ] = None
    verification: Annotated[VerificationSpec, Field(description="How backups are proven.")] = VerificationSpec()
    point_in_time: Annotated[
        PointInTimeSpec,
        Field(
            description="Whether any second can be restored, not only the moments of backups.",
            json_schema_extra={"x-kubernetes-validations": POINT_IN_TIME_RULES},
        ),
    ] = PointInTimeSpec()
    health: Annotated[HealthSpec, Field(description="What counts as healthy.")] = HealthSpec()
    notifications: Annotated[NotificationsSpec, Field(description="Who is told what.")] = NotificationsSpec()
    job: Annotated[JobTemplate, Field(description="How the worker's Jobs run.")] = JobTemplate()
    deletion_policy: Annotated[
        DeletionPolicy,
        Field(
            description="What becomes of a backup when its BackupRun is deleted and does not say it itself. Deleting "
            "the policy, or the namespace, never removes a backup."
        ),
    ] = DeletionPolicy.RETAIN


class LastRun(Status):
    """The newest run of the policy."""

    name: Annotated[str, Field(description="Name of the BackupRun.")]
    phase: Annotated[str, Field(description="Its phase.")]
    start_time: Annotated[Timestamp | None, Field(description="When it started.")] = None
    completion_time: Annotated[Timestamp | None, Field(description="When it ended.")] = None
    message: Annotated[str | None, Field(description="Why it ended as it did.")] = None


class LastSuccessfulRun(Status):
    """The newest run that succeeded."""

    name: Annotated[str, Field(description="Name of the BackupRun.")]
    backup_id: Annotated[str | None, Field(description="Id of its backup.")] = None
    completion_time: Annotated[Timestamp | None, Field(description="When it ended.")] = None
    documents: Annotated[int | None, Field(description="Documents in the backup.", ge=0)] = None
    stored_bytes: Annotated[int | None, Field(description="Bytes that the backup takes up.", ge=0)] = None


class BackupPolicyStatus(Status):
    """What Holdfast found and did."""

    observed_generation: Annotated[
        int | None, Field(description="The generation of the spec that this status speaks about.")
    ] = None
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            description="Ready: the schedule is in force and what the worker needs is there. Stalled: it is not, until "
            "somebody changes the policy. SharedFailureDomain: the backups lie in the very server that they protect. "
            "NotificationsReady: mail can be sent. ChannelsReady: messages can be sent. NewUsersReady: new users "
            "are followed. TemplatesReady: templates of your own can be used. HeartbeatReady: the heartbeat URL "
            "hears us. RetentionCompliant: what the rule does not keep is removed in time. DrillPassed: the newest "
            "drill restored a backup and found it equal. ScheduleMissed: the newest scheduled backup never started. "
            "PointInTime: the oplog is archived, and any second can be restored from here on. Healthy: all five "
            "checks of `health` are good.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = ()
    next_schedule_time: Annotated[Timestamp | None, Field(description="When the next scheduled backup starts.")] = None
    missed_schedules: Annotated[MissedSchedules | None, Field(description="Scheduled backups that never started.")] = (
        None
    )
    last_run: Annotated[LastRun | None, Field(description="The newest run.")] = None
    last_successful_run: Annotated[LastSuccessfulRun | None, Field(description="The newest run that succeeded.")] = None
    retention: Annotated[PolicyRetention | None, Field(description="How the retention rule is kept.")] = None
    catalogue: Annotated[
        CatalogueStatus | None, Field(description="How far the BackupRuns are those of the repository.")
    ] = None
    last_drill: Annotated[LastDrill | None, Field(description="The newest drill that has ended.")] = None
    drills: Annotated[
        tuple[LastDrill, ...],
        Field(
            description=f"The newest drills that have ended, newest first, at most {DRILLS_KEPT}. Jobs may be gone.",
            max_length=DRILLS_KEPT,
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()
    point_in_time: Annotated[
        PointInTimeStatus | None, Field(description="Which seconds can be restored, where the oplog is archived.")
    ] = None
    health: Annotated[Health | None, Field(description="How the policy does: five checks, and the worst of them.")] = (
        None
    )
    statistics: Annotated[Statistics | None, Field(description="The runs of the last 30 days in numbers.")] = None
    notifications: Annotated[
        PolicyNotifications | None, Field(description="What the policy told, beside the ends of its runs.")
    ] = None


class BackupPolicy(Stored):
    """A BackupPolicy as the API server has it."""

    api_version: str = API_VERSION
    kind: Literal["BackupPolicy"] = "BackupPolicy"
    metadata: Metadata
    spec: BackupPolicySpec
    status: BackupPolicyStatus = BackupPolicyStatus()

    @property
    def owner_reference(self) -> dict[str, Any]:
        """Ties an object to this policy. It never blocks the deletion of the policy."""
        return owner_reference(self.metadata)

    @property
    def archives(self) -> bool:
        """Whether the oplog of its source is to be archived now."""
        return self.spec.point_in_time.enabled and not self.spec.schedule.suspend


def owner_reference(metadata: Metadata) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": metadata.name,
        "uid": metadata.uid,
        "controller": True,
    }
