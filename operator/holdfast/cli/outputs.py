"""What each command prints with ``--json``: the models behind ``holdfast schema`` and docs/schemas."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.alias_generators import to_camel


class _Output(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


class Consistency(_Output):
    """``Snapshot``: all collections show one moment, the cluster time. ``None``: each was read at a time of its own."""

    level: Literal["Snapshot", "None"]
    cluster_time: str | None = None


class BackedUpCollection(_Output):
    """``bytes`` are those of the documents; ``error`` says why there are none. ``notes``: what another version of the
    server would refuse."""

    name: str
    phase: Literal["Succeeded", "Failed"]
    documents: int
    bytes: int
    stored_bytes: int
    new_bytes: int
    notes: list[str]
    error: str | None = None


class Policy(_Output):
    namespace: str
    name: str
    uid: str


class Server(_Output):
    version: str
    topology: str
    replica_set: str | None = None


class Imported(_Output):
    """Of a backup that was made from a dump. ``time`` is that of the import; ``startTime`` that of the dump's files."""

    format: Literal["archive", "directory"]
    tool_version: str
    time: str


class Backup(_Output):
    """One backup. ``storedBytes``: of all chunks that it needs; ``newBytes``: of those that it added."""

    backup_id: str
    phase: Literal["Succeeded", "PartiallyFailed"]
    database: str
    policy: Policy | None
    imported: Imported | None
    server: Server
    start_time: str
    completion_time: str
    consistency: Consistency
    documents: int
    logical_bytes: int
    stored_bytes: int
    new_bytes: int
    collections: list[BackedUpCollection]
    warnings: list[str]


class FoundDamage(_Output):
    """What is wrong, and the backups that cannot be restored in full because of it."""

    problem: str
    backups: list[str]


class Verification(_Output):
    """``backupId`` is null for a whole repository; ``bytesRead`` is 0 without ``--read-data``."""

    backup_id: str | None
    good: bool
    backups: int
    chunks: int
    bytes_read: int
    damage: list[FoundDamage]


class RestoredCollection(_Output):
    name: str
    documents: int
    bytes: int
    indexes: int


class Restore(_Output):
    """``verified`` is always true: a restore that differs from its backup is an error.

    ``skipped``: collections that the backup itself could not read.
    """

    backup_id: str
    database: str
    documents: int
    logical_bytes: int
    verified: Literal[True]
    collections: list[RestoredCollection]
    skipped: list[str]


class ExportedCollection(_Output):
    name: str
    documents: int
    bytes: int


class Export(_Output):
    """``skipped``: collections that the backup itself could not read. ``warnings`` name what the form cannot carry."""

    backup_id: str
    database: str
    format: Literal["archive", "directory", "json"]
    output: str
    documents: int
    logical_bytes: int
    collections: list[ExportedCollection]
    skipped: list[str]
    warnings: list[str]


class Stats(_Output):
    """``reuse``: raw bytes of all backups for each byte that is stored. ``damaged``: backups that cannot be read."""

    backups: int
    logical_bytes: int
    stored_bytes: int
    chunks: int
    reuse: float
    damaged: int


class PlannedBackup(_Output):
    """What the rule says of one backup, and why."""

    backup_id: str
    database: str
    start_time: str
    keep: bool
    reasons: list[str]


class Prune(_Output):
    """``backups``: all that were looked at, newest first. ``damaged``: those that cannot be read."""

    dry_run: bool
    removed: list[str]
    removed_chunks: int
    freed_bytes: int
    damaged: list[str]
    backups: list[PlannedBackup]


OUTPUTS: dict[str, Any] = {
    "backup": Backup,
    "export": Export,
    "import": Backup,
    "list": list[Backup],
    "prune": Prune,
    "restore": Restore,
    "show": Backup,
    "stats": Stats,
    "verify": Verification,
}
"""By command."""


def schema_of(command: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what a command prints."""
    schema = TypeAdapter(OUTPUTS[command]).json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"holdfast {command} --json", **schema}
