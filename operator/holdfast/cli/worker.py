"""``holdfast worker``: what runs inside the Jobs that the operator makes."""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Event
from typing import NoReturn, TypeVar

import typer
from pydantic import ValidationError

from holdfast.cli.console import PlainProgress
from holdfast.cli.environment import settings_error, start_logging
from holdfast.cli.options import stop_on_signals
from holdfast.domain.teamwork import Seat
from holdfast.kube.cluster import KubeCluster
from holdfast.kube.connection import Connection
from holdfast.kube.restore_progress import KubeRestoreProgress
from holdfast.kube.run_progress import KubeProgress
from holdfast.ports import Cluster, Member, Progress, Source, Target
from holdfast.processes import Processes
from holdfast.repository.manifest import Manifest
from holdfast.repository.repository import Repository
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.restore_run import RestoreRun
from holdfast.services.back_up_before import BackUpBefore
from holdfast.services.plan_restore import plan_restore
from holdfast.services.plan_to_point import Foreseen, plan_to_point
from holdfast.services.pod_witness import PodWitness
from holdfast.services.reach import Reach
from holdfast.services.read_segment import SegmentCrew, segment_work
from holdfast.services.restore import restore
from holdfast.services.restore_doors import Place, RestoreTask
from holdfast.services.restore_request import RestoreRequest
from holdfast.services.restore_to_point import PointOutcome, restore_to_point
from holdfast.services.restore_together import forget, restore_together
from holdfast.services.restore_work import RestoreCrew, restore_work
from holdfast.services.run_delete import DeleteWorker
from holdfast.services.run_drill import DrillWorker
from holdfast.services.run_prune import PruneWorker
from holdfast.services.run_restore import RestoreWorker
from holdfast.services.run_sync import SyncWorker
from holdfast.services.run_worker import Worker, WorkerTask
from holdfast.services.worker_report import WorkerResult
from holdfast.settings import RestoreSettings, WorkerSettings
from holdfast.wiring.opening import now
from holdfast.wiring.policies import (
    open_for_drill,
    open_for_policy,
    open_for_restore,
    open_replayer_for,
    open_target_as_source,
    repository_of,
)

_log = logging.getLogger("holdfast.worker")
_S = TypeVar("_S", bound=WorkerSettings)


def worker_backup() -> None:
    """Take the backup that this pod was started for."""
    settings = _settings(WorkerSettings)
    with Processes(polite=True) as processes:
        result = _work(settings, processes)
    _leave(settings, result)


def worker_restore() -> None:
    """Do the restore that this pod was started for."""
    settings = _settings(RestoreSettings)
    with Processes() as processes:
        result = _restore(settings, processes)
    _leave(settings, result)


def worker_prune() -> None:
    """Prune for the policy that this pod was started for."""
    settings = _settings(WorkerSettings)
    cluster = _cluster()
    task = WorkerTask(settings.namespace, settings.policy, settings.job, settings.job_uid)
    prune = PruneWorker(
        task,
        cluster,
        _opener(settings, cluster),
        clock=now,
        stop=stop_on_signals(),
        wait=threading.Event().wait,
    )
    _leave(settings, prune.work())


def worker_sync() -> None:
    """Bring back the BackupRuns of the policy that this pod was started for."""
    settings = _settings(WorkerSettings)
    cluster = _cluster()
    sync = SyncWorker(
        WorkerTask(settings.namespace, settings.policy, settings.job, settings.job_uid),
        cluster,
        _opener(settings, cluster),
        clock=now,
        stop=stop_on_signals(),
        wait=threading.Event().wait,
    )
    _leave(settings, sync.work())


def worker_delete() -> None:
    """Remove the backup of the BackupRun that this pod was started for."""
    settings = _settings(WorkerSettings)
    cluster = _cluster()
    delete = DeleteWorker(
        WorkerTask(settings.namespace, settings.policy, settings.job, settings.job_uid, settings.run),
        cluster,
        _opener(settings, cluster),
        clock=now,
        stop=stop_on_signals(),
        wait=threading.Event().wait,
    )
    _leave(settings, delete.work())


def worker_drill() -> None:
    """Make the drill that this pod was started for."""
    settings = _settings(WorkerSettings)
    with Processes() as processes:
        result = _drill(settings, processes)
    _leave(settings, result)


def _settings(kind: type[_S]) -> _S:
    try:
        settings = kind()
    except ValidationError as error:
        raise settings_error(error) from None
    start_logging(settings.log_level)
    return settings


def _leave(settings: WorkerSettings, result: WorkerResult) -> NoReturn:
    # Outside of a pod there is no such file.
    with contextlib.suppress(OSError):
        Path(settings.termination_log).write_text(result.message.encode(), encoding="utf-8")
    _log.info("%s %s", result.message.reason, result.message.message)
    raise typer.Exit(result.exit_code)


def _cluster() -> KubeCluster:
    return KubeCluster(Connection.from_environment(connect_seconds=3, read_seconds=10))


def _witness(settings: WorkerSettings, cluster: Cluster) -> PodWitness:
    return PodWitness(cluster, settings.namespace, settings.pod, settings.pod_uid, settings.policy_uid)


Opener = Callable[[BackupPolicy], contextlib.AbstractContextManager[Repository]]


def _opener(settings: WorkerSettings, cluster: Cluster) -> Opener:
    """Opens the repository of a policy, with the Secrets that are mounted."""
    mounts, witness = Path(settings.mounts), _witness(settings, cluster)
    return lambda policy: contextlib.closing(repository_of(policy, mounts=mounts, witness=witness))


def _work(settings: WorkerSettings, processes: Processes) -> WorkerResult:
    @contextlib.contextmanager
    def engine(
        policy: BackupPolicy, member: Member | None = None
    ) -> Iterator[tuple[Source, Repository, SegmentCrew | None]]:
        opener = partial(open_for_policy, policy, mounts=Path(settings.mounts))
        with opener(member=member, witness=_witness(settings, cluster)) as (source, repository):
            yield source, repository, processes.crew(partial(segment_work, partial(opener, member=source.member), now))

    cluster = _cluster()
    stop = stop_on_signals()
    task = WorkerTask(
        settings.namespace,
        settings.policy,
        settings.job,
        settings.job_uid,
        settings.run,
        settings.waits_for_turn,
        Seat(settings.index, settings.parallelism),
    )
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


def _restore(settings: RestoreSettings, processes: Processes) -> WorkerResult:
    cluster = _cluster()
    stop = stop_on_signals()
    task = RestoreTask(
        settings.namespace,
        settings.policy,
        settings.job,
        settings.job_uid,
        settings.restore,
        settings.restore_uid,
        settings.bytes_per_second,
        Seat(settings.index, settings.parallelism),
    )
    before = BackUpBefore(
        cluster,
        settings.job,
        settings.job_uid,
        progress_of=lambda run: KubeProgress(cluster, settings.namespace, run, now),
        clock=now,
        stop=stop,
    )
    worker = RestoreWorker(
        task,
        cluster,
        _MountedDoors(_opener(settings, cluster), Path(settings.mounts), processes, stop),
        progress_of=lambda run: KubeRestoreProgress(cluster, settings.namespace, run, now),
        back_up_before=before,
        clock=now,
        stop=stop,
        wait=threading.Event().wait,
    )
    return worker.work()


class _MountedDoors:
    """Implements :class:`holdfast.services.restore_doors.Doors`, with what the kubelet has mounted."""

    def __init__(self, repository: Opener, mounts: Path, processes: Processes, stop: Event) -> None:
        self.repository, self._mounts, self._processes, self._stop = repository, mounts, processes, stop

    @contextlib.contextmanager
    def place(self, policy: BackupPolicy, run: RestoreRun, repository: Repository, database: str) -> Iterator[Place]:
        opener = partial(open_for_restore, policy, run, database, mounts=self._mounts)
        source = open_target_as_source(policy, run, database, mounts=self._mounts)
        crew = self._processes.crew(partial(restore_work, opener))
        with contextlib.closing(source), opener() as (target, _):
            yield Place(
                database=target.database,
                source=source,
                plan=lambda request, manifest: plan_restore(request, manifest, repository, target),
                restore=lambda request, manifest, progress, before, team=None: restore(
                    *(request, manifest, repository, target, progress, now, self._stop),
                    before_replacing=before,
                    crew=crew,
                    team=team,
                ),
                plan_to_point=lambda request, reach: plan_to_point(request, reach, repository, target),
                restore_to_point=partial(self._restore_to_point, policy, run, repository, target, opener),
                share=lambda request, manifest, team, lead: restore_together(
                    *(request, manifest, repository, target, team, crew, self._stop, lead)
                ),
                forget=lambda request, manifest: forget(request, manifest, target, self._stop),
            )

    def _restore_to_point(
        self,
        policy: BackupPolicy,
        run: RestoreRun,
        repository: Repository,
        target: Target,
        opener: Callable[[], contextlib.AbstractContextManager[tuple[Target, Repository]]],
        request: RestoreRequest,
        reach: Reach,
        foreseen: Foreseen,
        progress: Progress,
    ) -> PointOutcome:
        crew = self._processes.crew(partial(restore_work, opener))
        database = reach.manifest.database
        with contextlib.closing(open_replayer_for(policy, run, database, mounts=self._mounts)) as replayer:
            return restore_to_point(
                request, reach, repository, target, replayer, progress, now, self._stop, crew=crew, foreseen=foreseen
            )


def _drill(settings: WorkerSettings, processes: Processes) -> WorkerResult:
    cluster = _cluster()
    worker = DrillWorker(
        settings.namespace,
        settings.policy,
        settings.job_uid,
        cluster,
        _DrillDoors(_opener(settings, cluster), Path(settings.mounts), processes),
        PlainProgress(),
        clock=now,
        stop=stop_on_signals(),
        wait=threading.Event().wait,
    )
    return worker.work()


class _DrillDoors:
    """Implements :class:`holdfast.services.run_drill.Doors`, with what the kubelet has mounted."""

    def __init__(self, repository: Opener, mounts: Path, processes: Processes) -> None:
        self.repository, self._mounts, self._processes = repository, mounts, processes

    @contextlib.contextmanager
    def target(self, policy: BackupPolicy, manifest: Manifest) -> Iterator[tuple[Target, RestoreCrew | None]]:
        opener = partial(open_for_drill, policy, manifest.database, mounts=self._mounts)
        with opener() as (target, _):
            yield target, self._processes.crew(partial(restore_work, opener))
