"""One restore: what it would do or does, how it gets on, and what was proven."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.domain.phases import Phase, RestorePhase
from holdfast.domain.restoring import Existing
from holdfast.resources.restore_run import Mode, PlanStatus, RestoreRun, RestoreRunStatus
from holdfast.web.dashboard.views.marks import Mark, mark, words
from holdfast.web.dashboard.views.overview import percent_of
from holdfast.web.dashboard.views.run import CollectionRow, Place, Step
from holdfast.web.dashboard.views.strip import moment

_EXISTING = {
    Existing.FAIL: "nothing is done at all",
    Existing.DROP: "they are replaced",
    Existing.MERGE: "documents that are missing are added",
}


@dataclass(frozen=True)
class PlanRow:
    """What would become of one collection."""

    name: str
    target: str
    action: str
    documents: int | None
    size: int | None
    there_now: int | None
    problem: str


@dataclass(frozen=True)
class RestoreView:
    namespace: str
    name: str
    policy: str
    mark: Mark
    planning: bool
    """It only says what it would do."""
    ended: bool
    good: bool
    reason: str
    message: str
    steps: tuple[Step, ...]
    started: datetime | None
    duration: str
    percent: int | None
    database: str
    backup: str
    existing: str
    replaces: bool
    selection: tuple[tuple[str, str], ...]
    status: RestoreRunStatus
    plan: PlanStatus | None
    in_the_way: tuple[str, ...]
    """Why what is planned would do nothing."""
    planned: tuple[PlanRow, ...]
    renamed: bool
    troubled: bool
    estimate: timedelta | None
    collections: tuple[CollectionRow, ...]


def restore_view(run: RestoreRun) -> RestoreView:
    spec, status = run.spec, run.status
    plan = status.plan
    planned = _planned(plan) if plan else ()
    return RestoreView(
        namespace=run.metadata.namespace,
        name=run.metadata.name,
        policy=run.policy_name or "",
        mark=mark(status.phase),
        planning=spec.mode is Mode.PLAN,
        ended=status.terminal,
        good=status.phase is RestorePhase.SUCCEEDED,
        reason=words(status.reason) if status.reason and status.reason != status.phase else "",
        message=status.message or "",
        steps=_steps(run),
        started=status.start_time,
        duration=status.duration or "",
        percent=percent_of(status.progress),
        database=status.database or spec.target.database or "",
        backup=_backup(run),
        existing=_EXISTING[spec.existing],
        replaces=spec.existing is Existing.DROP,
        selection=_selection(run),
        status=status,
        plan=plan,
        in_the_way=plan.conflicts if plan and spec.mode is Mode.PLAN else (),
        planned=planned,
        renamed=any(one.target != one.name for one in planned),
        troubled=any(one.problem for one in planned),
        estimate=timedelta(seconds=plan.estimated_seconds) if plan and plan.estimated_seconds is not None else None,
        collections=tuple(
            CollectionRow(one.name, mark(one.phase), one.documents, one.bytes, one.error or "")
            for one in status.collections
        ),
    )


def _planned(plan: PlanStatus) -> tuple[PlanRow, ...]:
    return tuple(
        PlanRow(
            name=one.name,
            target=one.target or one.name,
            action=one.action,
            documents=one.documents,
            size=one.bytes,
            there_now=one.existing_documents,
            problem=one.problem or "",
        )
        for one in plan.collections
    )


def _backup(run: RestoreRun) -> str:
    """Its id, or how it was asked for as long as nobody has looked."""
    source = run.spec.source
    if source.point_in_time:
        return f"all as it was at {moment(source.point_in_time)}, from {run.status.backup_id or 'the backup before it'}"
    if found := run.status.backup_id or source.backup_id:
        return found
    return f"that of the run {source.backup_run_ref.name}" if source.backup_run_ref else "the newest that is whole"


def _selection(run: RestoreRun) -> tuple[tuple[str, str], ...]:
    """What was chosen of the backup, in words."""
    spec = run.spec
    secret = spec.target.uri_secret_ref
    parts = {
        "Only": ", ".join(spec.include),
        "Without": ", ".join(spec.exclude),
        "Renamed": ", ".join(f"{one.from_} to {one.to}" for one in spec.rename),
        "Server": f"that of the Secret {secret.name}" if secret else "",
    }
    return tuple((name, value) for name, value in parts.items() if value)


def _steps(run: RestoreRun) -> tuple[Step, ...]:
    """The phases in their order. Collection by collection, it goes from restoring to verifying and back."""
    status, work = run.status, _work(run)
    good = mark(Phase.SUCCEEDED).tone
    asked = Step(Mark("Asked for", good), Place.PAST, run.metadata.creation_timestamp)
    if status.terminal:
        done: Sequence[RestorePhase] = work if status.phase is RestorePhase.SUCCEEDED else ()
        worked = (Step(Mark(mark(one).word, good), Place.PAST) for one in done)
        return (asked, *worked, Step(mark(status.phase), Place.HERE, status.completion_time))
    place = work.index(status.phase) if status.phase in work else -1
    steps = [asked] if place >= 0 else [asked, Step(mark(RestorePhase.PENDING), Place.HERE)]
    idle = mark(Phase.PENDING).tone
    for number, phase in enumerate(work):
        if number == place:
            steps.append(Step(mark(phase), Place.HERE))
        else:
            past = number < place
            steps.append(Step(Mark(mark(phase).word, good if past else idle), Place.PAST if past else Place.AHEAD))
    return (*steps, Step(Mark(mark(RestorePhase.SUCCEEDED).word, idle), Place.AHEAD))


def _work(run: RestoreRun) -> tuple[RestorePhase, ...]:
    if run.spec.mode is Mode.PLAN:
        return (RestorePhase.PLANNING,)
    return RestorePhase.PLANNING, RestorePhase.RESTORING, RestorePhase.VERIFYING
