"""Into which stretches a collection is divided, so that several readers can work on it at once.

A stretch that begins where one of the last backup began holds the same chunks as that one. So the layout of the last
backup is kept, and only what has grown is divided further.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SEGMENT = 24 * 1024 * 1024
"""Raw bytes of a segment: enough to be worth a cursor, and little enough that readers end at about the same time."""

MOST = 1024
"""A huge collection has larger segments, not more."""


@dataclass(frozen=True)
class Stretch:
    """A part of a collection in ``_id`` order. ``start`` is its first ``{_id: …}``; None for the first stretch."""

    start: bytes | None
    documents: int
    bytes: int


def layout(last: Iterable[tuple[bytes | None, int, int]]) -> tuple[Stretch, ...]:
    """The layout of a backup, given its chunks (start, documents, bytes)."""
    parts: list[Stretch] = []
    for start, count, length in last:
        if not parts or start is not None:
            parts.append(Stretch(start if parts else None, count, length))
        else:
            final = parts[-1]
            parts[-1] = Stretch(final.start, final.documents + count, final.bytes + length)
    return tuple(parts)


def stretches(last: Sequence[Stretch], documents: int, size: int) -> tuple[Stretch, ...]:
    """The layout of the last backup, and about how much there is now.

    What has been added is taken to be at the end, where it is as a rule.
    """
    if not last or len(last) > 2 * MOST:
        return (Stretch(None, documents, size),)
    final = last[-1]
    grown_documents = max(0, documents - sum(part.documents for part in last))
    grown_bytes = max(0, size - sum(part.bytes for part in last))
    return *last[:-1], Stretch(final.start, final.documents + grown_documents, final.bytes + grown_bytes)


def pieces(stretch: Stretch, whole: int) -> Sequence[int]:
    """How many documents each piece of a stretch gets, all but the last one, which takes what is left.

    ``whole`` is the size of the collection in bytes.
    """
    wanted = max(SEGMENT, whole // MOST)
    count = min(round(stretch.bytes / wanted), stretch.documents)
    return [stretch.documents // count] * (count - 1) if count > 1 else []
