"""The form in which the server takes operations of an oplog (``applyOps``)."""

from struct import Struct

from bson.raw_bson import RawBSONDocument

from holdfast.domain.oplog import Operation

_INT32 = Struct("<i")
_OPS = {kind: b"\x02op\0\x02\0\0\0" + letter + b"\0\x02ns\0"
        for kind, letter in (("insert", b"i"), ("update", b"u"), ("delete", b"d"))}  # fmt: skip


def applicable(database: str, one: Operation) -> RawBSONDocument:
    """``{op, ns, o, o2}``, put together without an object for each field: there are many."""
    namespace = f"{database}.{one.collection}\0".encode()
    fields = _OPS[one.kind] + _INT32.pack(len(namespace)) + namespace + b"\x03o\0" + one.body
    if one.key is not None and one.kind == "update":
        fields += b"\x03o2\0" + one.key
    return RawBSONDocument(_INT32.pack(len(fields) + 5) + fields + b"\0")
