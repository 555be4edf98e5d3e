"""``holdfast worker``: what runs inside the Jobs that the operator makes."""

import contextlib
import logging
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import typer
from pydantic import ValidationError

from holdfast.cli.operator import settings_error, start_logging
from holdfast.cli.options import stop_on_signals
from holdfast.kube.cluster import KubeCluster
from holdfast.kube.connection import Connection
from holdfast.kube.run_progress import KubeProgress
from holdfast.ports import Source
from holdfast.processes import Processes
from holdfast.repository.repository import Repository
from holdfast.resources.policy import BackupPolicy
from holdfast.services.read_segment import SegmentCrew, segment_work
from holdfast.services.run_worker import Worker, WorkerTask
from holdfast.services.worker_report import WorkerResult
from holdfast.settings import WorkerSettings
from holdfast.wiring import now, open_for_policy

_log = logging.getLogger("holdfast.worker")


def worker_backup() -> None:
    """Take the backup that this pod was started for."""
    try:
        settings = WorkerSettings()
    except ValidationError as error:
        raise settings_error(error) from None
    start_logging(settings.log_level)
    with Processes(polite=True) as processes:
        result = _work(settings, processes)
    # Outside of a pod there is no such file.
    with contextlib.suppress(OSError):
        Path(settings.termination_log).write_text(result.message.encode(), encoding="utf-8")
    _log.info("%s %s", result.message.reason, result.message.message)
    raise typer.Exit(result.exit_code)


def _work(settings: WorkerSettings, processes: Processes) -> WorkerResult:
    @contextlib.contextmanager
    def engine(policy: BackupPolicy) -> Iterator[tuple[Source, Repository, SegmentCrew | None]]:
        opener = partial(open_for_policy, policy, mounts=Path(settings.mounts))
        with opener() as (source, repository):
            yield source, repository, processes.crew(partial(segment_work, partial(opener, member=source.member), now))

    cluster = KubeCluster(Connection.from_environment(connect_seconds=3, read_seconds=10))
    stop = stop_on_signals()
    task = WorkerTask(settings.namespace, settings.policy, settings.job, settings.job_uid, settings.run)
    worker = Worker(
        task,
        cluster,
        engine,
        progress_of=lambda run: KubeProgress(cluster, settings.namespace, run, now),
        clock=now,
        stop=stop,
        wait=threading.Event().wait,
    )
    return worker.work()
