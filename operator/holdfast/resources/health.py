"""Health: what a policy asks for, and what its status says of it."""

from typing import Annotated

from pydantic import Field

from holdfast.domain.health import CheckName, Verdict
from holdfast.resources.base import Spec, Status, Timestamp

FAILURES_LIMIT = 10
"""Reasons that are listed; there are hardly more."""


class HealthSpec(Spec):
    """What counts as healthy."""

    max_age_seconds: Annotated[
        int,
        Field(
            description="How old the newest good backup may be, in seconds. Where the schedule itself leaves more time "
            "between two backups, that and two hours counts. Default: 26 hours.",
            ge=60,
            le=31_536_000,
        ),
    ] = 93600
    ping: Annotated[
        bool,
        Field(
            description="Whether the operator itself asks the source, each minute, if it can be read. Switch it off "
            "where the operator's pod cannot reach the source and the worker's can: then the newest run tells."
        ),
    ] = True


class HealthCheck(Status):
    """One check."""

    name: Annotated[CheckName, Field(description="Which one.")]
    status: Annotated[Verdict, Field(description="Healthy, Warning or Critical.")]
    message: Annotated[str, Field(description="Why, and what to do.")]
    since: Annotated[Timestamp, Field(description="Since when it has this status.")]
    pending: Annotated[
        Verdict | None, Field(description="What it will be if the next look finds the same. A verdict takes two looks.")
    ] = None
    pending_since: Annotated[Timestamp | None, Field(description="When that was first seen.")] = None


class Health(Status):
    """How the policy does."""

    verdict: Annotated[Verdict, Field(description="The worst of the checks: Healthy, Warning or Critical.")]
    since: Annotated[Timestamp, Field(description="Since when.")]
    message: Annotated[str, Field(description="What the worst checks say.")]
    checks: Annotated[
        tuple[HealthCheck, ...],
        Field(
            description="DatabaseConnection, RecentBackup, BackupIntegrity, RetentionCompliance and CronSchedule.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = ()


class Failures(Status):
    """How often runs failed for one reason."""

    reason: Annotated[str, Field(description="The reason, as the runs say it.")]
    count: Annotated[int, Field(description="How many.", ge=1)]


class Trend(Status):
    """How a figure of the good backups moves."""

    newest: Annotated[int, Field(description="Of the newest.", ge=0)]
    average: Annotated[int, Field(description="On average.", ge=0)]
    per_week: Annotated[
        int | None, Field(description="By how much it grows in a week, by the line of least squares over four or more.")
    ] = None


class Statistics(Status):
    """The runs of the last 30 days, as far as there are BackupRuns of them (spec.historyLimits)."""

    runs: Annotated[int, Field(description="Runs that ended and were not cancelled.", ge=0)]
    succeeded: Annotated[int, Field(description="How many were good.", ge=0)]
    partially_failed: Annotated[int, Field(description="How many were good in part.", ge=0)]
    failed: Annotated[int, Field(description="How many failed.", ge=0)]
    success_percent: Annotated[int | None, Field(description="Good ones of a hundred, rounded down.", ge=0, le=100)] = (
        None
    )
    failures: Annotated[
        tuple[Failures, ...],
        Field(
            description="Why the others were not good, most frequent first.",
            max_length=FAILURES_LIMIT,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["reason"]},
        ),
    ] = ()
    average_interval_seconds: Annotated[
        int | None, Field(description="Between the ends of good backups, on average.", ge=0)
    ] = None
    logical_bytes: Annotated[Trend | None, Field(description="Bytes of documents in a backup.")] = None
    stored_bytes: Annotated[Trend | None, Field(description="Bytes that a backup takes up.")] = None
    duration_seconds: Annotated[Trend | None, Field(description="How long a backup takes.")] = None
