"""What each command prints with ``--json``: the models behind ``holdfast schema`` and docs/schemas."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel
from pydantic.json_schema import GenerateJsonSchema

Count = Annotated[int, Field(ge=0)]
Ratio = Annotated[float, Field(ge=0)]
Moment = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", json_schema_extra={"format": "date-time"})]
"""RFC 3339 in UTC, to the second."""


class _Output(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", use_attribute_docstrings=True
    )


class Consistency(_Output):
    """What the backup may claim about the moment it shows."""

    level: Literal["Snapshot", "PointInTime", "None"]
    """`Snapshot`: all collections show one moment, the cluster time. `PointInTime`: they do once what was written while
    they were read is repeated, as every restore does. `None`: each was read at a time of its own."""
    cluster_time: str | None = None
    """That moment, as `seconds.increment`. Left out where there is none."""


class BackedUpCollection(_Output):
    """One collection of a backup."""

    name: str
    """As the server has it."""
    phase: Literal["Succeeded", "Failed"]
    """`Failed`: the backup does not hold it; `error` says why."""
    documents: Count
    """How many it has."""
    bytes: Count
    """Of its documents, raw."""
    stored_bytes: Count
    """In the store, of the chunks that it needs, whoever stored them."""
    new_bytes: Count
    """In the store, of the chunks that this backup added."""
    notes: list[str]
    """What another version of the server would refuse."""
    error: str | None = None
    """Why it could not be read. Left out where it was."""


class Policy(_Output):
    """The policy that took the backup."""

    namespace: str
    """Empty for a backup that was taken without Kubernetes."""
    name: str
    """Of the BackupPolicy, or what `--policy` said."""
    uid: str
    """Of the BackupPolicy; tells two of one name apart. May be empty."""


class Server(_Output):
    """The server that was read."""

    version: str
    """Such as 6.0.5."""
    topology: str
    """`replicaSet` or `standalone`."""
    replica_set: str | None = None
    """Its name. Left out for a standalone."""


class Imported(_Output):
    """Of a backup that was made from a dump."""

    format: Literal["archive", "directory"]
    """What `mongodump` wrote."""
    tool_version: str
    """Of `mongodump`, as the dump says."""
    time: Moment
    """When the dump was imported; the backup's `startTime` is that of the dump's files."""


class Backup(_Output):
    """One backup."""

    backup_id: str
    """Its id, which begins with its time."""
    phase: Literal["Succeeded", "PartiallyFailed"]
    """`PartiallyFailed`: one or more collections are missing."""
    database: str
    """The database that was backed up."""
    policy: Policy | None
    """Null where none was named."""
    imported: Imported | None
    """Null for a backup that was taken of a database."""
    server: Server
    """Where the data came from."""
    start_time: Moment
    """When the run began."""
    completion_time: Moment
    """When the backup was committed."""
    consistency: Consistency
    """Whether all collections show one moment."""
    documents: Count
    """Of all collections."""
    logical_bytes: Count
    """Of all documents, raw."""
    stored_bytes: Count
    """In the store, of all chunks that this backup needs, each counted once, whoever stored them."""
    new_bytes: Count
    """In the store, of what this backup added."""
    collections: list[BackedUpCollection]
    """In the order of their names."""
    warnings: list[str]
    """What to know before it is relied on."""


class ListedBackup(Backup):
    """One backup, and how far the oplog leads on from it."""

    point_in_time_until: Moment | None
    """Each second from the backup's cluster time to this one can be restored with `restore --point-in-time`. Null where
    no slices of an oplog lead on from it."""


class FoundDamage(_Output):
    """Something that is wrong."""

    problem: str
    """What."""
    backups: list[str]
    """Those that cannot be restored in full because of it."""


class Verification(_Output):
    """What was proven, and what is damaged."""

    backup_id: str | None
    """Null for a whole repository."""
    good: bool
    """Whether there is no damage."""
    backups: Count
    """How many were looked at."""
    chunks: Count
    """How many they need, each counted once."""
    bytes_read: Count
    """Raw bytes that were read and proven; 0 without `--read-data`."""
    damage: list[FoundDamage]
    """Empty where all is good."""


class Merged(_Output):
    """What became of the documents of a collection that was there already."""

    inserted: Count
    """Were missing."""
    equal: Count
    """Were there, byte for byte."""
    different: Count
    """Were there in another form, and were left so."""


class RestoredCollection(_Output):
    """One collection that was restored."""

    name: str
    """As it is called in the target."""
    documents: Count
    """How many the backup has."""
    bytes: Count
    """Of its documents, raw."""
    indexes: Count
    """How many the backup has, that of `_id` among them."""
    merged: Merged | None = None
    """Left out unless documents were merged into it."""


class Restore(_Output):
    """What was restored, and compared with the backup."""

    mode: Literal["Apply"]
    """It was done."""
    backup_id: str
    """The backup that was restored."""
    database: str
    """Where to."""
    strategy: Literal["Swap", "Direct"]
    """Made ready aside and renamed into place, or written where it belongs."""
    documents: Count
    """Of all collections."""
    logical_bytes: Count
    """Of all documents, raw."""
    verified: Literal[True]
    """Always true: a restore that differs from its backup is an error."""
    repeated: Count
    """Writes that were done while the backup was read, and repeated behind the comparison: 0 unless its consistency is
    `PointInTime`."""
    proof_seconds: Ratio
    """What the comparison of the documents took, of the whole."""
    collections: list[RestoredCollection]
    """In the order of the backup."""
    skipped: list[str]
    """Collections that the backup itself could not read."""
    warnings: list[str]
    """What a merge found different."""


class PointRestore(_Output):
    """What was restored to a point in time."""

    mode: Literal["PointInTime"]
    """It was done."""
    backup_id: str
    """The backup that the replay began from; it was compared before."""
    database: str
    """Where to."""
    from_: str = Field(alias="from")
    """The cluster time of that backup."""
    until: str
    """The cluster time up to which the oplog was repeated."""
    operations: Count
    """How many changes were repeated; after an interruption, by the last attempt."""
    collections: list[str]
    """All that are there now."""
    warnings: list[str]
    """What is not as it was, and why."""


class PointRestorePlan(_Output):
    """What a restore to a point in time would take. Nothing was changed."""

    mode: Literal["PointInTimePlan"]
    """It was not done."""
    backup_id: str
    """The backup that the replay would begin from."""
    database: str
    """Where to."""
    from_: str = Field(alias="from")
    """The cluster time of that backup."""
    until: str
    """The cluster time up to which the oplog would be repeated."""


class PlannedCollection(_Output):
    """What would become of one collection."""

    name: str
    """In the backup."""
    target: str
    """In the target."""
    type: Literal["collection", "view", "timeseries"]
    """What it is."""
    action: Literal["Create", "Replace", "Merge", "Skip"]
    """What would be done with it."""
    way: Literal["Swap", "Direct"]
    """Made ready aside and renamed into place, or written where it belongs."""
    documents: Count
    """How many the backup has."""
    bytes: Count
    """Of its documents, raw."""
    indexes: Count
    """How many the backup has, that of `_id` among them."""
    existing_documents: Count | None
    """How many are there now. Null where there is no collection of this name."""
    problem: str | None
    """Why it cannot be restored. Null where it can."""


class RestorePlan(_Output):
    """What would be done. Nothing was changed."""

    mode: Literal["Plan"]
    """Nothing was done."""
    backup_id: str
    """The backup that would be restored."""
    database: str
    """Where to."""
    strategy: Literal["Swap", "Direct"]
    """Made ready aside and renamed into place, or written where it belongs."""
    strategy_reason: str
    """Why that one."""
    documents: Count
    """Of all collections."""
    logical_bytes: Count
    """Of all documents, raw."""
    indexes: Count
    """To be built."""
    collections: list[PlannedCollection]
    """In the order of the backup."""
    conflicts: list[str]
    """Why nothing would be done at all. Empty if it would."""
    warnings: list[str]
    """What to know before it is done."""
    kept: list[str]
    """Collections of the target that stay as they are."""


class ExportedCollection(_Output):
    """One collection of an export."""

    name: str
    """As the server had it."""
    documents: Count
    """How many were written."""
    bytes: Count
    """Of its documents, raw."""


class Export(_Output):
    """What was written out of a backup."""

    backup_id: str
    """The backup that was exported."""
    database: str
    """The database that it is of."""
    format: Literal["archive", "directory", "json"]
    """What can read it: `mongorestore`, or anything that reads JSON."""
    output: str
    """Where it was written."""
    documents: Count
    """Of all collections."""
    logical_bytes: Count
    """Of all documents, raw."""
    collections: list[ExportedCollection]
    """In the order of the backup."""
    skipped: list[str]
    """Collections that the backup itself could not read."""
    warnings: list[str]
    """What the format cannot carry."""


class Stats(_Output):
    """What all backups of a repository take up. `sharing` times `compression` is `reuse`."""

    backups: Count
    """That can be read. Every other number is about these."""
    logical_bytes: Count
    """Of all documents of all backups, raw, as if nothing were shared."""
    unique_bytes: Count
    """The same with each chunk counted once."""
    stored_bytes: Count
    """In the store, of the chunks and lists that the backups need, each counted once; without garbage."""
    chunks: Count
    """How many, each counted once."""
    sharing: Ratio
    """`logicalBytes` for each of `uniqueBytes`."""
    compression: Ratio
    """`uniqueBytes` for each of `storedBytes`."""
    reuse: Ratio
    """`logicalBytes` for each of `storedBytes`."""
    damaged: Count
    """Backups that cannot be read."""


class PlannedBackup(_Output):
    """What the rule says of one backup."""

    backup_id: str
    """Its id."""
    database: str
    """The database that it is of."""
    start_time: Moment
    """When its run began."""
    keep: bool
    """Whether it stays."""
    reasons: list[str]
    """Why it stays, or goes."""


class Prune(_Output):
    """What was removed, or would be."""

    dry_run: bool
    """Whether nothing was changed."""
    removed: list[str]
    """Ids of the backups that are gone; empty for a dry run."""
    removed_chunks: Count
    """How many only they needed, with other garbage."""
    freed_bytes: Count
    """In the store."""
    damaged: list[str]
    """Manifests that cannot be read, and why. They are left alone, and no chunk is removed."""
    backups: list[PlannedBackup]
    """All that were looked at, newest first."""


class Version(_Output):
    """What this release is, and what it reads and writes."""

    version: str
    """Of the release, by Semantic Versioning."""
    repository_format: Count
    """The repository format that it writes, and reads."""
    api_version: str
    """Of the resources, such as `holdfast.dev/v1alpha1`."""
    python: str
    """The version of Python that it runs by."""


OUTPUTS: dict[str, Any] = {
    "backup": Backup,
    "export": Export,
    "import": Backup,
    "list": list[ListedBackup],
    "prune": Prune,
    "restore": Restore | RestorePlan | PointRestore | PointRestorePlan,
    "show": Backup,
    "stats": Stats,
    "verify": Verification,
    "version": Version,
}
"""By command."""


class _Generator(GenerateJsonSchema):
    """Without a title for each field, which would only repeat its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False


def schema_of(command: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what a command prints. It lets fields be added that it does not know."""
    schema = TypeAdapter(OUTPUTS[command]).json_schema(by_alias=True, schema_generator=_Generator)
    opened: dict[str, Any] = _open(schema)
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **opened, "title": f"holdfast {command} --json"}


def _open(schema: Any) -> Any:
    """The schema with room for fields of a later release."""
    if isinstance(schema, list):
        return [_open(part) for part in schema]
    if isinstance(schema, dict):
        return {key: _open(part) for key, part in schema.items() if (key, part) != ("additionalProperties", False)}
    return schema
