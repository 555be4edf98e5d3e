"""What one entry of an oplog says, read without decoding the documents in it.

Facts: the source of MongoDB 6.0 (``oplog_entry.idl``) and what a server of 6.0.5 was seen to write. A command that is
not known here is an error: to pass it by would restore another state than the one that was.
"""

from dataclasses import dataclass
from struct import Struct

from holdfast.domain.oplog import BUCKETS, Operation
from holdfast.domain.selection import BACKUP_COLLECTIONS
from holdfast.errors import OperationFailed
from holdfast.ports import ClusterTime
from holdfast.repository.documents import elements

_INT32, _INT64, _DOUBLE, _TIMESTAMP = Struct("<i"), Struct("<q"), Struct("<d"), Struct("<II")
_VIEWS = "system.views"
_WITHOUT_EFFECT = frozenset({"startIndexBuild", "abortIndexBuild", "dbCheck"})
_WRITES = {"i": "insert", "u": "update", "d": "delete"}
_NOTHING = ClusterTime(0, 0)


@dataclass(frozen=True, slots=True)
class Entry:
    """``part``: how it belongs to a transaction. ``Open`` waits for another, ``Last`` ends one, ``Commit`` and
    ``Abort`` say what becomes of one that was prepared. All but ``Open`` take effect at ``time``."""

    time: ClusterTime
    operations: tuple[Operation, ...] = ()
    part: str = ""
    before: ClusterTime = _NOTHING
    """The entry before this one of the same transaction; the zero time for none."""


def time_of(raw: bytes) -> tuple[ClusterTime, int]:
    """When it was written, and in which term."""
    time, term = _NOTHING, -1
    for _, name, start, _end in elements(raw):
        if name == b"ts":
            time = _timestamp(raw, start)
        elif name == b"t":
            term = _INT64.unpack_from(raw, start)[0]
    return time, term


def kept_of(raw: bytes, database: str) -> bytes | None:
    """What of an entry concerns a database: the entry, one of a transaction without what is of other databases, or
    nothing. What is not ours is never stored."""
    fields = {name: (start, end) for _, name, start, end in elements(raw)}
    namespace = _text(raw, fields[b"ns"][0])
    if namespace.startswith(f"{database}."):
        if namespace.removeprefix(f"{database}.") in BACKUP_COLLECTIONS:
            return None  # a slice that is stored beside the source would be in the next one
        return None if _text(raw, fields[b"op"][0]) == "n" else raw
    if namespace != "admin.$cmd" or _text(raw, fields[b"op"][0]) != "c":
        return None
    start, end = fields[b"o"]
    command = raw[start:end]
    name = _first_name(command)
    if name in ("commitTransaction", "abortTransaction"):
        return raw
    if name != "applyOps":
        return None
    stripped, ours, all_of_it = _without_others(command, database)
    if not ours:
        entry = _transaction(raw, command)
        if entry[0] != "Open" and entry[1] == _NOTHING:
            return None
    if all_of_it:
        return raw
    return _document(raw[4:start] + stripped + raw[end:-1])


def parse(raw: bytes, database: str) -> Entry:
    """What it says of a database. OperationFailed for a command that is not known."""
    op = namespace = ""
    body = key = b""
    time = _NOTHING
    for _, name, start, end in elements(raw):
        if name == b"op":
            op = _text(raw, start)
        elif name == b"ns":
            namespace = _text(raw, start)
        elif name == b"o":
            body = raw[start:end]
        elif name == b"o2":
            key = raw[start:end]
        elif name == b"ts":
            time = _timestamp(raw, start)
    if op == "n":
        return Entry(time)
    if op == "c":
        command = _first_name(body)
        if command == "applyOps":
            part, before = _transaction(raw, body)
            inner = [one for each in _array(body) for one in _operations_of(each, database)]
            return Entry(time, tuple(inner), part, before)
        if command in ("commitTransaction", "abortTransaction"):
            before = _transaction(raw, body)[1]
            return Entry(time, (), "Commit" if command == "commitTransaction" else "Abort", before)
    return Entry(time, _operations(op, namespace, body, key or None, database))


def _operations_of(raw: bytes, database: str) -> tuple[Operation, ...]:
    return parse(raw, database).operations


def _operations(op: str, namespace: str, body: bytes, key: bytes | None, database: str) -> tuple[Operation, ...]:
    found, _, collection = namespace.partition(".")
    if found != database:
        return ()
    if op in _WRITES:
        if collection == _VIEWS:
            return _view(op, body, key, database)
        return (Operation(_WRITES[op], collection, body, key),)  # type: ignore[arg-type]
    if op != "c":
        raise OperationFailed(f"The oplog holds an operation {op!r}, which this release cannot repeat.",
                              hint="Use a newer release of Holdfast.")  # fmt: skip
    return _command(body, database)


def _command(body: bytes, database: str) -> tuple[Operation, ...]:
    fields = {name.decode(): (kind, start, end) for kind, name, start, end in elements(body)}
    command = next(iter(fields))
    kind, start, _ = fields[command]
    subject = _text(body, start) if kind == 0x02 else ""
    if command in _WITHOUT_EFFECT or subject == _VIEWS:
        return ()
    if command in ("create", "drop", "collMod"):
        return (Operation(command, subject, body),)  # type: ignore[arg-type]
    if command == "renameCollection":
        to = _text(body, fields["to"][1]).removeprefix(f"{database}.")
        dropped = fields.get("dropTarget")
        replaces = dropped is not None and not (dropped[0] == 0x08 and body[dropped[1]] == 0)
        return (Operation("rename", subject.removeprefix(f"{database}."), body, to=to, replaces=replaces),)
    if command == "createIndexes":
        return (Operation("createIndexes", subject, indexes=(_document(body[_end_of_first(body) : -1]),)),)
    if command == "commitIndexBuild":
        _, start, end = fields["indexes"]
        specs = body[start:end]
        return (Operation("createIndexes", subject, indexes=tuple(specs[a:b] for _, _, a, b in elements(specs))),)
    if command in ("dropIndexes", "deleteIndexes", "dropIndex"):
        return (Operation("dropIndexes", subject, body),)
    if command == "dropDatabase":
        return (Operation("dropDatabase", ""),)
    raise OperationFailed(
        f"The oplog holds a command {command!r}, which this release cannot repeat.",
        hint="Restore to a time before it, or use a newer release of Holdfast.",
    )


def _view(op: str, body: bytes, key: bytes | None, database: str) -> tuple[Operation, ...]:
    document = key or body
    name = next((_text(document, start) for _, field, start, _ in elements(document) if field == b"_id"), "")
    name = name.removeprefix(f"{database}.")
    if op == "d":
        return (Operation("dropView", name),)
    on = next((_text(body, start) for kind, field, start, _ in elements(body) if field == b"viewOn"), "")
    if on.startswith(BUCKETS):
        return ()  # it comes with its time-series
    return (Operation("createView" if op == "i" else "changeView", name, body),)


def _transaction(raw: bytes, command: bytes) -> tuple[str, ClusterTime]:
    """How an entry belongs to a transaction, and which was the one before it."""
    names, before, several = set(), _NOTHING, False
    for _, name, start, end in elements(raw):
        names.add(name)
        if name == b"prevOpTime":
            inner = raw[start:end]
            before = next((_timestamp(inner, at) for _, one, at, _ in elements(inner) if one == b"ts"), _NOTHING)
        elif name == b"multiOpType":
            several = _INT32.unpack_from(raw, start)[0] == 1
    if several or not {b"lsid", b"txnNumber"} <= names:
        return "", _NOTHING  # inserts that share an entry
    flags = {name for kind, name, start, _ in elements(command) if kind == 0x08 and command[start]}
    return "Open" if flags & {b"partialTxn", b"prepare"} else "Last", before


def _array(command: bytes) -> list[bytes]:
    for _, name, start, end in elements(command):
        if name == b"applyOps":
            array = command[start:end]
            return [array[a:b] for _, _, a, b in elements(array)]
    return []


def _without_others(command: bytes, database: str) -> tuple[bytes, bool, bool]:
    """The command with the operations of one database only; whether it has any; whether nothing was left out."""
    every = _array(command)
    ours = [one for one in every if _namespace(one).partition(".")[0] == database]
    if len(ours) == len(every):
        return command, bool(ours), True
    array = _document(b"".join(b"\x03" + str(i).encode() + b"\0" + one for i, one in enumerate(ours)))
    fields = b"".join(
        bytes((kind,)) + name + b"\0" + (array if name == b"applyOps" else command[start:end])
        for kind, name, start, end in elements(command)
    )
    return _document(fields), bool(ours), False


def _namespace(raw: bytes) -> str:
    return next((_text(raw, start) for _, name, start, _ in elements(raw) if name == b"ns"), "")


def expiries_of(operation: Operation) -> dict[str, int | None]:
    """By index (the empty name: the collection itself), after how many seconds its documents expire from here on; None
    for never again. Only what the operation says."""
    if operation.kind == "collMod":
        return _modified(operation.body)
    found: dict[str, int | None] = {}
    for spec in [operation.body] if operation.kind == "create" else operation.indexes:
        seconds, index = _expiry(spec)
        if seconds is not None:
            found["" if operation.kind == "create" else index] = seconds
    if operation.kind == "dropIndexes":
        body = operation.body
        found |= {_text(body, start): None for _, name, start, _ in elements(body) if name == b"index"}
    return found


def _modified(body: bytes) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for kind, name, start, end in elements(body):
        if name == b"index":
            seconds, index = _expiry(body[start:end])
            if seconds is not None:
                found[index] = seconds
        elif name == b"expireAfterSeconds":
            found[""] = _number(kind, body, start)
    return found


def _expiry(spec: bytes) -> tuple[int | None, str]:
    seconds, index = None, ""
    for kind, name, start, _ in elements(spec):
        if name == b"expireAfterSeconds":
            seconds = _number(kind, spec, start)
        elif name == b"name" and kind == 0x02:
            index = _text(spec, start)
    return seconds, index


def _number(kind: int, data: bytes, start: int) -> int | None:
    if kind == 0x10:
        return int(_INT32.unpack_from(data, start)[0])
    if kind == 0x12:
        return int(_INT64.unpack_from(data, start)[0])
    return int(_DOUBLE.unpack_from(data, start)[0]) if kind == 0x01 else None


def _timestamp(data: bytes, start: int) -> ClusterTime:
    increment, seconds = _TIMESTAMP.unpack_from(data, start)
    return ClusterTime(seconds, increment)


def _text(data: bytes, start: int) -> str:
    size = _INT32.unpack_from(data, start)[0]
    return data[start + 4 : start + 3 + size].decode(errors="replace")


def _first_name(document: bytes) -> str:
    return document[5 : document.index(0, 5)].decode(errors="replace")


def _end_of_first(document: bytes) -> int:
    return next(end for _, _, _, end in elements(document))


def _document(fields: bytes) -> bytes:
    return _INT32.pack(len(fields) + 5) + fields + b"\0"
