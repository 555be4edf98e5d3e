"""Divide a collection into ranges of keys, so that several readers can work on it."""

from collections.abc import Iterable

from holdfast.domain.segments import pieces, stretches
from holdfast.ports import WHOLE, ClusterTime, CollectionInfo, Estimate, KeyRange, Source, Target
from holdfast.repository.chunks import ChunkRef


def divide(
    source: Source | Target,
    collection: CollectionInfo,
    at: ClusterTime | None,
    last: Iterable[ChunkRef],
    estimate: Estimate,
    *,
    further: bool,
) -> tuple[KeyRange, ...]:
    """Given the chunks of its last backup and an estimate of its size, ranges that together are the collection.

    Without ``further``, it is divided only where the last backup has done so. Raises what the source raises.
    """
    if not source.can_divide(collection):
        return (WHOLE,)
    layout = stretches(
        ((ref.start, ref.documents, ref.logical_bytes) for ref in last), estimate.documents, estimate.logical_bytes
    )
    bounds: list[bytes] = []
    for stretch, upper in zip(layout, [*(part.start for part in layout[1:]), None], strict=True):
        if stretch.start is not None:
            bounds.append(stretch.start)
        start = stretch.start
        for documents in pieces(stretch, estimate.logical_bytes) if further else ():
            start = source.key(collection, at, KeyRange(start, upper), documents)
            if start is None:
                break
            bounds.append(start)
    return tuple(KeyRange(lower, upper) for lower, upper in zip([None, *bounds], [*bounds, None], strict=True))
