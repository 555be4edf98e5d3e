"""What the forms of a dump have in common."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bson import CodecOptions, decode_all
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError

from holdfast.errors import DamagedDump
from holdfast.ports import CollectionInfo

BATCH_BYTES = 1024 * 1024
LONGEST_DOCUMENT = 48 * 1024 * 1024
"""More than the server's own 16 MiB and what it adds inside: a longer length is damage, and must not ask for memory."""

# The server keeps text that is not UTF-8, and dates that Python does not know: neither is damage.
_LENIENT: CodecOptions[dict[str, Any]] = CodecOptions(
    document_class=dict,
    unicode_decode_error_handler="replace",
    datetime_conversion=DatetimeConversion.DATETIME_MS,
)


@dataclass(frozen=True)
class Dumped:
    """One collection of a dump, and the database that it was in."""

    database: str
    info: CollectionInfo


@dataclass(frozen=True)
class Prelude:
    """What a dump says of itself. The versions are empty where it does not say them."""

    server_version: str
    tool_version: str
    collections: tuple[Dumped, ...]
    side_by_side: int = 1
    """How many collections may come interleaved."""
    has_oplog: bool = False
    """Whether it holds what was written while it was taken. Nothing here reads that."""


@dataclass(frozen=True)
class Batch:
    """Some documents of a collection; ``last`` when no more follow."""

    collection: Dumped
    documents: Sequence[bytes]
    last: bool = False


class DumpReader(Protocol):
    """A dump that is read from its beginning to its end. DamagedDump for anything that is not as it should be."""

    prelude: Prelude

    def batches(self) -> Iterator[Batch]:
        """All documents of all collections; each collection ends in a batch that is its ``last``."""
        ...

    def close(self) -> None: ...


class DumpWriter(Protocol):
    """Takes the collections of a backup one after the other."""

    def begin(self, collection: CollectionInfo, documents: int) -> None:
        """Announce a collection and how many documents it has; ``end`` comes before the next one."""
        ...

    def write(self, data: bytes) -> None:
        """Whole documents of that collection, one behind the other."""
        ...

    def end(self) -> None: ...

    def finish(self) -> None:
        """Nothing more comes."""
        ...


def check_bson(documents: Sequence[bytes], where: str) -> None:
    """DamagedDump unless every byte of these documents is BSON."""
    try:
        decode_all(b"".join(documents), _LENIENT)
    except (BSONError, ValueError, OverflowError, RecursionError) as error:
        raise DamagedDump(f"{where} holds a document that is not valid BSON.") from error
