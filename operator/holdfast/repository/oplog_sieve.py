"""Entries of an oplog read at the speed at which they are written.

Almost all are writes to one collection, whose fields a server writes in one order. These are read where they must
stand; an entry that is in any other form is left to ``oplog_entry``, which reads any.
"""

from collections.abc import Callable
from struct import Struct

from holdfast.domain.oplog import Kind, Operation
from holdfast.domain.selection import BACKUP_COLLECTIONS
from holdfast.ports import ClusterTime
from holdfast.repository.oplog_entry import Entry, kept_of, parse

_INT32, _TIMESTAMP = Struct("<i"), Struct("<II")
_SESSION, _NUMBER = b"\x03lsid\0", b"\x12txnNumber\0"
_OP, _NS = b"\x02op\0\x02\0\0\0", b"\0\x02ns\0"
_BODY, _KEY = b"\x03o\0", b"\x03o2\0"
_COLLECTION_ID = b"\x05ui\0"
_COLLECTION_ID_BYTES = len(_COLLECTION_ID) + 4 + 1 + 16
_STATEMENT, _TIME = b"\x10stmtId\0", b"\x11ts\0"
_WRITES = b"iud"
_UPDATE = ord("u")
_KINDS: dict[int, Kind] = {ord("i"): "insert", ord("u"): "update", ord("d"): "delete"}
_VIEWS = "system.views"


def head_of(raw: bytes) -> tuple[int, int]:
    """Where the letter of the operation and the text of the namespace are, in an entry as servers write it; else 0, 0.

    They stand in front of whatever people have written, so nothing of that can be taken for them.
    """
    at = 4
    if raw.startswith(_SESSION, at):
        at += len(_SESSION)
        at += int(_INT32.unpack_from(raw, at)[0])
        if raw.startswith(_NUMBER, at):
            at += len(_NUMBER) + 8
    if not raw.startswith(_OP, at) or not raw.startswith(_NS, at + 9):
        return 0, 0
    return at + 8, at + 18


def sieve_of(database: str) -> Callable[[bytes], bytes | None]:
    """``kept_of`` for one database, for many entries."""
    ours, own = f"{database}.".encode(), tuple(f"{database}.{name}\0".encode() for name in BACKUP_COLLECTIONS)

    def sieve(raw: bytes) -> bytes | None:
        letter, namespace = head_of(raw)
        if letter and raw[letter] in _WRITES:
            if not raw.startswith(ours, namespace) or raw.startswith(own, namespace):
                return None
            return raw
        return kept_of(raw, database)

    return sieve


def entry_of(raw: bytes, database: str) -> Entry:
    """``parse``, for many entries. OperationFailed for a command that is not known."""
    letter, start = head_of(raw)
    if not letter or raw[letter] not in _WRITES:
        return parse(raw, database)
    at = start + int(_INT32.unpack_from(raw, start - 4)[0])
    name, _, collection = raw[start : at - 1].decode(errors="replace").partition(".")
    if raw.startswith(_COLLECTION_ID, at):
        at += _COLLECTION_ID_BYTES
    if name != database or collection == _VIEWS or not raw.startswith(_BODY, at):
        return parse(raw, database)
    at += len(_BODY)
    end = at + int(_INT32.unpack_from(raw, at)[0])
    body, key = raw[at:end], None
    if raw.startswith(_KEY, end):
        at = end + len(_KEY)
        end = at + int(_INT32.unpack_from(raw, at)[0])
        key = raw[at:end]
    elif raw[letter] == _UPDATE:
        return parse(raw, database)  # its key stands elsewhere
    if raw.startswith(_STATEMENT, end):
        end += len(_STATEMENT) + 4
    if not raw.startswith(_TIME, end):
        return parse(raw, database)
    increment, seconds = _TIMESTAMP.unpack_from(raw, end + len(_TIME))
    return Entry(ClusterTime(seconds, increment), (Operation(_KINDS[raw[letter]], collection, body, key),))
