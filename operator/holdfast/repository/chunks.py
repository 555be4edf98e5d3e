"""A chunk as a list of chunks names it, and how such a list is written.

A list is text, one JSON object a line, and is stored like any other chunk. Long lists are cut into several, behind
an entry whose id starts with a zero byte, so that an append changes only the last of them.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from holdfast.errors import DamagedBackup
from holdfast.repository.documents import split

HASH_MODULUS = 2**256
_LIST_MAXIMUM = 16_384
_LIST_MINIMUM = 1_024


@dataclass(frozen=True, slots=True)
class ChunkRef:
    """What a backup knows of one of its chunks."""

    id: bytes
    """SHA-256 of the raw bytes."""
    documents: int
    logical_bytes: int
    stored_bytes: int
    document_hash: int
    """Sum of the SHA-256 of each document, modulo 2**256: equal for equal documents in whatever order."""
    start: bytes | None = None
    """Set where a segment that was read by itself begins: the document ``{_id: …}`` from which it was read. The next
    backup begins there too, so that it cuts the same chunks."""


def document_hash(data: bytes) -> tuple[int, int]:
    """The order-independent hash of the documents in a chunk, and their number. DamagedBackup if it does not parse."""
    total = count = 0
    for document in split(data):
        total += int.from_bytes(sha256(document).digest(), "big")
        count += 1
    return total % HASH_MODULUS, count


class ListCutter:
    """Cuts the lists while their chunks come: of a huge collection, no more than one list is held."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, ref: ChunkRef) -> bytes | None:
        """Take the next chunk. The text of a list, if it ends one."""
        self._lines.append(json.dumps(entry_of(ref), separators=(",", ":")))
        if len(self._lines) >= _LIST_MAXIMUM or (len(self._lines) >= _LIST_MINIMUM and ref.id[0] == 0):
            return self.finish()
        return None

    def finish(self) -> bytes | None:
        """The text of the last list, if there is anything left."""
        lines, self._lines = self._lines, []
        return _text(lines) if lines else None


def read_list(data: bytes) -> Iterator[ChunkRef]:
    """The entries of one list. DamagedBackup if it is not one."""
    try:
        for line in data.splitlines():
            yield ref_of(json.loads(line))
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedBackup("A list of chunks cannot be read.") from error


def entry_of(ref: ChunkRef) -> dict[str, str | int]:
    """A chunk as a line of a list says it."""
    entry: dict[str, str | int] = {
        "id": ref.id.hex(),
        "documents": ref.documents,
        "logicalBytes": ref.logical_bytes,
        "storedBytes": ref.stored_bytes,
        "documentHash": f"{ref.document_hash:064x}",
    }
    if ref.start is not None:
        entry["start"] = b64encode(ref.start).decode()
    return entry


def ref_of(entry: Mapping[str, Any]) -> ChunkRef:
    """The chunk that a line names. ValueError, KeyError or TypeError if it names none."""
    return ChunkRef(
        id=bytes.fromhex(entry["id"]),
        documents=int(entry["documents"]),
        logical_bytes=int(entry["logicalBytes"]),
        stored_bytes=int(entry["storedBytes"]),
        document_hash=int(entry["documentHash"], 16),
        start=b64decode(entry["start"], validate=True) if "start" in entry else None,
    )


def _text(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
