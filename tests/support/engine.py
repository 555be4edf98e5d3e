"""Back up and restore as the command line does, with parts that tests can exchange."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from threading import Event
from typing import Any, cast

from holdfast.domain.consistency import Consistency
from holdfast.mongo.source import MongoSource
from holdfast.ports import WHOLE, Advance, ClusterTime, CollectionInfo, KeyRange, Source
from holdfast.repository.repository import Repository, new_backup_id
from holdfast.services.back_up import back_up
from holdfast.services.backup_request import BackupOutcome, BackupRequest
from holdfast.services.plan_restore import plan_restore
from holdfast.services.restore import BeforeReplacing, restore
from holdfast.services.restore_outcome import RestoreOutcome
from holdfast.services.restore_plan import RestorePlan
from holdfast.services.restore_request import RestoreRequest
from holdfast.stores.memory import MemoryStore
from holdfast.wiring.opening import now, open_source, open_target

ORIGIN = "the test"


@dataclass
class Recorder:
    """Remembers what was reported."""

    warnings: list[str] = field(default_factory=list)
    advances: list[Advance] = field(default_factory=list)

    def phase(self, name: str, message: str = "") -> None:
        del name, message

    def advance(self, report: Advance) -> None:
        self.advances.append(report)

    def warn(self, message: str) -> None:
        self.warnings.append(message)


class Meddler:
    """A source with which something happens while it is read: ``act`` is called once, with the name of a collection
    of which the first batch was read."""

    def __init__(self, source: MongoSource, act: Callable[[str], object]) -> None:
        self._source, self._act = source, act
        self._done = False
        self.times: list[ClusterTime | None] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def cluster_time(self) -> ClusterTime | None:
        self.times.append(self._source.cluster_time())
        return self.times[-1]

    def read(
        self,
        collection: CollectionInfo,
        at: ClusterTime | None,
        keys: KeyRange = WHOLE,
        *,
        batch_bytes: int | None = None,
    ) -> Iterator[Sequence[bytes]]:
        for batch in self._source.read(collection, at, keys, batch_bytes=batch_bytes):
            yield batch
            if not self._done:
                self._done = True
                self._act(collection.name)


class Engine:
    """A repository, by default in memory, and the databases of one server."""

    def __init__(self, uri: str, repository: Repository | None = None) -> None:
        self.uri = uri
        self.repository = repository or Repository(MemoryStore())
        self.recorder = Recorder()
        self.stop = Event()

    def source(self, database: str, **options: Any) -> MongoSource:
        return open_source(self.uri, database, origin=ORIGIN, **options)

    def back_up(
        self,
        database: str,
        *,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        consistency: Consistency = Consistency.PREFERRED,
        backup_id: str | None = None,
        meddle: Callable[[str], object] | None = None,
        max_bytes_per_second: int | None = None,
        archived: bool = False,
    ) -> BackupOutcome:
        real = self.source(database)
        self.used = Meddler(real, meddle) if meddle else real
        source = cast("Source", self.used)  # a Meddler stands in by __getattr__
        started = now()
        request = BackupRequest(
            backup_id=backup_id or new_backup_id(started, token_hex(8)),
            policy=None,
            include=tuple(include),
            exclude=tuple(exclude),
            consistency=consistency,
            started=started,
            max_bytes_per_second=max_bytes_per_second,
            archived=archived,
        )
        try:
            return back_up(request, source, self.repository, self.recorder, now, self.stop)
        finally:
            source.close()

    def restore(
        self,
        outcome: BackupOutcome,
        database: str,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        *,
        before_replacing: BeforeReplacing | None = None,
        **wanted: Any,
    ) -> RestoreOutcome:
        target = open_target(self.uri, database, origin=ORIGIN)
        request = RestoreRequest(include=tuple(include), exclude=tuple(exclude), **wanted)
        try:
            return restore(
                *(request, outcome.manifest, self.repository, target, self.recorder, now, self.stop),
                before_replacing=before_replacing,
            )
        finally:
            target.close()

    def plan(self, outcome: BackupOutcome, database: str, **wanted: Any) -> RestorePlan:
        target = open_target(self.uri, database, origin=ORIGIN)
        try:
            return plan_restore(RestoreRequest(**wanted), outcome.manifest, self.repository, target)
        finally:
            target.close()
