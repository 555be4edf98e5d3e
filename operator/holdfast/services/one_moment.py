"""How one attempt at a backup comes to show one moment: by a snapshot, or by what is captured while it reads."""

from collections.abc import Callable, Sequence
from threading import Event

from holdfast.domain.consistency import Consistency
from holdfast.domain.selection import select
from holdfast.errors import CatalogueChanged, ConsistencyUnavailable, NotAuthorized, OplogGap
from holdfast.ports import ClusterTime, ServerInfo, Source
from holdfast.repository.manifest import CollectionRecord
from holdfast.repository.repository import Repository
from holdfast.services.backup_request import BackupRequest
from holdfast.services.capture_changes import Capture, Captured


class OneMoment:
    """``snapshots_lost``: the server does not keep its snapshots for as long as reading takes, as was tried."""

    def __init__(
        self,
        request: BackupRequest,
        source: Source,
        server: ServerInfo,
        repository: Repository,
        stop: Event,
        *,
        snapshots_lost: bool,
    ) -> None:
        self._request, self._source = request, source
        self._warnings: tuple[str, ...] = ()
        self.consistency = request.consistency
        """With which the collections are read."""
        self._capture: Capture | None = None
        if server.topology != "replicaSet" or not request.wants_one_moment:
            return
        without = snapshots_lost or request.consistency is Consistency.NONE
        if not without and self._all_in_a_snapshot():
            return
        try:
            self._capture = Capture(source.oplog(), source.database, repository, stop)
        except NotAuthorized as error:
            self._warnings = (f"What was written during the backup cannot be captured, to show one moment: {error}",)
            return
        self.consistency = Consistency.NONE if without else Consistency.PREFERRED

    @property
    def moment(self) -> Callable[[], ClusterTime] | None:
        """Up to when all is in what is read from now on, where that counts."""
        return self._capture.moment if self._capture else None

    def finish(self, records: Sequence[CollectionRecord], *, final: bool) -> tuple[Captured | None, tuple[str, ...]]:
        """What was captured once all is read, and warnings where it was not.

        CatalogueChanged unless the attempt is ``final``; ConsistencyUnavailable if the policy requires one moment;
        SourceUnavailable, StoreUnavailable, Interrupted.
        """
        if self._capture is None:
            return None, self._warnings
        try:
            return self._capture.finish([one.name for one in records if not one.error], self._concerns), ()
        except (CatalogueChanged, OplogGap) as error:
            if isinstance(error, CatalogueChanged) and not final:
                raise
            why = f"It does not show one moment. {error.message}"
            if self._request.consistency is Consistency.REQUIRED:
                raise ConsistencyUnavailable(f"The policy requires a consistent backup. {why}") from error
            return None, (why,)

    def _all_in_a_snapshot(self) -> bool:
        return all(self._source.can_snapshot(one) for one in self._source.catalogue() if self._concerns(one.name))

    def _concerns(self, name: str) -> bool:
        return bool(select([name], self._request.include, self._request.exclude).chosen)
