"""``holdfast worker``: what runs inside the Jobs that the operator makes."""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import typer
from pydantic import ValidationError

from holdfast.cli.operator import settings_error, start_logging
from holdfast.cli.options import stop_on_signals
from holdfast.kube.cluster import KubeCluster
from holdfast.kube.connection import Connection
from holdfast.kube.run_progress import KubeProgress
from holdfast.ports import Source
from holdfast.repository.repository import Repository
from holdfast.resources.policy import BackupPolicy, UriSecretRef
from holdfast.services.run_worker import Worker, WorkerTask
from holdfast.settings import WorkerSettings
from holdfast.specs.worker import URI_FILE
from holdfast.wiring import open_mongodb_store, open_repository, open_source, read_uri

_log = logging.getLogger("holdfast.worker")


def worker_backup() -> None:
    """Take the backup that this pod was started for."""
    try:
        settings = WorkerSettings()
    except ValidationError as error:
        raise settings_error(error) from None
    start_logging(settings.log_level)
    cluster = KubeCluster(Connection.from_environment(connect_seconds=3, read_seconds=10))
    stop = stop_on_signals()

    def clock() -> datetime:
        return datetime.now(UTC)

    task = WorkerTask(settings.namespace, settings.policy, settings.job, settings.job_uid, settings.run)
    worker = Worker(
        task,
        cluster,
        _opener(Path(settings.mounts)),
        progress_of=lambda run: KubeProgress(cluster, settings.namespace, run, clock),
        clock=clock,
        stop=stop,
        wait=threading.Event().wait,
    )
    result = worker.work()
    # Outside of a pod there is no such file.
    with contextlib.suppress(OSError):
        Path(settings.termination_log).write_text(result.message.encode(), encoding="utf-8")
    _log.info("%s %s", result.message.reason, result.message.message)
    raise typer.Exit(result.exit_code)


def _opener(
    mounts: Path,
) -> Callable[[BackupPolicy], contextlib.AbstractContextManager[tuple[Source, Repository]]]:
    @contextlib.contextmanager
    def open_engine(policy: BackupPolicy) -> Iterator[tuple[Source, Repository]]:
        """Raises SecretMissing where the kubelet could mount nothing."""
        spec, storage = policy.spec, policy.spec.storage.mongodb
        origin = _origin(policy, spec.source.uri_secret_ref)
        uri = read_uri(mounts / "source" / URI_FILE, origin=origin)
        source = open_source(uri, spec.source.database, origin=origin, read_preference=spec.source.read_preference)
        with contextlib.closing(source):
            database = storage.database if storage else None
            if spec.store_secret:
                store_origin = _origin(policy, spec.store_secret)
                store_uri = read_uri(mounts / "store" / URI_FILE, origin=store_origin)
                store = open_mongodb_store(store_uri, database, origin=store_origin)
            else:
                store = open_mongodb_store(uri, database or source.database, origin=origin)
            with contextlib.closing(store):
                yield source, open_repository(store, level=spec.compression.level)

    return open_engine


def _origin(policy: BackupPolicy, ref: UriSecretRef) -> str:
    return f"key {ref.key} of Secret {policy.metadata.namespace}/{ref.name}"
