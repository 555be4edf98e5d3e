"""One run: where it stands, how it gets on, and what became of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from holdfast.domain.phases import CollectionPhase, Phase
from holdfast.resources.retention import RunRetention
from holdfast.resources.run import BackupRun, BackupRunStatus, CollectionStatus
from holdfast.web.dashboard.views.marks import Mark, mark, words
from holdfast.web.dashboard.views.overview import percent_of
from holdfast.web.dashboard.views.policy import reused

ENOUGH_PERCENT = 3
"""Before that, what is left is anybody's guess."""
_WORK = (Phase.RUNNING, Phase.VERIFYING)


class Place(StrEnum):
    """Of a step, seen from where the run is."""

    PAST = "past"
    HERE = "here"
    AHEAD = "ahead"


@dataclass(frozen=True)
class Step:
    mark: Mark
    place: Place
    time: datetime | None = None


@dataclass(frozen=True)
class CollectionRow:
    name: str
    mark: Mark
    documents: int | None
    size: int | None
    error: str


@dataclass(frozen=True)
class RunView:
    namespace: str
    name: str
    policy: str
    mark: Mark
    ended: bool
    good: bool
    reason: str
    message: str
    why: str
    """What it was started for."""
    steps: tuple[Step, ...]
    started: datetime | None
    duration: str
    percent: int | None
    bytes_per_second: int | None
    left: timedelta | None
    ahead: int | None
    """How many wait before it, while it waits for its turn."""
    status: BackupRunStatus
    reused_percent: int | None
    collections: tuple[CollectionRow, ...]
    retention: RunRetention | None
    held: bool
    stored: bool


def run_view(run: BackupRun, now: datetime) -> RunView:
    status = run.status
    percent = percent_of(status.progress)
    return RunView(
        namespace=run.metadata.namespace,
        name=run.metadata.name,
        policy=run.spec.policy_ref.name,
        mark=mark(status.phase),
        ended=status.terminal,
        good=status.phase is Phase.SUCCEEDED,
        reason=words(status.reason) if status.reason and status.reason != status.phase else "",
        message=status.message or "",
        why=words(run.spec.reason),
        steps=_steps(run),
        started=status.start_time,
        duration=status.duration or "",
        percent=percent,
        bytes_per_second=_speed(status, now),
        left=_left(status, percent, now),
        ahead=status.queue.ahead if status.queue and not run.status.let_in else None,
        status=status,
        reused_percent=reused(status.stored_bytes, status.new_bytes),
        collections=tuple(
            CollectionRow(one.name, mark(one.phase), one.documents, one.bytes, one.error or "")
            for one in sorted(status.collections, key=_collection_order)
        ),
        retention=status.retention,
        held=run.held,
        stored=run.stored,
    )


def _collection_order(one: CollectionStatus) -> tuple[bool, str]:
    """What needs a look first, then by name: a row stays where it is while its collection is read."""
    return one.phase not in (CollectionPhase.FAILED, CollectionPhase.MISSING), one.name


def _steps(run: BackupRun) -> tuple[Step, ...]:
    """The phases in their order, with the times that are known."""
    status = run.status
    asked = Step(Mark("Asked for", mark(Phase.SUCCEEDED).tone), Place.PAST, run.born)
    if status.terminal:
        done = _WORK if status.phase is Phase.SUCCEEDED else _WORK[:1] if status.attempts else ()
        worked = (Step(_done(one), Place.PAST, _start(status, one)) for one in done)
        return (asked, *worked, Step(mark(status.phase), Place.HERE, status.completion_time))
    place = _WORK.index(status.phase) if status.phase in _WORK else -1
    steps = [asked]
    if place < 0:
        steps.append(Step(mark(Phase.PENDING), Place.HERE))
    for number, phase in enumerate(_WORK):
        where = Place.PAST if number < place else Place.HERE if number == place else Place.AHEAD
        shown = _done(phase) if where is Place.PAST else mark(phase) if where is Place.HERE else _ahead(phase)
        steps.append(Step(shown, where, _start(status, phase)))
    return (*steps, Step(_ahead(Phase.SUCCEEDED), Place.AHEAD))


def _start(status: BackupRunStatus, phase: Phase) -> datetime | None:
    """When a phase began, where a status tells."""
    return status.start_time if phase is Phase.RUNNING else None


def _done(phase: Phase) -> Mark:
    return Mark(mark(phase).word, mark(Phase.SUCCEEDED).tone)


def _ahead(phase: Phase) -> Mark:
    return Mark(mark(phase).word, mark(Phase.PENDING).tone)


def _speed(status: BackupRunStatus, now: datetime) -> int | None:
    """On average, in bytes of documents a second."""
    end = status.completion_time or now
    if status.start_time is None or not status.logical_bytes or status.phase is Phase.VERIFYING:
        return None
    seconds = (end - status.start_time).total_seconds()
    return round(status.logical_bytes / seconds) if seconds >= 1 else None


def _left(status: BackupRunStatus, percent: int | None, now: datetime) -> timedelta | None:
    """If it goes on as it did so far."""
    if status.phase is not Phase.RUNNING or status.start_time is None or percent is None or percent < ENOUGH_PERCENT:
        return None
    return (now - status.start_time) * (100 - percent) / percent
