"""All policies at a glance, those that need somebody first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from holdfast.domain.health import Verdict
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun
from holdfast.web.dashboard.views.marks import UNKNOWN, Mark, mark
from holdfast.web.dashboard.views.strip import Tick, strip

PAGE = 60


@dataclass(frozen=True)
class Active:
    """A run that is at work."""

    name: str
    mark: Mark
    percent: int | None
    message: str


@dataclass(frozen=True)
class Card:
    """One policy."""

    namespace: str
    name: str
    mark: Mark
    message: str
    suspended: bool
    last_success: datetime | None
    next_run: datetime | None
    success_percent: int | None
    runs: int
    stored_bytes: int | None
    strip: tuple[Tick, ...]
    active: Active | None


@dataclass(frozen=True)
class Overview:
    cards: tuple[Card, ...]
    found: int
    """How many policies answer to the filter."""
    page: int
    pages: int
    total: int
    counts: tuple[tuple[Mark, int], ...]
    """How many are in which state, worst first; of all that may be seen."""


def overview(
    policies: Sequence[BackupPolicy],
    recent: Callable[[Sequence[BackupPolicy]], Sequence[Sequence[BackupRun]]],
    *,
    text: str = "",
    page: int = 1,
) -> Overview:
    """Given all policies that may be seen; ``recent`` gives the newest runs of some. ``text``: a part of a name."""
    wanted = [one for one in policies if text.lower() in f"{one.metadata.namespace}/{one.metadata.name}"]
    wanted.sort(key=lambda one: (-_badness(one), one.metadata.namespace, one.metadata.name))
    pages = max(1, -(-len(wanted) // PAGE))
    page = min(max(1, page), pages)
    shown = wanted[(page - 1) * PAGE : page * PAGE]
    cards = tuple(card(one, runs) for one, runs in zip(shown, recent(shown), strict=True))
    return Overview(cards, len(wanted), page, pages, len(policies), _counts(policies))


def card(policy: BackupPolicy, runs: Sequence[BackupRun]) -> Card:
    """``runs``: its newest, newest first."""
    status, statistics = policy.status, policy.status.statistics
    verdict = verdict_of(policy)
    good = status.last_successful_run
    return Card(
        namespace=policy.metadata.namespace,
        name=policy.metadata.name,
        mark=verdict,
        message=status.health.message if status.health and status.health.verdict is not Verdict.HEALTHY else "",
        suspended=policy.spec.schedule.suspend,
        last_success=good.completion_time if good else None,
        next_run=None if policy.spec.schedule.suspend else status.next_schedule_time,
        success_percent=statistics.success_percent if statistics else None,
        runs=statistics.runs if statistics else 0,
        stored_bytes=good.stored_bytes if good else None,
        strip=strip(runs),
        active=next((_active(run) for run in runs if not run.status.terminal), None),
    )


def verdict_of(policy: BackupPolicy) -> Mark:
    health = policy.status.health
    return mark(health.verdict) if health else UNKNOWN


def percent_of(progress: str | None) -> int | None:
    """``42%`` as 42."""
    digits = (progress or "").removesuffix("%")
    return min(100, int(digits)) if digits.isdecimal() else None


def _active(run: BackupRun) -> Active:
    status = run.status
    return Active(run.metadata.name, mark(status.phase), percent_of(status.progress), status.message or "")


def _badness(policy: BackupPolicy) -> int:
    """One that nobody has looked at yet stands before those that are well."""
    health = policy.status.health
    return 2 * health.verdict.badness if health else 1


def _counts(policies: Sequence[BackupPolicy]) -> tuple[tuple[Mark, int], ...]:
    marks = [verdict_of(one) for one in policies]
    order = [mark(verdict) for verdict in reversed(Verdict)]
    return tuple((one, marks.count(one)) for one in (*order[:2], UNKNOWN, order[2]) if one in marks)
