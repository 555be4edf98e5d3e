"""Which servers can take a collection back: what of it is refused by an older or a newer one.

The server that a backup was taken from can; this names what to look for before another one is chosen. The facts are
those of the MongoDB manual: clustered collections since 5.3, time-series since 5.0, pre- and post-images since 6.0,
compound wildcard indexes since 7.0; geoHaystack indexes until 4.4.
"""

from collections.abc import Iterator

from holdfast.errors import DamagedBackup
from holdfast.ports import CollectionInfo
from holdfast.repository.documents import elements

_STRING = 0x02
_SINCE = {
    b"clusteredIndex": "a clustered collection needs MongoDB 5.3 or newer",
    b"timeseries": "a time-series collection needs MongoDB 5.0 or newer",
    b"changeStreamPreAndPostImages": "pre- and post-images need MongoDB 6.0 or newer",
    b"encryptedFields": "Queryable Encryption needs MongoDB 7.0 or newer, and the keys of its key vault",
}


def notes_on(collection: CollectionInfo) -> tuple[str, ...]:
    """What to know before the collection is restored into another version of the server. Empty as a rule."""
    found = [_SINCE[name] for _, name, _, _ in elements(collection.options) if name in _SINCE]
    for index in collection.indexes:
        found += _index_notes(index)
    return tuple(dict.fromkeys(found))


def _index_notes(index: bytes) -> Iterator[str]:
    parts = {name: index[start:end] for _, name, start, end in elements(index)}
    title = parts.get(b"name", b"\0\0\0\0\0")[4:-1].decode(errors="replace")
    try:
        fields = [(name, key[start + 4 : end - 1] if kind == _STRING else b"")
                  for key in [parts[b"key"]] for kind, name, start, end in elements(key)]  # fmt: skip
    except (KeyError, DamagedBackup):
        return
    if any(kind == b"geoHaystack" for _, kind in fields):
        yield f"index {title!r} is a geoHaystack index, which MongoDB 5.0 and newer refuse"
    if len(fields) > 1 and any(name.endswith(b"$**") for name, _ in fields):
        yield f"index {title!r} is a compound wildcard index, which needs MongoDB 7.0 or newer"
