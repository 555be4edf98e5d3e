"""What the worker of a RestoreRun is told, and what it opens: every door of it to the engine and to the cluster."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from holdfast.domain.teamwork import ALONE, Seat
from holdfast.ports import Progress, Source
from holdfast.repository.manifest import Manifest
from holdfast.repository.repository import Repository
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.restore_run import RestoreRun, RestoreRunStatus
from holdfast.services.plan_to_point import Foreseen
from holdfast.services.reach import Reach
from holdfast.services.restore_outcome import RestoreOutcome
from holdfast.services.restore_plan import RestorePlan
from holdfast.services.restore_request import RestoreRequest
from holdfast.services.restore_share import Team
from holdfast.services.restore_to_point import PointOutcome


@dataclass(frozen=True)
class RestoreTask:
    """What the pod was told. ``run_uid``: a later run of the same name is another one."""

    namespace: str
    policy: str
    job: str
    job_uid: str
    run: str
    run_uid: str
    bytes_per_second: float | None = None
    seat: Seat = ALONE
    """Which of the pods that do it together this is."""


BeforeReplacing = Callable[[RestorePlan], None]


@dataclass(frozen=True)
class Place:
    """The target, open: the engine over it, and the same database for reading."""

    database: str
    source: Source
    plan: Callable[[RestoreRequest, Manifest], RestorePlan]
    restore: "RestoreDoor"
    plan_to_point: Callable[[RestoreRequest, Reach], tuple[RestorePlan, Foreseen]]
    restore_to_point: Callable[[RestoreRequest, Reach, Foreseen, Progress], PointOutcome]
    share: Callable[[RestoreRequest, Manifest, Team, Callable[[], RestoreOutcome]], RestoreOutcome | None]
    """Take part in a restore by several pods, as ``restore_together`` does."""
    forget: Callable[[RestoreRequest, Manifest], None]
    """Remove what several pods have noted, once it is told how the restore ended."""


class RestoreDoor(Protocol):
    """Does a restore; with a team, whoever shares in it has a part of the work."""

    def __call__(
        self,
        request: RestoreRequest,
        manifest: Manifest,
        progress: Progress,
        before: BeforeReplacing | None,
        team: Team | None = None,
    ) -> RestoreOutcome: ...


class Doors(Protocol):
    """Opens what a restore needs, with the Secrets that are mounted."""

    def repository(self, policy: BackupPolicy) -> AbstractContextManager[Repository]: ...

    def place(
        self, policy: BackupPolicy, run: RestoreRun, repository: Repository, database: str
    ) -> AbstractContextManager[Place]:
        """``database``: what was backed up, where the run names no other."""
        ...


class RestoreProgress(Progress, Protocol):
    """Progress that can also be put into a status that is about to be written."""

    def latest(self, status: RestoreRunStatus) -> RestoreRunStatus: ...


class PreRestore(Protocol):
    """Backs up what is about to be replaced, once for a run, and returns the id of the backup."""

    def __call__(
        self, policy: BackupPolicy, run: RestoreRun, plan: RestorePlan, source: Source, repository: Repository
    ) -> str | None: ...
