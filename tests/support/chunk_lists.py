"""Lists of chunks, for tests that have all of the chunks."""

from collections.abc import Iterable, Iterator

from holdfast.repository.chunks import ChunkRef, ListCutter


def write_lists(refs: Iterable[ChunkRef]) -> Iterator[bytes]:
    """The text of the lists that hold them, in order."""
    cutter = ListCutter()
    texts = [*map(cutter.add, refs), cutter.finish()]
    yield from filter(None, texts)
