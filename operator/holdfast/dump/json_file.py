"""One JSON file with all documents of a database, in canonical Extended JSON, for ``JSON.parse`` and ``insertMany``."""

import json
from datetime import datetime
from json.encoder import encode_basestring as quote
from typing import IO

from holdfast.dump.extended_json import Lost, to_json
from holdfast.dump.metadata import data_name
from holdfast.ports import CollectionInfo
from holdfast.repository.documents import split

PIECE = 256 * 1024
"""About so many characters are made before they are written."""


def default_name(database: str, taken: datetime) -> str:
    """``timetrack-backup-2026-11-23.json``."""
    return f"{database}-backup-{taken:%Y-%m-%d}.json"


class JsonWriter:
    """Writes one document a line. Options, indexes and views have no place in it."""

    def __init__(self, stream: IO[bytes], head: dict[str, str], lost: Lost) -> None:
        """``head``: fields that stand in front of the collections. ``lost``: see ``to_json``."""
        self._stream, self._lost = stream, lost
        self._separator = ""
        fields = "".join(f"{quote(name)}:{json.dumps(value, ensure_ascii=False)},\n" for name, value in head.items())
        self._put("{" + fields + '"collections":{')

    def begin(self, collection: CollectionInfo, documents: int) -> None:
        self._name(data_name(collection))
        self._put(f'{{"status":"success","count":{documents},"documents":[')
        self._separator = "\n"

    def write(self, data: bytes) -> None:
        lines: list[str] = []
        size = 0
        for document in split(data):
            lines.append(to_json(document, self._lost))
            size += len(lines[-1])
            # Piece by piece: as one text, a chunk would take up to four bytes for each of its characters.
            if size >= PIECE:
                self._put_lines(lines)
                lines, size = [], 0
        if lines:
            self._put_lines(lines)

    def end(self) -> None:
        self._put("\n]}")
        self._separator = ","

    def failed(self, name: str, error: str) -> None:
        """A collection that the backup does not hold."""
        self._name(name)
        self._put(f'{{"status":"error","error":{quote(error)}}}')
        self._separator = ","

    def finish(self) -> None:
        self._put("\n}}\n")
        self._stream.flush()

    def _name(self, name: str) -> None:
        self._put(f"{self._separator}\n{quote(name)}:")

    def _put_lines(self, lines: list[str]) -> None:
        self._put(self._separator + ",\n".join(lines))
        self._separator = ",\n"

    def _put(self, text: str) -> None:
        self._stream.write(text.encode())
