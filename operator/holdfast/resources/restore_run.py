"""RestoreRun: one restore, from the wish to its proof. The spec never changes, and a run that has ended stays so."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from holdfast.domain.phases import CollectionPhase, RestorePhase
from holdfast.domain.restoring import Existing, Strategy
from holdfast.resources.base import API_VERSION, Metadata, Spec, Status, Timestamp
from holdfast.resources.conditions import Condition
from holdfast.resources.job import MOST_PODS
from holdfast.resources.notifications import RunNotifications
from holdfast.resources.point_in_time import Before, ReachedStatus
from holdfast.resources.policy import Glob
from holdfast.resources.references import DatabaseName, UriSecretRef
from holdfast.resources.run import COLLECTIONS_LIMIT, WARNINGS_LIMIT, PolicyRef
from holdfast.resources.stored import Stored

KIND = "RestoreRun"

SOURCE_RULES = [
    {
        "rule": "has(self.backupRunRef) != has(self.policyRef)",
        "message": "source takes either backupRunRef or policyRef",
    },
    {
        "rule": "has(self.policyRef) ? [has(self.backupId), has(self.latest) && self.latest, has(self.pointInTime), "
        "has(self.before)].filter(given, given).size() == 1 "
        ": !has(self.backupId) && !has(self.latest) && !has(self.pointInTime) && !has(self.before)",
        "message": "source.policyRef takes exactly one of latest: true, backupId, pointInTime and before; "
        "source.backupRunRef takes none of them",
    },
]

SPEC_RULES = [
    {"rule": "self == oldSelf", "message": "the spec of a RestoreRun cannot be changed: create another run"},
    {
        "rule": "self.mode != 'Apply' || self.existing != 'Drop' || has(self.confirm)",
        "message": "existing: Drop replaces live data: name the target database in confirm",
    },
    {
        "rule": "!has(self.confirm) || !has(self.target) || !has(self.target.database) "
        "|| self.confirm == self.target.database",
        "message": "confirm must be the name of the target database",
    },
    {
        "rule": "self.existing == 'Fail' || !(has(self.source.pointInTime) || has(self.source.before))",
        "message": "a restore to a point in time replaces nothing: restore into another database, or only what is "
        "missing in this one, with existing: Fail",
    },
]


class Mode(StrEnum):
    """Whether a run only says what it would do."""

    PLAN = "Plan"
    APPLY = "Apply"


class BackupRunRef(Spec):
    """A BackupRun of the same namespace."""

    name: Annotated[
        str, Field(description="Name of the BackupRun, in the same namespace.", min_length=1, max_length=253)
    ]


class RestoreSource(Spec):
    """The backup that is restored, or the moment."""

    backup_run_ref: Annotated[
        BackupRunRef | None, Field(description="The run that took the backup. One that still works is waited for.")
    ] = None
    policy_ref: Annotated[PolicyRef | None, Field(description="The policy in whose repository the backup lies.")] = None
    latest: Annotated[
        bool | None,
        Field(
            description="Take the policy's newest backup that is whole, as the repository has it. Backups that were "
            "taken before a restore do not count."
        ),
    ] = None
    backup_id: Annotated[
        str | None,
        Field(
            description="Id of the backup, or a unique prefix of one.",
            max_length=64,
            pattern=r"^[0-9]{4}[0-9A-Za-z-]*$",
        ),
    ] = None
    point_in_time: Annotated[
        Timestamp | None,
        Field(
            description="All as it was at the end of this second, such as 2026-11-23T01:59:59Z: the newest backup "
            "before it, and what the archived oplog says from there on. The policy's status.pointInTime tells which "
            "seconds can be had."
        ),
    ] = None
    before: Annotated[Before | None, Field(description="All as it was just before something happened.")] = None

    @property
    def replays(self) -> bool:
        """Whether it takes more than a backup."""
        return self.point_in_time is not None or self.before is not None


class RestoreTarget(Spec):
    """The database that is restored into."""

    uri_secret_ref: Annotated[
        UriSecretRef | None,
        Field(description="Where the MongoDB URI of the target is. Default: that of the policy's source."),
    ] = None
    database: Annotated[
        DatabaseName | None,
        Field(
            description="The database to restore into. Default: the one in the URI of the target's own Secret, else "
            "the one that was backed up."
        ),
    ] = None


class Rename(Spec):
    """A collection that gets another name."""

    from_: Annotated[str, Field(alias="from", description="Name in the backup.", min_length=1, max_length=255)]
    to: Annotated[str, Field(description="Name in the target.", min_length=1, max_length=255)]


class RestoreRunSpec(Spec):
    """What is wanted. It cannot be changed."""

    source: Annotated[
        RestoreSource,
        Field(description="The backup that is restored.", json_schema_extra={"x-kubernetes-validations": SOURCE_RULES}),
    ]
    target: Annotated[RestoreTarget, Field(description="The database that is restored into.")] = RestoreTarget()
    include: Annotated[
        tuple[Glob, ...],
        Field(
            description="Collections to restore, by name in the backup or glob (`*`, `?`, `[abc]`). Default: all.",
            max_length=1000,
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ] = ()
    exclude: Annotated[
        tuple[Glob, ...],
        Field(
            description="Collections to leave out, by name or glob. Wins over `include`.",
            max_length=1000,
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ] = ()
    rename: Annotated[
        tuple[Rename, ...],
        Field(
            description="Collections that get another name.",
            max_length=1000,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["from"]},
        ),
    ] = ()
    mode: Annotated[
        Mode,
        Field(
            description="Plan: say in the status exactly what would happen, and change nothing. Apply: do it. The "
            "default is the one that does no harm."
        ),
    ] = Mode.PLAN
    existing: Annotated[
        Existing,
        Field(
            description="What becomes of collections of the same names in the target. Fail: nothing is done at all. "
            "Drop: they are replaced. Merge: documents that are missing are inserted, and those that differ reported."
        ),
    ] = Existing.FAIL
    strategy: Annotated[
        Strategy,
        Field(
            description="Swap: restore into scratch collections, then rename them into place, so that nobody reads "
            "half a restore. Direct: collection by collection. Auto: Swap where the target is not empty and the server "
            "allows."
        ),
    ] = Strategy.AUTO
    confirm: Annotated[
        DatabaseName | None,
        Field(description="Name of the target database, once more. `existing: Drop` does nothing without it."),
    ] = None
    pre_restore_backup: Annotated[
        bool,
        Field(description="Before collections are replaced, back them up into the policy's repository."),
    ] = True
    parallelism: Annotated[
        int | None,
        Field(
            description="How many pods do the restore together, as one Indexed Job: each writes a share of the data, "
            "and reads it again. What is merged into, and a restore to a point in time, is done by one pod. Default: "
            "the policy's `spec.job.parallelism`.",
            ge=1,
            le=MOST_PODS,
        ),
    ] = None
    active_deadline_seconds: Annotated[
        int | None,
        Field(
            description="A run that takes longer, retries included, is ended as failed. Default: the policy's "
            "`spec.job.activeDeadlineSeconds`.",
            ge=60,
            le=2592000,
        ),
    ] = None


class PlannedCollectionStatus(Status):
    """What would become of one collection, or of one that is only in the target."""

    name: Annotated[str, Field(description="Name in the backup.")]
    target: Annotated[str | None, Field(description="Name in the target, where it is another.")] = None
    type: Annotated[str | None, Field(description="collection, view or timeseries.")] = None
    action: Annotated[str, Field(description="Create, Replace, Merge or Skip.")]
    documents: Annotated[int | None, Field(description="Documents in the backup.", ge=0)] = None
    bytes: Annotated[int | None, Field(description="Bytes of these documents.", ge=0)] = None
    indexes: Annotated[int | None, Field(description="Indexes in the backup.", ge=0)] = None
    existing_documents: Annotated[int | None, Field(description="Documents that are in the target now.", ge=0)] = None
    problem: Annotated[str | None, Field(description="Why it cannot be restored, or not as it was.")] = None


class PlanStatus(Status):
    """What the run would do, or does."""

    strategy: Annotated[str | None, Field(description="Swap or Direct.")] = None
    strategy_reason: Annotated[str | None, Field(description="Why that one.")] = None
    collections: Annotated[
        tuple[PlannedCollectionStatus, ...],
        Field(
            description="The collections, those with a problem first, at most 100.",
            max_length=COLLECTIONS_LIMIT,
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()
    collections_omitted: Annotated[int | None, Field(description="How many are not listed here.", ge=0)] = None
    documents: Annotated[int | None, Field(description="Documents to restore.", ge=0)] = None
    bytes: Annotated[int | None, Field(description="Bytes of these documents.", ge=0)] = None
    size: Annotated[str | None, Field(description="bytes for people, such as 1.2 MiB.")] = None
    indexes: Annotated[int | None, Field(description="Indexes to build.", ge=0)] = None
    conflicts: Annotated[
        tuple[str, ...],
        Field(
            description="Why the run would do nothing.",
            max_length=WARNINGS_LIMIT,
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()
    warnings: Annotated[
        tuple[str, ...],
        Field(
            description="What to know before it is done.",
            max_length=WARNINGS_LIMIT,
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()
    estimated_seconds: Annotated[
        int | None, Field(description="How long it may take, from past restores of the policy.", ge=0)
    ] = None


class RestoredCollectionStatus(Status):
    """One collection of the restore."""

    name: Annotated[str, Field(description="Name in the target.")]
    phase: Annotated[CollectionPhase, Field(description="Where it stands.")]
    documents: Annotated[int | None, Field(description="Documents restored.", ge=0)] = None
    bytes: Annotated[int | None, Field(description="Bytes of these documents.", ge=0)] = None
    indexes: Annotated[int | None, Field(description="Indexes built.", ge=0)] = None
    error: Annotated[str | None, Field(description="Why it failed.")] = None


class VerificationStatus(Status):
    """What came of the comparison with the backup."""

    result: Annotated[
        Literal["Equal", "Present", "Replayed", "Different"],
        Field(
            description="Equal: every count, hash, index and option is that of the backup. Present: after a merge, "
            "every document of the backup is there, in whatever form. Replayed: all was equal to the backup, and then "
            "every change up to the point in time, or to the moment of a backup with consistency PointInTime, was "
            "repeated, and none refused."
        ),
    ]
    collections: Annotated[int | None, Field(description="Collections that were compared.", ge=0)] = None
    documents: Annotated[int | None, Field(description="Documents that were compared.", ge=0)] = None
    differences: Annotated[
        tuple[str, ...],
        Field(
            description="The differences, at most 20.",
            max_length=WARNINGS_LIMIT,
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()


class RestoreRunStatus(Status):
    """What Holdfast found and did."""

    observed_generation: Annotated[
        int | None, Field(description="The generation of the spec that this status speaks about.")
    ] = None
    phase: Annotated[RestorePhase | None, Field(description="Where the run stands.")] = None
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            description="Complete: what was wanted is done, and proven. Failed: it is not, and nobody tries any more. "
            "Reconciling: it is at work. Stalled: as Failed, for tools that wait.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = ()
    reason: Annotated[str | None, Field(description="Why the run is where it is, as one CamelCase word.")] = None
    message: Annotated[str | None, Field(description="The same for people, with what to do next.")] = None
    job: Annotated[str | None, Field(description="Name of its Job. A run never gets a second one.")] = None
    policy: Annotated[str | None, Field(description="The policy whose backup it restores.")] = None
    backup_id: Annotated[
        str | None, Field(description="Id of the backup. Once it is here, every attempt takes this one.")
    ] = None
    database: Annotated[str | None, Field(description="The database that is restored into.")] = None
    strategy: Annotated[str | None, Field(description="Swap or Direct.")] = None
    start_time: Annotated[Timestamp | None, Field(description="When the worker first started.")] = None
    completion_time: Annotated[Timestamp | None, Field(description="When the run ended.")] = None
    duration: Annotated[str | None, Field(description="From start to end, such as 1m30s.")] = None
    progress: Annotated[str | None, Field(description="How far the run is, such as 42%.")] = None
    attempts: Annotated[int | None, Field(description="How many pods have worked on it.", ge=0)] = None
    documents: Annotated[int | None, Field(description="Documents restored.", ge=0)] = None
    logical_bytes: Annotated[int | None, Field(description="Bytes of these documents.", ge=0)] = None
    size: Annotated[str | None, Field(description="logicalBytes for people, such as 1.2 MiB.")] = None
    plan: Annotated[PlanStatus | None, Field(description="What the run would do, or does.")] = None
    collections: Annotated[
        tuple[RestoredCollectionStatus, ...],
        Field(
            description="The collections in the target, failed ones first, at most 100.",
            max_length=COLLECTIONS_LIMIT,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = ()
    collections_omitted: Annotated[int | None, Field(description="How many are not listed here.", ge=0)] = None
    verification: Annotated[
        VerificationStatus | None, Field(description="What came of the comparison with the backup.")
    ] = None
    point_in_time: Annotated[
        ReachedStatus | None, Field(description="The moment that is restored, where it is not that of a backup.")
    ] = None
    pre_restore_backup_id: Annotated[
        str | None, Field(description="Id of the backup of what was replaced: the way back.")
    ] = None
    warnings: Annotated[
        tuple[str, ...],
        Field(
            description="What the restore is good in spite of.",
            max_length=WARNINGS_LIMIT,
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()
    notifications: Annotated[RunNotifications | None, Field(description="Who was told of the end of the run.")] = None

    @property
    def terminal(self) -> bool:
        """Also of a run whose phase only a newer release knows."""
        return self.completion_time is not None if self.phase is None else self.phase.terminal

    def to_wire(self) -> dict[str, Any]:
        """Without what says nothing."""
        return {name: value for name, value in super().to_wire().items() if value not in ("", [])}


class RestoreRun(Stored):
    """A RestoreRun as the API server has it."""

    parts = frozenset({"spec", "status"})

    api_version: str = API_VERSION
    kind: Literal["RestoreRun"] = "RestoreRun"
    metadata: Metadata
    spec: RestoreRunSpec
    status: RestoreRunStatus = RestoreRunStatus()

    @property
    def policy_name(self) -> str | None:
        """The policy whose backup it restores; None where nobody has found out yet."""
        named = self.spec.source.policy_ref
        return self.status.policy or (named.name if named else None)

    @property
    def owner_reference(self) -> dict[str, Any]:
        """Ties a Job to this run."""
        return {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": self.metadata.name,
            "uid": self.metadata.uid,
            "controller": True,
        }
