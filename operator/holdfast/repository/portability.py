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
    b"clusteredIndex": ((5, 3), "a clustered collection needs MongoDB 5.3 or newer"),
    b"timeseries": ((5, 0), "a time-series collection needs MongoDB 5.0 or newer"),
    b"changeStreamPreAndPostImages": ((6, 0), "pre- and post-images need MongoDB 6.0 or newer"),
    b"encryptedFields": ((7, 0), "Queryable Encryption needs MongoDB 7.0 or newer, and the keys of its key vault"),
}
_HAYSTACK_UNTIL, _COMPOUND_WILDCARD_SINCE = (4, 4), (7, 0)


def notes_on(collection: CollectionInfo) -> tuple[str, ...]:
    """What to know before the collection is restored into another version of the server. Empty as a rule."""
    return tuple(dict.fromkeys(text for _, _, text in _limits(collection)))


def refused_by(collection: CollectionInfo, version: tuple[int, int]) -> tuple[str, ...]:
    """Why a server of this version cannot take the collection. Empty if it can."""
    limits = _limits(collection)
    return tuple(dict.fromkeys(text for since, until, text in limits if not since <= version <= until))


def version_of(text: str) -> tuple[int, int]:
    """Such as ``(6, 0)`` of ``6.0.5``; ``(0, 0)`` where a dump did not say."""
    try:
        major, minor = text.split(".")[:2]
        return int(major), int(minor)
    except ValueError:
        return 0, 0


_Limit = tuple[tuple[int, int], tuple[int, int], str]
"""First and last version that take it, and the words for it."""
_ANY, _NONE = (10**6, 0), (0, 0)


def _limits(collection: CollectionInfo) -> Iterator[_Limit]:
    for _, name, _, _ in elements(collection.options):
        if name in _SINCE:
            since, text = _SINCE[name]
            yield since, _ANY, text
    for index in collection.indexes:
        yield from _index_limits(index)


def _index_limits(index: bytes) -> Iterator[_Limit]:
    parts = {name: index[start:end] for _, name, start, end in elements(index)}
    title = parts.get(b"name", b"\0\0\0\0\0")[4:-1].decode(errors="replace")
    try:
        fields = [(name, key[start + 4 : end - 1] if kind == _STRING else b"")
                  for key in [parts[b"key"]] for kind, name, start, end in elements(key)]  # fmt: skip
    except (KeyError, DamagedBackup):
        return
    if any(kind == b"geoHaystack" for _, kind in fields):
        yield _NONE, _HAYSTACK_UNTIL, f"index {title!r} is a geoHaystack index, which MongoDB 5.0 and newer refuse"
    if len(fields) > 1 and any(name.endswith(b"$**") for name, _ in fields):
        text = f"index {title!r} is a compound wildcard index, which needs MongoDB 7.0 or newer"
        yield _COMPOUND_WILDCARD_SINCE, _ANY, text
