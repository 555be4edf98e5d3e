"""The manifest: what a backup holds. It is written last, and a backup exists once its manifest does."""

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainSerializer, PlainValidator, ValidationError
from pydantic.alias_generators import to_camel

from holdfast.domain.consistency import ConsistencyLevel
from holdfast.domain.phases import CollectionPhase
from holdfast.errors import DamagedBackup, RepositoryTooNew
from holdfast.ports import CollectionInfo, CollectionType

FORMAT_VERSION = 1

PRE_RESTORE = "PreRestore"
"""``reason`` of a backup of what a restore was about to replace. It shows what was to be mended: never the latest."""


def _bytes_of(value: object) -> bytes:
    return value if isinstance(value, bytes) else b64decode(str(value), validate=True)


Raw = Annotated[bytes, PlainValidator(_bytes_of), PlainSerializer(lambda raw: b64encode(raw).decode())]
"""BSON as the server sent it; base64 in the JSON."""


class Model(BaseModel):
    # Unknown fields are kept out of sight, not refused: a newer release may add some within one format version.
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")


class PolicyIdentity(Model):
    """Which policy took a backup. The uid tells two policies of one name apart."""

    namespace: str
    name: str
    uid: str = ""


class ServerRecord(Model):
    version: str
    topology: str
    replica_set: str | None = None


class ConsistencyRecord(Model):
    level: ConsistencyLevel
    cluster_time: str | None = None
    """``seconds.increment`` of the one time that every collection shows; PointInTime: once ``changes`` are repeated."""


class ImportRecord(Model):
    """Of a backup that was made from a dump, not from a server."""

    format: str
    """``archive`` or ``directory``."""
    tool_version: str
    time: datetime
    """When it was imported. ``startTime`` of the backup is the time of the dump's files."""


class CollectionRecord(Model):
    """One collection of a backup; ``error`` says why it holds no data."""

    name: str
    type: CollectionType
    options: Raw = b""
    indexes: tuple[Raw, ...] = ()
    uuid: str | None = None
    capped: bool = False
    consistency: ConsistencyLevel = ConsistencyLevel.NONE
    read_after: str | None = None
    """Of a backup with ``changes``: all that was written up to this cluster time is in what was read."""
    documents: int = 0
    logical_bytes: int = 0
    stored_bytes: int = 0
    new_bytes: int = 0
    document_hash: str = "0" * 64
    chunks: int = 0
    chunk_lists: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What another version of the server would refuse (:mod:`holdfast.repository.portability`)."""
    error: str | None = None

    @property
    def info(self) -> CollectionInfo:
        """The catalogue entry that a restore creates."""
        return CollectionInfo(
            name=self.name,
            type=self.type,
            options=self.options,
            indexes=self.indexes,
            uuid=bytes.fromhex(self.uuid) if self.uuid else None,
            capped=self.capped,
        )


class Manifest(Model):
    format: int = FORMAT_VERSION
    holdfast_version: str
    backup_id: str
    policy: PolicyIdentity | None = None
    imported: ImportRecord | None = None
    reason: str | None = None
    """Why it was taken, where that matters later: ``PreRestore``."""
    database: str
    server: ServerRecord
    start_time: datetime
    completion_time: datetime
    consistency: ConsistencyRecord
    documents: int
    logical_bytes: int
    stored_bytes: int
    """Bytes in the store of all chunks this backup needs, each counted once, whoever stored them."""
    new_bytes: int
    """Bytes that this backup added to the store."""
    collections: tuple[CollectionRecord, ...]
    changes: CollectionRecord | None = None
    """What was written to them while they were read (:mod:`holdfast.repository.changes`), where the consistency is
    PointInTime. It is no collection of the database."""
    warnings: tuple[str, ...] = ()

    @property
    def stored(self) -> tuple[CollectionRecord, ...]:
        """All that has chunks in the store: the collections that were read, and the changes."""
        good = tuple(one for one in self.collections if not one.error)
        return (*good, self.changes) if self.changes else good

    @property
    def partial(self) -> bool:
        return any(collection.error for collection in self.collections)

    def to_json(self) -> bytes:
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()

    @classmethod
    def from_json(cls, data: bytes, what: str = "The manifest") -> "Manifest":
        """DamagedBackup if it cannot be read, RepositoryTooNew if a newer format wrote it. ``what`` names it."""
        try:
            version = json.loads(data)["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedBackup(f"{what} cannot be read.") from error
        if version != FORMAT_VERSION:
            raise RepositoryTooNew(
                f"{what} has format {version}; this release reads format {FORMAT_VERSION}.",
                hint="Use the release of Holdfast that wrote it, or a newer one.",
            )
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            raise DamagedBackup(f"{what} cannot be read.") from error

    def status(self) -> dict[str, Any]:
        """The same facts under the names of a BackupRun's status, as JSON values."""
        return {
            "backupId": self.backup_id,
            "database": self.database,
            "startTime": timestamp(self.start_time),
            "completionTime": timestamp(self.completion_time),
            "consistency": self.consistency.model_dump(by_alias=True, exclude_none=True, mode="json"),
            "documents": self.documents,
            "logicalBytes": self.logical_bytes,
            "storedBytes": self.stored_bytes,
            "newBytes": self.new_bytes,
            "collections": [_collection_status(collection) for collection in self.collections],
        }


def _collection_status(collection: CollectionRecord) -> dict[str, Any]:
    status: dict[str, Any] = {
        "name": collection.name,
        "phase": (CollectionPhase.FAILED if collection.error else CollectionPhase.SUCCEEDED).value,
        "documents": collection.documents,
        "bytes": collection.logical_bytes,
    }
    if collection.error:
        status["error"] = collection.error
    return status


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second, as Kubernetes writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
