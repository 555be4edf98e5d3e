"""Writes that were done while a backup read, each as a document of its own: ``{c, op, ts, o, o2}``.

They are what an oplog says of the collections of the backup, of transactions only what was committed, in the order and
with the time in which it took effect. ``o`` and ``o2`` are as the server wrote them.
"""

from struct import Struct

from holdfast.domain.oplog import Kind, Operation
from holdfast.errors import DamagedBackup
from holdfast.ports import ClusterTime
from holdfast.repository.documents import elements

_INT32, _TIMESTAMP = Struct("<i"), Struct("<II")
_LETTERS: dict[Kind, bytes] = {"insert": b"i", "update": b"u", "delete": b"d"}
_KINDS = {letter: kind for kind, letter in _LETTERS.items()}


def change_of(time: ClusterTime, write: Operation) -> bytes:
    """One write as it is stored."""
    name = write.collection.encode() + b"\0"
    fields = b"\x02c\0" + _INT32.pack(len(name)) + name
    fields += b"\x02op\0\x02\0\0\0" + _LETTERS[write.kind] + b"\0"
    fields += b"\x11ts\0" + _TIMESTAMP.pack(time.increment, time.seconds)
    fields += b"\x03o\0" + write.body
    if write.key is not None:
        fields += b"\x03o2\0" + write.key
    return _INT32.pack(len(fields) + 5) + fields + b"\0"


def write_of(change: bytes) -> tuple[ClusterTime, Operation]:
    """The same as it was. DamagedBackup if it is none."""
    found = {name: change[start:end] for _, name, start, end in elements(change)}
    try:
        increment, seconds = _TIMESTAMP.unpack(found[b"ts"])
        kind, name = _KINDS[found[b"op"][4:5]], found[b"c"][4:-1].decode()
        return ClusterTime(seconds, increment), Operation(kind, name, found[b"o"], found.get(b"o2"))
    except (KeyError, ValueError) as error:
        raise DamagedBackup("What is to be a write of an oplog is none.") from error
