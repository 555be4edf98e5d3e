"""What of its backups a policy keeps, and what is said about it: the part of the resources that is about retention."""

from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from holdfast.domain.duration import PATTERN, parse_duration
from holdfast.domain.retention import Rule
from holdfast.errors import InvalidSpec
from holdfast.resources.base import Spec, Status, Timestamp

MOST = 10_000
REMOVED_LIMIT = 100
PREVIEW_LIMIT = 50

_WITHIN = "spec.retention.keepWithin"

_COUNTS = ("keepLast", "keepHourly", "keepDaily", "keepWeekly", "keepMonthly", "keepYearly")
KEEPS_SOMETHING = {
    # The default of the whole is checked before those of its fields are in it.
    "rule": f"!has(self.keepDaily) || {' + '.join(f'self.{name}' for name in _COUNTS)} > 0 || has(self.keepWithin)",
    "message": f"the rule keeps nothing: set one of {', '.join(_COUNTS)} or keepWithin",
}
SOME_TIME = {
    "rule": "!has(self.keepWithin) || self.keepWithin.matches('[1-9]')",
    "message": "keepWithin is no time at all: write it as 90d, 36h or 2w",
}
RULES: list[dict[str, Any]] = [KEEPS_SOMETHING, SOME_TIME]


def _count(what: str) -> Any:
    return Field(description=f"{what} 0: no such rule.", ge=0, le=MOST)


class RetentionSpec(Spec):
    """Which backups stay. Each part keeps what it names, whatever the others say."""

    keep_last: Annotated[int, _count("How many of the newest stay.")] = 0
    keep_hourly: Annotated[int, _count("Of how many hours the newest stays. Hours without one do not count.")] = 0
    keep_daily: Annotated[int, _count("Of how many days the newest stays. Days without one do not count.")] = 7
    keep_weekly: Annotated[int, _count("How many stay that are about one week old, two, and so on.")] = 0
    keep_monthly: Annotated[int, _count("How many stay that are about 30 days old, 60, and so on.")] = 1
    keep_yearly: Annotated[int, _count("How many stay that are about one year old, two, and so on.")] = 0
    keep_within: Annotated[
        str | None,
        Field(
            description="All stay that are at most so much older than the newest, such as 90d, 36h or 2w. "
            "Default: no such rule.",
            pattern=PATTERN,
            min_length=2,
            max_length=30,
        ),
    ] = None
    min_successful: Annotated[
        int,
        Field(description="How many good backups always stay, whatever else is said here.", ge=1, le=MOST),
    ] = 1

    @model_validator(mode="after")
    def _keeps_something(self) -> Self:
        if self.rule.empty:
            raise InvalidSpec("spec.retention keeps nothing.", hint="Set one of keepDaily, keepLast, keepWithin, ….")
        return self

    @property
    def rule(self) -> Rule:
        """The same for the planner. InvalidSpec if keepWithin is no duration."""
        within: timedelta | None = parse_duration(self.keep_within, _WITHIN) if self.keep_within is not None else None
        return Rule(
            self.keep_last, self.keep_hourly, self.keep_daily, self.keep_weekly, self.keep_monthly, self.keep_yearly,
            within, self.min_successful,
        )  # fmt: skip


class HistoryLimits(Spec):
    """How many BackupRuns stay that stand for no backup. A run whose backup is kept always stays."""

    failed_runs: Annotated[
        int, Field(description="How many of the newest runs stay that failed or were cancelled.", ge=1, le=1000)
    ] = 20
    pruned_runs: Annotated[
        int, Field(description="How many of the newest runs stay whose backup was removed.", ge=0, le=1000)
    ] = 20


class RunRetention(Status):
    """What was removed after a run."""

    time: Annotated[Timestamp, Field(description="When older backups were last looked at.")]
    generation: Annotated[
        int | None, Field(description="The generation of the policy whose rule was applied.", ge=0)
    ] = None
    removed: Annotated[
        tuple[str, ...],
        Field(
            description=f"Ids of the backups that were removed, at most {REMOVED_LIMIT}.",
            max_length=REMOVED_LIMIT,
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()
    freed_bytes: Annotated[int | None, Field(description="Bytes of storage that were freed.", ge=0)] = None
    freed_size: Annotated[str | None, Field(description="freedBytes for people, such as 1.2 MiB.")] = None
    reason: Annotated[str | None, Field(description="Why it failed, as one CamelCase word.")] = None
    error: Annotated[str | None, Field(description="Why it failed. The backup of this run is good all the same.")] = (
        None
    )


class PlannedRemoval(Status):
    """A backup that the next prune removes."""

    backup_id: Annotated[str, Field(description="Id of the backup.")]
    reason: Annotated[str, Field(description="Why it goes.")]


class PolicyRetention(Status):
    """How the rule is kept, by the BackupRuns."""

    kept: Annotated[int, Field(description="How many backups the rule keeps.", ge=0)]
    held: Annotated[int | None, Field(description="How many of them are held.", ge=0)] = None
    expired: Annotated[int, Field(description="How many the next prune removes.", ge=0)]
    overdue: Annotated[int, Field(description="How many ought to be gone already.", ge=0)]
    expired_since: Annotated[
        Timestamp | None, Field(description="Since when there is something to remove by the present rule.")
    ] = None
    due_time: Annotated[
        Timestamp | None, Field(description="When a Job is started to remove it, if no backup has done so before.")
    ] = None
    last_prune_time: Annotated[Timestamp | None, Field(description="When a prune last went well.")] = None
    freed_bytes: Annotated[int | None, Field(description="Bytes that it freed.", ge=0)] = None
    generation: Annotated[int | None, Field(description="The generation of the policy that this is about.")] = None
    preview: Annotated[
        tuple[PlannedRemoval, ...],
        Field(
            description=f"What the next prune removes, and why; at most {PREVIEW_LIMIT}.",
            max_length=PREVIEW_LIMIT,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["backupId"]},
        ),
    ] = ()
