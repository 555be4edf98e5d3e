"""mongodump's directory: ``DATABASE/NAME.bson`` with the bare documents, ``DATABASE/NAME.metadata.json`` beside it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from struct import Struct
from typing import IO, BinaryIO

from holdfast.dump.dump import BATCH_BYTES, LONGEST_DOCUMENT, Batch, Dumped, Prelude, check_bson
from holdfast.dump.extended_json import Lost
from holdfast.dump.files import compressing, reading
from holdfast.dump.metadata import data_name, file_name, read_metadata, write_metadata
from holdfast.errors import DamagedDump
from holdfast.ports import CollectionInfo
from holdfast.version import VERSION

PRELUDE = "prelude.json"
_METADATA = ".metadata.json"
_DATA = ".bson"
_GZIP = ".gz"
_OPLOG = "oplog.bson"
_INT32 = Struct("<i")
_SMALLEST = 5


class DirectoryWriter:
    """Writes below ``root``, which exists and is empty. With ``gzip``, every file is compressed, as mongorestore
    ``--gzip`` wants it. OSError is passed on."""

    def __init__(
        self,
        root: Path,
        database: str,
        server_version: str,
        collections: list[CollectionInfo],
        lost: Lost,
        *,
        gzip: bool = False,
    ) -> None:
        self._folder = root / database
        self._folder.mkdir()
        self._gzip = gzip
        self._open = ExitStack()
        self._file: IO[bytes] | None = None
        prelude = {"ServerVersion": server_version, "ToolVersion": f"holdfast {VERSION}"}
        self._write(root / PRELUDE, json.dumps(prelude, separators=(",", ":")))
        for info in collections:
            self._write(self._folder / (file_name(info.name) + _METADATA), write_metadata(info, lost))

    def begin(self, collection: CollectionInfo, documents: int) -> None:
        del documents
        if collection.type != "view":
            path = self._folder / (file_name(data_name(collection)) + _DATA)
            self._file = self._open.enter_context(self._create(path))

    def write(self, data: bytes) -> None:
        if self._file:
            self._file.write(data)

    def end(self) -> None:
        self._open.close()
        self._file = None

    def finish(self) -> None:
        """Each file is closed at its end."""

    def _write(self, path: Path, text: str) -> None:
        with self._create(path) as file:
            file.write(text.encode())

    @contextmanager
    def _create(self, path: Path) -> Iterator[IO[bytes]]:
        if not self._gzip:
            with path.open("xb") as file:
                yield file
            return
        with path.with_name(path.name + _GZIP).open("xb") as file, compressing(file) as stream:
            yield stream


class DirectoryReader:
    """Implements :class:`holdfast.dump.dump.DumpReader`. ``root``: what mongodump was given with ``--out``, or the
    directory of one database in it. Compressed files are known by their ending."""

    def __init__(self, root: Path) -> None:
        self._root = root
        folders = [path for path in sorted(root.iterdir()) if path.is_dir()] if root.is_dir() else []
        if root.is_dir() and any(_is_part(path) for path in root.iterdir()):
            folders = [root]
        self._files: dict[tuple[str, str], Path] = {}
        collections = [dumped for folder in folders for dumped in self._collections(folder)]
        if not collections:
            raise DamagedDump(f"{root} is no directory of mongodump: it holds no metadata.json of any collection.")
        server, tool = self._versions()
        oplog = any((root / (_OPLOG + ending)).exists() for ending in ("", _GZIP))
        self.prelude = Prelude(server, tool, tuple(collections), has_oplog=oplog)

    def close(self) -> None:
        """Nothing stays open."""

    def batches(self) -> Iterator[Batch]:
        for collection in self.prelude.collections:
            path = self._files.get((collection.database, data_name(collection.info)))
            if path:
                with reading(path) as file:
                    for documents in _documents(file, path):
                        check_bson(documents, str(path))
                        yield Batch(collection, documents)
            yield Batch(collection, (), last=True)

    def _collections(self, folder: Path) -> Iterator[Dumped]:
        found: list[CollectionInfo] = []
        data: dict[str, Path] = {}
        for path in sorted(folder.iterdir()):
            name = path.name.removesuffix(_GZIP)
            if name.endswith(_METADATA):
                stem = name.removesuffix(_METADATA)
                with reading(path) as file:
                    found.append(read_metadata(_text(file.read(), path), stem))
            elif name.endswith(_DATA):
                data[name.removesuffix(_DATA)] = path
        for info in found:
            path_of_data = data.pop(file_name(data_name(info)), None)
            if path_of_data:
                self._files[folder.name, data_name(info)] = path_of_data
            elif info.type != "view":
                raise DamagedDump(f"The documents of collection {info.name!r} are missing from {folder}.")
            yield Dumped(folder.name, info)
        if data:
            raise DamagedDump(f"{next(iter(data.values()))} has no metadata.json beside it.")

    def _versions(self) -> tuple[str, str]:
        for place in (self._root, *sorted(self._root.iterdir()), self._root.parent):
            for name in (PRELUDE, PRELUDE + _GZIP):
                path = place / name
                if place.is_dir() and path.is_file():
                    with reading(path) as file:
                        return _prelude(_text(file.read(), path), path)
        return "", ""


def _documents(file: BinaryIO, path: Path) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    while head := file.read(4):
        length = _INT32.unpack(head)[0] if len(head) == 4 else 0
        if not _SMALLEST <= length <= LONGEST_DOCUMENT:
            raise DamagedDump(f"{path} is damaged or cut off: a document has an impossible length.")
        rest = file.read(length - 4)
        if len(rest) < length - 4:
            raise DamagedDump(f"{path} is cut off.")
        batch.append(head + rest)
        size += length
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _is_part(path: Path) -> bool:
    name = path.name.removesuffix(_GZIP)
    return name.endswith((_METADATA, _DATA)) and name != _OPLOG


def _text(data: bytes, path: Path) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise DamagedDump(f"{path} is not text.") from error


def _prelude(text: str, path: Path) -> tuple[str, str]:
    try:
        fields = json.loads(text)
        return str(fields.get("ServerVersion") or ""), str(fields.get("ToolVersion") or "")
    except (ValueError, AttributeError) as error:
        raise DamagedDump(f"{path} cannot be read.") from error
