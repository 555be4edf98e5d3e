"""BackupRun: one backup, from the wish to its end. The names of its status are the product's JSON contract."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from holdfast.domain.consistency import ConsistencyLevel
from holdfast.domain.phases import CollectionPhase, Phase
from holdfast.resources.base import API_VERSION, Metadata, Spec, Status, Timestamp
from holdfast.resources.conditions import Condition
from holdfast.resources.notifications import RunNotifications
from holdfast.resources.queue import RunQueue
from holdfast.resources.retention import RunRetention
from holdfast.resources.stored import Stored

KIND = "BackupRun"

COLLECTIONS_LIMIT = 100
"""An object must stay well under 1 MiB; the manifest of the backup lists all."""

WARNINGS_LIMIT = 20

CONFIRM_DELETE_ANNOTATION = "holdfast.dev/confirm-delete"
"""With the id of its backup: that may go with the run, also if it is one that no rule may remove."""

PRE_RESTORE_LABEL = "holdfast.dev/pre-restore"
"""On an imported run: its backup was taken before a restore replaced something."""

HOLD_ANNOTATION = "holdfast.dev/hold"
"""Keeps the backup of a run for ever. Any value will do but ``false``."""


class RunReason(StrEnum):
    """What a run was started for."""

    SCHEDULED = "Scheduled"
    MANUAL = "Manual"
    PRE_RESTORE = "PreRestore"
    OPLOG = "Oplog"
    """What is archived of the oplog can only be replayed from a backup that was taken meanwhile."""
    IMPORTED = "Imported"
    """Found in the repository: it never had a Job here."""


class DeletionPolicy(StrEnum):
    """What becomes of a backup when its BackupRun is deleted."""

    RETAIN = "Retain"
    DELETE = "Delete"


class PolicyRef(Spec):
    """A BackupPolicy of the same namespace."""

    name: Annotated[
        str, Field(description="Name of the BackupPolicy, in the same namespace.", min_length=1, max_length=52)
    ]


class BackupRunSpec(Spec):
    """What is wanted. All but `hold`, `cancel` and `deletionPolicy` cannot be changed."""

    policy_ref: Annotated[PolicyRef, Field(description="The policy that says what is backed up, and where to.")]
    reason: Annotated[
        RunReason,
        Field(
            description="What the run was started for. Runs by hand are Manual; Oplog ones are where a replay of the "
            "archived oplog can begin; Imported ones were found in the repository, and never start a Job."
        ),
    ] = RunReason.MANUAL
    hold: Annotated[
        bool,
        Field(
            description="Keep the backup for ever, whatever the policy's rule says. The annotation holdfast.dev/hold "
            "does the same."
        ),
    ] = False
    cancel: Annotated[
        bool,
        Field(
            description="End the run where it stands: its Job is deleted, and its phase becomes Cancelled. A run that "
            "has ended stays as it is. It cannot be taken back."
        ),
    ] = False
    deletion_policy: Annotated[
        DeletionPolicy | None,
        Field(
            description="What becomes of the backup when this BackupRun is deleted. Retain: it stays, and gets a new "
            "BackupRun at the next sync. Delete: a Job removes it too, unless it is held or the last good one. "
            "Default: what the policy says."
        ),
    ] = None


class ConsistencyStatus(Status):
    """What the backup shows."""

    level: Annotated[
        ConsistencyLevel,
        Field(
            description="Snapshot: all collections at one moment. PointInTime: the same, once a restore has repeated "
            "what was written while they were read. None: each at a moment of its own."
        ),
    ]
    cluster_time: Annotated[
        str | None,
        Field(description="The moment, as the server counts: seconds since 1970, a dot, and a counter."),
    ] = None


class CollectionStatus(Status):
    """One collection of the backup."""

    name: Annotated[str, Field(description="Name of the collection.")]
    phase: Annotated[CollectionPhase, Field(description="Where it stands.")]
    documents: Annotated[int | None, Field(description="Documents read from it.", ge=0)] = None
    bytes: Annotated[int | None, Field(description="Bytes of these documents, before compression.", ge=0)] = None
    error: Annotated[str | None, Field(description="Why it failed.")] = None


class BackupRunStatus(Status):
    """What Holdfast found and did."""

    observed_generation: Annotated[
        int | None, Field(description="The generation of the spec that this status speaks about.")
    ] = None
    phase: Annotated[Phase | None, Field(description="Where the run stands.")] = None
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            description="Complete: the backup is whole and verified. Failed: it is not, and nobody tries any more. "
            "Reconciling: it is at work. Stalled: as Failed, for tools that wait. Pruned: the backup is not in the "
            "repository any more.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = ()
    reason: Annotated[str | None, Field(description="Why the run is where it is, as one CamelCase word.")] = None
    message: Annotated[str | None, Field(description="The same for people, with what to do next.")] = None
    start_time: Annotated[Timestamp | None, Field(description="When the worker first started.")] = None
    completion_time: Annotated[Timestamp | None, Field(description="When the run ended.")] = None
    duration: Annotated[str | None, Field(description="From start to end, such as 1m30s.")] = None
    backup_id: Annotated[str | None, Field(description="Id of the backup in its repository.")] = None
    database: Annotated[str | None, Field(description="The database that was backed up.")] = None
    consistency: Annotated[
        ConsistencyStatus | None, Field(description="What the backup claims about the moment it shows.")
    ] = None
    documents: Annotated[int | None, Field(description="Documents in the backup.", ge=0)] = None
    logical_bytes: Annotated[int | None, Field(description="Bytes of these documents, before compression.", ge=0)] = (
        None
    )
    stored_bytes: Annotated[
        int | None, Field(description="Bytes of all that the backup refers to, as stored.", ge=0)
    ] = None
    new_bytes: Annotated[int | None, Field(description="Bytes that this run added to the repository.", ge=0)] = None
    stored_size: Annotated[str | None, Field(description="storedBytes for people, such as 1.2 MiB.")] = None
    new_size: Annotated[str | None, Field(description="newBytes for people, such as 80.5 KiB.")] = None
    progress: Annotated[str | None, Field(description="How far the run is, by estimate, such as 42%.")] = None
    attempts: Annotated[int | None, Field(description="How many pods have worked on it.", ge=0)] = None
    collections: Annotated[
        tuple[CollectionStatus, ...],
        Field(
            description="The collections, failed ones first, at most 100.",
            max_length=COLLECTIONS_LIMIT,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = ()
    collections_omitted: Annotated[
        int | None, Field(description="How many collections are not listed here. The manifest has them all.", ge=0)
    ] = None
    warnings: Annotated[
        tuple[str, ...],
        Field(
            description="What the backup is good in spite of.",
            max_length=WARNINGS_LIMIT,
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()
    retention: Annotated[RunRetention | None, Field(description="Which older backups were removed after this one.")] = (
        None
    )
    prune_time: Annotated[
        Timestamp | None, Field(description="When the backup of this run was found to be removed.")
    ] = None
    queue: Annotated[
        RunQueue | None,
        Field(description="The wait for its turn, where the operator's maxConcurrentRuns holds runs back."),
    ] = None
    notifications: Annotated[RunNotifications | None, Field(description="Who was told of the end of the run.")] = None

    @property
    def terminal(self) -> bool:
        """Also of a run whose phase only a newer release knows."""
        return self.completion_time is not None if self.phase is None else self.phase.terminal

    @property
    def let_in(self) -> bool:
        """Whether it need not wait for a turn any more: it had it, or has begun without."""
        begun = self.phase not in (None, Phase.PENDING)
        return begun or (self.queue is not None and self.queue.turn_time is not None)

    def to_wire(self) -> dict[str, Any]:
        """Without what says nothing."""
        return {name: value for name, value in super().to_wire().items() if value not in ("", [])}


class BackupRun(Stored):
    """A BackupRun as the API server has it."""

    parts = frozenset({"spec", "status"})

    api_version: str = API_VERSION
    kind: Literal["BackupRun"] = "BackupRun"
    metadata: Metadata
    spec: BackupRunSpec
    status: BackupRunStatus = BackupRunStatus()

    @property
    def held(self) -> bool:
        """Whether its backup is to be kept for ever."""
        return self.spec.hold or self.metadata.annotations.get(HOLD_ANNOTATION, "false").lower() != "false"

    @property
    def pre_restore(self) -> bool:
        """Whether its backup shows what a restore was to mend."""
        return self.spec.reason is RunReason.PRE_RESTORE or PRE_RESTORE_LABEL in self.metadata.labels

    @property
    def born(self) -> datetime | None:
        """When it came to be, also where its object was made anew since."""
        if self.spec.reason is RunReason.IMPORTED and self.status.start_time:
            return self.status.start_time
        return self.metadata.creation_timestamp

    @property
    def stored(self) -> bool:
        """Whether it stands for a backup that is in the repository, as far as is known."""
        return self.status.terminal and self.status.backup_id is not None and self.status.prune_time is None

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
