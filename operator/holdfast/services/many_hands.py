"""All pods of a Job write the documents of a restore and read them again; this one leads them."""

from collections.abc import Mapping, Sequence

from holdfast.ports import Advance, CollectionInfo
from holdfast.repository.manifest import CollectionRecord
from holdfast.services.read_back import ranges_of
from holdfast.services.restore_board import Board, Kind, OpenCollection, OpenWork, Standing
from holdfast.services.restore_hands import OwnHands, Titles, Written, size_of
from holdfast.services.restore_share import NOTHING, Share, Team, finished
from holdfast.services.restore_work import Sum, total


class ManyHands:
    """Implements :class:`holdfast.services.restore_hands.Hands`. What cannot be shared is done by ``own``.

    The order of a capped collection is part of it: one writes it from its beginning to its end.
    """

    def __init__(self, own: OwnHands, board: Board, team: Team) -> None:
        self._own, self._board, self._team = own, board, team

    def write(self, stored: Sequence[CollectionRecord], titles: Titles, written: Written) -> None:
        shared = [c for c in stored if c.chunks and not c.capped]
        names = {c.name for c in shared}
        work = self._open(Kind.WRITE, shared, titles)
        alone = [c for c in stored if c.name not in names]
        self._own.write(alone, titles, written, of=stored)
        share, told = self._share(work, shared), set[int]()

        def look(standing: Standing, own: Sum) -> None:
            ready = finished(share.layout, standing.done)
            for number in sorted(ready - told):
                told.add(number)
                written(shared[number])
            current = next((number for number in range(len(shared)) if number not in ready), len(shared) - 1)
            so_far = total([size_of(alone), own, *(one for done in standing.done.values() for one in done.values())])
            title, whole = titles[shared[current].name] if shared else "", size_of(stored)
            self._own.progress.advance(Advance(title, so_far.documents, so_far.bytes, 0, whole.documents, whole.bytes))

        share.run(look)

    def sums(
        self, stored: Sequence[CollectionRecord], there: Mapping[str, CollectionInfo], titles: Titles
    ) -> Mapping[str, Sum]:
        shared = [c for c in stored if c.name in there]
        starts = {c.name: self._starts(c, there[c.name]) for c in shared}
        standing = self._share(self._open(Kind.READ, shared, titles, starts), shared).run()
        return {
            c.name: total(done.get(number, NOTHING) for done in standing.done.values())
            for number, c in enumerate(shared)
        }

    def _open(
        self,
        kind: Kind,
        shared: Sequence[CollectionRecord],
        titles: Titles,
        starts: Mapping[str, tuple[bytes, ...]] | None = None,
    ) -> OpenWork:
        there, starts = self._own.target.identities(), starts or {}
        work = OpenWork(
            kind,
            tuple(
                OpenCollection(titles[c.name], c.name, there.get(c.name) or b"", starts.get(c.name, ())) for c in shared
            ),
        )
        self._board.open(work)
        return work

    def _share(self, work: OpenWork, records: Sequence[CollectionRecord]) -> Share:
        own = self._own
        return Share(
            *(work, records, own.repository, own.target, self._board, self._team, own.crew, own.stop), check=own.check
        )

    def _starts(self, collection: CollectionRecord, info: CollectionInfo) -> tuple[bytes, ...]:
        ranges = ranges_of(collection, info, self._own.repository, self._own.target, further=True)
        return tuple(keys.lower for keys in ranges if keys.lower is not None)
