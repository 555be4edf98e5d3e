"""Files that are compressed or not, read and written as streams."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from holdfast.errors import DamagedDump

_GZIP_MAGIC = b"\x1f\x8b"
_BUFFER = 1024 * 1024
_LEVEL = 6


@contextmanager
def compressing(raw: IO[bytes]) -> Iterator[IO[bytes]]:
    """A stream that compresses into ``raw``, which stays open. The same content gives the same bytes."""
    with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=_LEVEL, mtime=0) as stream:
        yield cast("IO[bytes]", stream)


def opened(raw: BinaryIO) -> BinaryIO:
    """The content of a stream, decompressed if it is gzip."""
    buffered = io.BufferedReader(cast("io.RawIOBase", raw), _BUFFER)
    if buffered.peek(2)[:2] == _GZIP_MAGIC:
        return cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=buffered)), _BUFFER))
    return cast("BinaryIO", buffered)


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """A file's content, decompressed if it is gzip. DamagedDump if it is not there, or its compression is broken."""
    with telling_damage(str(path)), path.open("rb", buffering=0) as raw:
        yield opened(cast("BinaryIO", raw))


@contextmanager
def telling_damage(what: str) -> Iterator[None]:
    """DamagedDump for what gzip finds wrong, and for a file that cannot be read."""
    try:
        yield
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DamagedDump(f"{what} is damaged or cut off: it cannot be decompressed.") from error
    except OSError as error:
        raise DamagedDump(f"{what} cannot be read: {error.strerror or 'the system says no more'}.") from error
