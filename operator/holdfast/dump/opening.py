"""Find out which form a dump has, and open it."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from holdfast.dump.archive import ArchiveReader
from holdfast.dump.directory import DirectoryReader
from holdfast.dump.dump import DumpReader
from holdfast.errors import InvalidSpec


class DumpFormat(StrEnum):
    ARCHIVE = "archive"
    DIRECTORY = "directory"


def format_of(path: Path) -> DumpFormat:
    """By what is there. InvalidSpec if nothing is."""
    if not path.exists():
        raise InvalidSpec(f"There is no {path}.", hint="Name an archive or a directory that mongodump wrote.")
    return DumpFormat.DIRECTORY if path.is_dir() else DumpFormat.ARCHIVE


def open_dump(path: Path, form: DumpFormat) -> DumpReader:
    """A reader of the dump; compression is found out. InvalidSpec if it is of the other form, DamagedDump."""
    if format_of(path) is not form:
        raise InvalidSpec(f"{path} is no {form.value} of mongodump.", hint="Leave out --format to have it found out.")
    if form is DumpFormat.DIRECTORY:
        return DirectoryReader(path)
    return ArchiveReader(path)


def written_at(path: Path) -> datetime:
    """When the dump was written, as its newest file says. A copy may have lost that time."""
    files = [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]
    newest = max((each.stat().st_mtime for each in files), default=path.stat().st_mtime)
    return datetime.fromtimestamp(newest, UTC)
