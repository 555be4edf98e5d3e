"""An archive of the oplog beside backups, and restores to any moment of it."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

from pymongo.database import Database

from holdfast.mongo.replay import MongoReplayer
from holdfast.ports import ClusterTime, Oplog
from holdfast.repository.slices import Slices
from holdfast.services.archive_oplog import Archived, ArchiveRequest, archive_oplog
from holdfast.services.reach import find_reach
from holdfast.services.restore_request import RestoreRequest
from holdfast.services.restore_to_point import PointOutcome, restore_to_point
from holdfast.wiring.opening import now, open_oplog, open_replayer, open_target
from tests.support.engine import ORIGIN, Engine

Db = Database[dict[str, Any]]


class Point:
    """An engine with an archive behind it."""

    def __init__(self, engine: Engine, source: Db) -> None:
        self.engine, self.source = engine, source
        engine.repository.open(create=True)

    def archive(self, **wanted: Any) -> Archived:
        """All that is there now."""
        with closing(open_oplog(self.engine.uri, origin=ORIGIN)) as oplog:
            return self.archive_from(oplog, **wanted)

    def archive_from(self, oplog: Oplog, **wanted: Any) -> Archived:
        request = ArchiveRequest(self.source.name, once=True, **wanted)
        warn = self.engine.recorder.warn
        return archive_oplog(request, oplog, self.engine.repository, now, self.engine.stop, warn)

    def time(self) -> ClusterTime:
        time = self.source.client.admin.command("hello")["lastWrite"]["opTime"]["ts"]
        return ClusterTime(time.time, time.inc)

    def slices(self) -> Slices:
        with closing(open_oplog(self.engine.uri, origin=ORIGIN)) as oplog:
            return Slices(self.engine.repository, oplog.replica_set, self.source.name)

    def restore(
        self,
        until: ClusterTime,
        into: Db,
        request: RestoreRequest | None = None,
        wrap: Callable[[MongoReplayer], Any] = lambda replayer: replayer,
    ) -> PointOutcome:
        engine = self.engine
        reach = find_reach(engine.repository, self.source.name, until)
        with (
            closing(open_target(engine.uri, into.name, origin=ORIGIN)) as target,
            closing(open_replayer(engine.uri, into.name, origin=ORIGIN)) as replayer,
        ):
            return restore_to_point(
                request or RestoreRequest(), reach, engine.repository, target, wrap(replayer), engine.recorder, now,
                engine.stop,
            )  # fmt: skip
