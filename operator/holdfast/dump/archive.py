"""mongodump's archive, version 0.1: one stream that holds a whole dump. Little-endian throughout.

::

    archive  magic prelude block*
    prelude  header, the metadata of every collection, terminator
    block    {db, collection, EOF, CRC}, documents, terminator

A block with ``EOF`` ends a collection, and holds the CRC-64/XZ of all its documents as a signed number. Blocks of
several collections may come interleaved.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from struct import Struct
from typing import IO, Any

import bson
from bson.errors import BSONError
from bson.int64 import Int64
from fastcrc.crc64 import xz as crc64

from holdfast.dump.dump import BATCH_BYTES, LONGEST_DOCUMENT, Batch, Dumped, Prelude, check_bson
from holdfast.dump.extended_json import Lost
from holdfast.dump.files import reading, telling_damage
from holdfast.dump.metadata import data_name, read_metadata, write_metadata
from holdfast.errors import DamagedDump
from holdfast.ports import CollectionInfo
from holdfast.version import VERSION

MAGIC = bytes.fromhex("6de29981")
TERMINATOR = b"\xff\xff\xff\xff"
FORMAT = "0.1"
_INT32 = Struct("<i")
_SMALLEST = 5
_SIGN = 2**63


def signed(crc: int) -> int:
    """A CRC as the archive holds it."""
    return crc - 2 * _SIGN if crc >= _SIGN else crc


class ArchiveWriter:
    """Writes collections one after the other. A write error of ``stream`` is passed on."""

    def __init__(
        self, stream: IO[bytes], database: str, server_version: str, collections: list[CollectionInfo], lost: Lost
    ) -> None:
        """Write the prelude. ``collections`` are all that will come; ``lost``: see ``write_metadata``."""
        self._stream, self._database = stream, database
        self._current, self._crc = "", 0
        stream.write(MAGIC)
        # mongorestore wants three numbers, and compares them with those of its server.
        version = re.match(r"\d+\.\d+\.\d+", server_version)
        header = {
            "concurrent_collections": 1,
            "version": FORMAT,
            "server_version": version[0] if version else "0.0.0",
            "tool_version": f"holdfast {VERSION}",
        }
        stream.write(bson.encode(header))
        for info in collections:
            metadata = {
                "db": database,
                "collection": info.name,
                "metadata": write_metadata(info, lost),
                "size": 0,
                "type": info.type,
            }
            stream.write(bson.encode(metadata))
        stream.write(TERMINATOR)

    def begin(self, collection: CollectionInfo, documents: int) -> None:
        del documents
        self._current, self._crc = data_name(collection), 0

    def write(self, data: bytes) -> None:
        self._crc = crc64(data, self._crc)
        self._stream.write(self._block(eof=False, crc=0))
        self._stream.write(data)
        self._stream.write(TERMINATOR)

    def end(self) -> None:
        self._stream.write(self._block(eof=True, crc=signed(self._crc)))
        self._stream.write(TERMINATOR)

    def finish(self) -> None:
        self._stream.flush()

    def _block(self, *, eof: bool, crc: int) -> bytes:
        return bson.encode({"db": self._database, "collection": self._current, "EOF": eof, "CRC": Int64(crc)})


class ArchiveReader:
    """Implements :class:`holdfast.dump.dump.DumpReader` for a file, compressed or not."""

    def __init__(self, path: Path) -> None:
        """Read the prelude. DamagedDump if it is none."""
        self._open = ExitStack()
        with self._open:
            self._stream = self._open.enter_context(reading(path))
            self._begin()
            self._open = self._open.pop_all()

    def _begin(self) -> None:
        if self._exactly(4) != MAGIC:
            raise DamagedDump("This is no archive of mongodump: it does not start as one.")
        self.prelude = self._prelude()
        self._crcs = {(c.database, data_name(c.info)): 0 for c in self.prelude.collections}
        if len(self._crcs) != len(self.prelude.collections):
            raise DamagedDump("The archive names a collection twice.")

    def close(self) -> None:
        self._open.close()

    def batches(self) -> Iterator[Batch]:
        with telling_damage("The archive"):
            yield from self._batches()

    def _batches(self) -> Iterator[Batch]:
        names = {(c.database, data_name(c.info)): c for c in self.prelude.collections}
        while (header := self._document(may_end=True)) is not None:
            block = _decoded(header)
            key = (str(block.get("db")), str(block.get("collection")))
            collection = names.get(key)
            if collection is None:
                raise DamagedDump(f"The archive holds documents of {'.'.join(key)}, which it does not announce.")
            if key not in self._crcs:
                raise DamagedDump(f"The archive goes on with {'.'.join(key)} after its end.")
            yield from self._block(collection, key)
            if block.get("EOF"):
                self._check(key, block.get("CRC"))
                yield Batch(collection, (), last=True)
        if self._crcs:
            missing = ", ".join(".".join(key) for key in list(self._crcs)[:3])
            raise DamagedDump(f"The archive is cut off: the end of {missing} is missing.")

    def _block(self, collection: Dumped, key: tuple[str, str]) -> Iterator[Batch]:
        batch: list[bytes] = []
        size = 0
        while (document := self._document()) is not None:
            batch.append(document)
            size += len(document)
            if size >= BATCH_BYTES:
                yield self._checked(collection, key, batch)
                batch, size = [], 0
        if batch:
            yield self._checked(collection, key, batch)

    def _checked(self, collection: Dumped, key: tuple[str, str], batch: list[bytes]) -> Batch:
        check_bson(batch, f"Collection {collection.info.name!r}")
        self._crcs[key] = crc64(b"".join(batch), self._crcs[key])
        return Batch(collection, batch)

    def _check(self, key: tuple[str, str], claimed: Any) -> None:
        if signed(self._crcs.pop(key)) != claimed:
            raise DamagedDump(f"The archive is damaged: the checksum of {'.'.join(key)} is not that of its documents.")

    def _prelude(self) -> Prelude:
        header = _decoded(self._document() or b"")
        if header.get("version") != FORMAT:
            raise DamagedDump(
                f"The archive has version {header.get('version')!r}; this release reads version {FORMAT}.",
                hint="Write it with a mongodump of the 100.x series.",
            )
        collections = []
        while (document := self._document()) is not None:
            collections.append(_announced(_decoded(document)))
        return Prelude(
            server_version=str(header.get("server_version", "")),
            tool_version=str(header.get("tool_version", "")),
            collections=tuple(collections),
            side_by_side=int(header.get("concurrent_collections") or 1),
            has_oplog=any(c.database == "" for c in collections),
        )

    def _document(self, *, may_end: bool = False) -> bytes | None:
        """The next document, or None at a terminator, or at the end of the stream where it may end."""
        head = self._stream.read(4)
        if not head and may_end:
            return None
        if len(head) < 4:
            raise DamagedDump("The archive is cut off.")
        if head == TERMINATOR and not may_end:
            return None
        size = _INT32.unpack(head)[0]
        if not _SMALLEST <= size <= LONGEST_DOCUMENT:
            raise DamagedDump("The archive is damaged: a document has an impossible length.")
        return bytes(head + self._exactly(size - 4))

    def _exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise DamagedDump("The archive is cut off.")
        return data


def _announced(fields: dict[str, Any]) -> Dumped:
    """The oplog, in no database, is the one thing without metadata."""
    database, name, text = (str(fields.get(key) or "") for key in ("db", "collection", "metadata"))
    if not text and database:
        raise DamagedDump(f"The archive has no metadata of collection {name!r}.")
    return Dumped(database, read_metadata(text or "{}", name))


def _decoded(document: bytes) -> dict[str, Any]:
    try:
        return bson.decode(document)
    except BSONError as error:
        raise DamagedDump("The archive is damaged: a header is not valid BSON.") from error
