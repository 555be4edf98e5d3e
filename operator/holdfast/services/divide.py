"""Divide a collection into ranges of keys, so that several readers can work on it."""

from collections.abc import Iterable, Iterator, Sequence

from holdfast.domain.segments import Stretch, layout, pieces, stretches
from holdfast.ports import ClusterTime, CollectionInfo, Estimate, KeyRange, Source, Target
from holdfast.repository.chunks import ChunkRef


def divided(chunks: Iterable[ChunkRef]) -> tuple[Stretch, ...]:
    """How a backup was divided, given its chunks, one by one: of a huge collection there are millions."""
    return layout((ref.start, ref.documents, ref.logical_bytes) for ref in chunks)


def divide(
    source: Source | Target,
    collection: CollectionInfo,
    at: ClusterTime | None,
    last: Sequence[Stretch],
    estimate: Estimate,
    *,
    further: bool,
) -> Iterator[KeyRange]:
    """Given how its last backup was divided and an estimate of its size, ranges that together are the collection.

    In order, each as soon as its end is known. Without ``further``, it is divided only where the last backup has done
    so. Raises what the source raises.
    """
    lower: bytes | None = None
    if source.can_divide(collection):
        for bound in _bounds(source, collection, at, last, estimate, further=further):
            yield KeyRange(lower, bound)
            lower = bound
    yield KeyRange(lower, None)


def _bounds(
    source: Source | Target,
    collection: CollectionInfo,
    at: ClusterTime | None,
    last: Sequence[Stretch],
    estimate: Estimate,
    *,
    further: bool,
) -> Iterator[bytes]:
    parts = stretches(last, estimate.documents, estimate.logical_bytes)
    for stretch, upper in zip(parts, [*(part.start for part in parts[1:]), None], strict=True):
        if stretch.start is not None:
            yield stretch.start
        start = stretch.start
        for documents in pieces(stretch, estimate.logical_bytes) if further else ():
            start = source.key(collection, at, KeyRange(start, upper), documents)
            if start is None:
                break
            yield start
