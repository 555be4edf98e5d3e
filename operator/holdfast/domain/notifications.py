"""Who is told what, and when: which event a run is, which mails go out together, and when to try again.

A storm is one mail. All that is owed to somebody goes out together; and after a mail about a failure, further failures
wait for a while, so that they come as one mail with their count.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from holdfast.domain.phases import Phase


class Event(StrEnum):
    """What somebody may be told of."""

    BACKUP_SUCCEEDED = "BackupSucceeded"
    BACKUP_FAILED = "BackupFailed"
    BACKUP_PARTIAL = "BackupPartial"
    BACKUP_RECOVERED = "BackupRecovered"
    """The first good backup after one that was not. Who does not want it is told of a success."""
    RESTORE_SUCCEEDED = "RestoreSucceeded"
    RESTORE_FAILED = "RestoreFailed"
    SCHEDULE_MISSED = "ScheduleMissed"
    """Backups that were due and never started."""
    DRILL_PASSED = "DrillPassed"
    DRILL_FAILED = "DrillFailed"
    HEALTH_CRITICAL = "HealthCritical"
    HEALTH_RECOVERED = "HealthRecovered"
    """Healthy after Critical."""
    WEEKLY_SUMMARY = "WeeklySummary"
    NEW_USER = "NewUser"
    """Somebody signed up in the application whose database it is."""


PROBLEMS = frozenset({Event.BACKUP_FAILED, Event.BACKUP_PARTIAL})


class DeliveryPhase(StrEnum):
    """Where one message to one address stands."""

    OWED = "Owed"
    SENT = "Sent"
    FAILED = "Failed"


TEMPLATE_FAILED = "TemplateFailed"
"""Why a mail that was sent is not as somebody wanted it."""

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(minutes=15)
"""Short enough that a corrected password is soon put to use."""
PATIENCE = timedelta(hours=24)
"""How long a mail is tried. A mail server that is away for longer than a day is no passing trouble."""

_OUTCOMES = {
    Phase.SUCCEEDED: Event.BACKUP_SUCCEEDED,
    Phase.PARTIALLY_FAILED: Event.BACKUP_PARTIAL,
    Phase.FAILED: Event.BACKUP_FAILED,
}


def event_of(phase: Phase, before: Phase | None) -> Event | None:
    """What the end of a run is to people, given how the run before it ended.

    None for a run that was cancelled: whoever did it knows.
    """
    if phase is Phase.SUCCEEDED and before in (Phase.FAILED, Phase.PARTIALLY_FAILED):
        return Event.BACKUP_RECOVERED
    return _OUTCOMES.get(phase)


def told_as(event: Event, wanted: Iterable[Event]) -> Event | None:
    """As what somebody who wants ``wanted`` is told of ``event``, if at all."""
    wanted = set(wanted)
    if event in wanted:
        return event
    succeeded = Event.BACKUP_SUCCEEDED
    return succeeded if event is Event.BACKUP_RECOVERED and succeeded in wanted else None


def message_key(*words: str) -> str:
    """The left side of a Message-ID: the same words, the same mail, however often it is sent."""
    return sha256("\0".join(words).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Debt:
    """One thing that somebody is owed, or was told. ``at`` is when it happened."""

    run: str
    event: Event
    at: datetime
    phase: DeliveryPhase = DeliveryPhase.OWED
    message_id: str | None = None
    """Given when a mail was chosen to carry it."""
    attempts: int = 0
    first_attempt: datetime | None = None
    next_attempt: datetime | None = None
    sent: datetime | None = None


@dataclass(frozen=True)
class Batch:
    """What goes out as one mail. ``lead`` gives the mail its name and keeps count of the tries."""

    lead: Debt
    rest: tuple[Debt, ...] = ()
    message_id: str | None = None
    """Of a mail that was chosen before; None for one that is new."""

    @property
    def debts(self) -> tuple[Debt, ...]:
        return (self.lead, *self.rest)


@dataclass(frozen=True)
class Plan:
    """What to do for one address now. ``told``: a mail carried them, only that was not yet written down."""

    told: tuple[Debt, ...] = ()
    send: tuple[Batch, ...] = ()
    next_look: datetime | None = None


def plan(debts: Sequence[Debt], *, now: datetime, collect: timedelta) -> Plan:
    """Given all debts to one address, paid ones too, say what goes out now; ``collect``: how long failures wait.

    While one mail is being tried, nothing else is begun: when the mail server is back, there are two mails, not many.
    """
    told: list[Debt] = []
    send: list[Batch] = []
    looks: list[datetime] = []
    begun, fresh = _sorted_out(debts)
    for message_id, members in begun.items():
        owed = [debt for debt in members if debt.phase is DeliveryPhase.OWED]
        if any(debt.phase is DeliveryPhase.SENT for debt in members):
            told.extend(owed)
        elif (due := max((debt.next_attempt for debt in owed if debt.next_attempt), default=now)) > now:
            looks.append(due)
        else:
            send.append(_batch(owed, message_id))
    if fresh and not send and not looks:
        due_fresh = _collected_until(debts, fresh, collect)
        if due_fresh is None or due_fresh <= now:
            send.append(_batch(fresh, None))
        else:
            looks.append(due_fresh)
    return Plan(tuple(told), tuple(send), min(looks, default=None))


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many tries."""
    doublings = min(attempts - 1, 10)
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


def given_up(first: datetime, now: datetime) -> bool:
    return now - first >= PATIENCE


def _sorted_out(debts: Sequence[Debt]) -> tuple[dict[str, list[Debt]], list[Debt]]:
    """Those of mails that were chosen before, by mail, where anything of it is still owed; and the fresh ones."""
    begun: dict[str, list[Debt]] = {}
    fresh: list[Debt] = []
    for debt in debts:
        if debt.message_id is not None:
            begun.setdefault(debt.message_id, []).append(debt)
        elif debt.phase is DeliveryPhase.OWED:
            fresh.append(debt)
    open_ = {
        message_id: members
        for message_id, members in begun.items()
        if any(debt.phase is DeliveryPhase.OWED for debt in members)
    }
    return open_, fresh


def _batch(debts: Sequence[Debt], message_id: str | None) -> Batch:
    """The lead is the one that was tried before, else the newest."""
    lead = max(debts, key=lambda debt: (debt.attempts, debt.at, debt.run))
    rest = sorted((debt for debt in debts if debt is not lead), key=lambda debt: (debt.at, debt.run), reverse=True)
    return Batch(lead, tuple(rest), message_id)


def _collected_until(debts: Sequence[Debt], fresh: Sequence[Debt], collect: timedelta) -> datetime | None:
    """Until when these wait for more of their kind: not at all if there is other news among them.

    A failure waits after a mail about one, unless this address was told of a good backup since: that is a new story.
    """
    if any(debt.event not in PROBLEMS for debt in fresh):
        return None
    good = [debt.sent for debt in debts if debt.event not in PROBLEMS and debt.sent is not None]
    bad = [debt.sent for debt in debts if debt.event in PROBLEMS and debt.sent is not None]
    if not bad or (good and max(good) >= max(bad)):
        return None
    return max(bad) + collect
