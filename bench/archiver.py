"""``python -m bench.archiver URI_FILE REPOSITORY DATABASE``: what runs in an archiver's pod, with a cluster that is
played, until it is asked to stop."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import bench.lean  # noqa: F401 (ahead of all that takes more along)
import holdfast.cli.worker_archive  # noqa: F401 (the pod has it all in memory)
from holdfast.cli.options import repository_at, stop_on_signals
from holdfast.mongo.oplog import MongoOplog
from holdfast.ports import BACKUP_POLICY
from holdfast.repository.repository import Repository
from holdfast.resources.policy import BackupPolicy
from holdfast.services.run_archive import ArchiveWorker
from holdfast.wiring.opening import now, open_oplog, read_uri
from tests.support.fake_cluster import FakeCluster
from tests.support.kube_objects import NAMESPACE, policy_body


def main(uri_file: Path, repository: str, database: str) -> None:
    cluster, stop = FakeCluster(now), stop_on_signals()
    cluster.put(BACKUP_POLICY, policy_body(pointInTime={"enabled": True}))

    @contextmanager
    def doors(policy: BackupPolicy) -> Iterator[tuple[MongoOplog, Repository, str]]:
        del policy
        with (
            closing(open_oplog(read_uri(uri_file, origin="the bench"), origin="the bench")) as oplog,
            closing(repository_at(repository, uri_file, None)) as opened,
        ):
            yield oplog, opened, database

    ArchiveWorker(NAMESPACE, "shop", cluster, doors, now, stop, stop.wait).work()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
