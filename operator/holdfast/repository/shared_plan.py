"""What several pods that take one backup have to know of each other's work: the plan that all of them follow, and the
parts that each of them adds. Both are written once and never changed; docs/format.md says where they lie.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from pydantic import ValidationError

from holdfast.errors import DamagedBackup
from holdfast.ports import ClusterTime, CollectionInfo, KeyRange
from holdfast.repository.chunks import entry_of, ref_of
from holdfast.repository.manifest import CollectionRecord, Model, Raw, ServerRecord
from holdfast.repository.segment_writer import StoredChunk, WrittenSegment


class PlannedCollection(Model):
    """One collection as the plan found it."""

    record: CollectionRecord
    """As it begins; with an error if it is not read at all."""
    data_uuid: str | None = None
    snapshot: bool = False
    """Whether it is read at the plan's cluster time."""
    known_lists: tuple[str, ...] = ()
    """Lists of chunks of its last backup."""
    documents: int = 0
    logical_bytes: int = 0
    """About how much there is."""
    segments: int = 0
    starts: tuple[Raw, ...] = ()
    """Where its segments begin, but for the first: documents ``{_id: …}``."""

    @property
    def info(self) -> CollectionInfo:
        info = self.record.info
        return CollectionInfo(**{**vars(info), "data_uuid": bytes.fromhex(self.data_uuid) if self.data_uuid else None})

    @property
    def ranges(self) -> Iterator[KeyRange]:
        """Its segments, in order. They meet: each begins where the one before ends."""
        if self.segments:
            yield from (KeyRange(lower, upper) for lower, upper in pairwise([None, *self.starts, None]))


class SharedPlan(Model):
    """One attempt at one backup: when it reads, and what."""

    number: int
    """Of the attempt, from 1."""
    token: str
    """Names the attempt: one that is planned anew is another one."""
    backup_id: str
    created: datetime
    database: str
    server: ServerRecord
    cluster_time: tuple[int, int] | None = None
    member: tuple[str, int | None] | None = None
    """The one server that everybody reads."""
    lost: int = 0
    """How many attempts before it had too little time."""
    final: bool = False
    """Whether there is no other attempt that might find the catalogue at rest."""
    missing: tuple[str, ...] = ()
    """Names and globs that were asked for, and that the database does not have."""
    collections: tuple[PlannedCollection, ...]

    @property
    def at(self) -> ClusterTime | None:
        return ClusterTime(*self.cluster_time) if self.cluster_time else None

    def to_json(self) -> bytes:
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()

    @classmethod
    def from_json(cls, data: bytes, what: str) -> "SharedPlan":
        """DamagedBackup if it cannot be read. ``what`` names it."""
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            raise DamagedBackup(f"{what} cannot be read.") from error


@dataclass(frozen=True)
class ReadSegment:
    """What became of one segment: its chunks, or why its collection cannot be in the backup."""

    keys: KeyRange
    chunks: WrittenSegment = ()
    error: str | None = None


@dataclass(frozen=True)
class Part:
    """What became of one portion of a plan: its segments, by their numbers."""

    segments: Mapping[int, ReadSegment] = field(default_factory=dict)


def write_part(part: Part) -> bytes:
    """One JSON object a line: a segment, and behind it its chunks."""
    lines = []
    for number, segment in part.segments.items():
        head = {"segment": number, "lower": _text(segment.keys.lower), "upper": _text(segment.keys.upper)}
        lines.append(json.dumps(head | ({"error": segment.error} if segment.error else {})))
        lines += (json.dumps({**entry_of(chunk.ref), "newBytes": chunk.new_bytes}) for chunk in segment.chunks)
    return "\n".join(lines).encode()


def read_part(data: bytes, what: str) -> Part:
    """DamagedBackup if it is not one. ``what`` names it."""
    segments: dict[int, ReadSegment] = {}
    chunks: list[StoredChunk] = []
    try:
        for number, head, entries in _sections(data):
            chunks = [StoredChunk(ref_of(entry), int(entry["newBytes"])) for entry in entries]
            keys = KeyRange(_raw(head["lower"]), _raw(head["upper"]))
            segments[number] = ReadSegment(keys, tuple(chunks), head.get("error"))
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedBackup(f"{what} cannot be read.") from error
    return Part(segments)


def _sections(data: bytes) -> Iterator[tuple[int, dict[str, str | None], list[dict[str, str]]]]:
    head: dict[str, str | None] | None = None
    entries: list[dict[str, str]] = []
    number = 0
    for line in data.splitlines():
        entry = json.loads(line)
        if "segment" not in entry:
            entries.append(entry)
            continue
        if head is not None:
            yield number, head, entries
        number, head, entries = int(entry["segment"]), entry, []
    if head is not None:
        yield number, head, entries


def _text(key: bytes | None) -> str | None:
    return None if key is None else b64encode(key).decode()


def _raw(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text, validate=True)
