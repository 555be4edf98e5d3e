"""Recovery to any second: what a policy and a RestoreRun ask for, and what their statuses say of it."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from holdfast.domain.duration import PATTERN, parse_duration
from holdfast.resources.base import Spec, Status, Timestamp
from holdfast.resources.job import Quantity

GAPS_LIMIT = 20
"""Of gaps that are listed. The newest stay."""

SOME_TIME = {
    "rule": "!has(self.keepWithin) || self.keepWithin.matches('[1-9]')",
    "message": "keepWithin is no time at all: write it as 7d, 36h or 2w",
}


class ArchiverResources(Spec):
    """Compute resources of the archiver's container."""

    requests: dict[str, Quantity] = Field(
        default={"cpu": "10m", "memory": "64Mi"}, description="What the archiver is guaranteed.", max_length=16
    )
    limits: dict[str, Quantity] = Field(
        default={"memory": "256Mi"}, description="What the archiver may use at most.", max_length=16
    )


class PointInTimeSpec(Spec):
    """Whether the oplog is archived, so that any second can be restored."""

    enabled: Annotated[
        bool,
        Field(
            description="Archive the oplog of the source, by a Deployment of its own. It takes a replica set, of one "
            "member if need be, and a user with the role `backup`. While the schedule is suspended it stands still."
        ),
    ] = False
    slice_seconds: Annotated[
        int,
        Field(description="What is written to the database is archived so many seconds later at most.", ge=1, le=3600),
    ] = 60
    keep_within: Annotated[
        str | None,
        Field(
            description="How far back any second can be restored, such as 7d, 36h or 2w, as far as there are backups "
            "to begin from. Older slices of the oplog go. Default: as far back as there are backups.",
            pattern=PATTERN,
            min_length=2,
            max_length=30,
        ),
    ] = None
    resources: Annotated[ArchiverResources, Field(description="Compute resources of the archiver.")] = (
        ArchiverResources()
    )

    @property
    def within(self) -> timedelta | None:
        """InvalidSpec if keepWithin is no duration."""
        return parse_duration(self.keep_within, "spec.pointInTime.keepWithin") if self.keep_within else None


RULES: list[dict[str, Any]] = [SOME_TIME]


class Gap(Status):
    """A stretch of time of which nothing can be restored. Its ends can."""

    from_: Annotated[
        Timestamp | None, Field(alias="from", description="The last second before it that can be restored.")
    ] = None
    to: Annotated[
        Timestamp | None,
        Field(description="The first second behind it that can be restored. None: that takes a new backup."),
    ] = None
    message: Annotated[str | None, Field(description="Why there is a gap.")] = None


class PointInTimeStatus(Status):
    """Which seconds can be restored: all from `from` to `to` that are in no gap. Written by the archiver."""

    from_: Annotated[
        Timestamp | None,
        Field(alias="from", description="The first second that can be restored. None: there is no backup yet."),
    ] = None
    to: Annotated[Timestamp | None, Field(description="The last second that is archived.")] = None
    lag_seconds: Annotated[
        int | None,
        Field(description="How far `to` was behind when it was written. Metrics tell how far it is now.", ge=0),
    ] = None
    gaps: Annotated[
        tuple[Gap, ...],
        Field(
            description=f"What cannot be restored in between, the newest {GAPS_LIMIT}, in order.",
            max_length=GAPS_LIMIT,
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()
    lineage: Annotated[
        str | None,
        Field(description="The unbroken stretch of oplog that is archived now. Behind a gap another one begins."),
    ] = None
    reason: Annotated[
        str | None, Field(description="Why the archiver does not work, as one CamelCase word. None: it does.")
    ] = None
    message: Annotated[str | None, Field(description="The same for people, with what to do next.")] = None

    @property
    def begins_at(self) -> int:
        """The second in which the present stretch begins; 0 if there is none."""
        seconds = (self.lineage or "").partition("-")[0]
        return int(seconds) if seconds.isdecimal() else 0

    @property
    def open_gap(self) -> Gap | None:
        """The gap behind which no backup has been taken yet."""
        return self.gaps[-1] if self.gaps and self.gaps[-1].to is None else None

    @property
    def wants_backup(self) -> bool:
        """Whether what is archived now leads on from no backup."""
        return self.lineage is not None and (self.from_ is None or self.open_gap is not None)


class Accident(StrEnum):
    """What happened, by the name of the command."""

    DROP = "drop"
    DROP_DATABASE = "dropDatabase"
    RENAME = "renameCollection"


class Before(Spec):
    """Something that happened, just ahead of which all was well."""

    namespace: Annotated[
        str,
        Field(
            description="What it happened to: a collection, with or without its database in front; for dropDatabase, "
            "the database.",
            min_length=1,
            max_length=255,
        ),
    ]
    operation: Annotated[
        Accident,
        Field(
            description="What happened, for the last time that the archived oplog shows: drop, dropDatabase, or "
            "renameCollection (away from this name, or over it)."
        ),
    ]


class ReachedStatus(Status):
    """The moment that is restored."""

    time: Annotated[
        Timestamp, Field(description="The second: all is as it was at its end, or just before the event in it.")
    ]
    cluster_time: Annotated[
        str,
        Field(
            description="The same as the server counts: seconds since 1970, a dot, and a counter. Once it is here, "
            "every attempt goes up to it."
        ),
    ]
    last_change: Annotated[
        str | None, Field(description="The last change that is in it, as the server counts. None: the backup has all.")
    ] = None
    operations: Annotated[
        int | None, Field(description="How many changes lie between the backup and that moment.", ge=0)
    ] = None
