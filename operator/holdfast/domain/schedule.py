"""Cron as Kubernetes reads it, and when a schedule is due next.

Kubernetes reads cron with robfig/cron: five fields, names of months and weekdays, macros; no ``L``, ``W`` or ``#``, and
Sunday is 0 only. A policy is checked by the same rules, so that what we accept, the CronJob accepts too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from holdfast.errors import InvalidSpec

CRON_FIELD = "spec.schedule.cron"
ZONE_FIELD = "spec.schedule.timeZone"

_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True)
class _Field:
    name: str
    low: int
    high: int
    names: dict[str, int]


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    _Field("day of week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)


@dataclass(frozen=True)
class Schedule:
    """A checked schedule. ``expression`` has every field spelled out."""

    expression: str
    zone: ZoneInfo

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The times at which it is due, strictly after ``moment``, in UTC."""
        # With a field for seconds, cronsim counts real time: a local time that a clock change skips is skipped, as
        # Kubernetes does it.
        for due in CronSim(f"0 {self.expression}", moment.astimezone(self.zone)):
            yield due.astimezone(UTC)

    def next_after(self, moment: datetime) -> datetime:
        return next(self.after(moment))

    def last_at(self, moment: datetime) -> datetime:
        """The time that it was last due, at or before ``moment``."""
        span = timedelta(hours=1)
        while (due := self.next_after(moment - span)) > moment:
            span *= 2
        for later in self.after(due):
            if later > moment:
                break
            due = later
        return due

    def interval_at(self, moment: datetime) -> timedelta:
        """How long it is from the time that it was last due, at or before ``moment``, to the next after it."""
        return self.next_after(moment) - self.last_at(moment)


def parse_schedule(cron: str, time_zone: str) -> Schedule:
    """Given both fields of a policy, return its schedule; InvalidSpec names the field that is wrong."""
    zone = parse_zone(time_zone)
    expression = _parse_cron(cron)
    schedule = Schedule(expression, zone)
    try:
        schedule.next_after(datetime(2024, 1, 1, tzinfo=UTC))
    except (CronSimError, StopIteration) as error:
        raise InvalidSpec(f"{CRON_FIELD}: {cron!r} is never due.", hint="Choose a day that the month has.") from error
    return schedule


@lru_cache(maxsize=256)
def parse_zone(name: str) -> ZoneInfo:
    """The time zone of that name. InvalidSpec if there is none."""
    try:
        if not name or name.lower() == "local":
            raise ValueError(name)
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InvalidSpec(
            f"{ZONE_FIELD}: {name!r} is not a known time zone.",
            hint="Use an IANA name such as Etc/UTC or Europe/Berlin.",
        ) from error


def _parse_cron(cron: str) -> str:
    text = cron.strip()
    if re.search(r"\b(CRON_)?TZ\s*=", text, re.IGNORECASE):
        raise InvalidSpec(f"{CRON_FIELD}: {cron!r} names a time zone.", hint=f"Put it into {ZONE_FIELD}.")
    if text.startswith("@"):
        try:
            return _MACROS[text.lower()]
        except KeyError:
            raise InvalidSpec(
                f"{CRON_FIELD}: {cron!r} is not a known macro.", hint=f"Known are {', '.join(_MACROS)}."
            ) from None
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise InvalidSpec(
            f"{CRON_FIELD}: {cron!r} has {len(parts)} field{'' if len(parts) == 1 else 's'}.",
            hint="Give five: minute, hour, day of month, month, day of week; for example 0 2 * * *.",
        )
    return " ".join(_spell_out(part, field, cron) for part, field in zip(parts, _FIELDS, strict=True))


def _spell_out(part: str, field: _Field, cron: str) -> str:
    if part in ("*", "?"):
        return "*"
    try:
        values = {value for term in part.split(",") for value in _term(term, field)}
    except ValueError as error:
        raise InvalidSpec(
            f"{CRON_FIELD}: {part!r} in {cron!r} is not a {field.name}: {error}.",
            hint=f"A {field.name} is {field.low} to {field.high}, a range 1-5, a step */2 or a list 1,2.",
        ) from error
    return ",".join(str(value) for value in sorted(values))


def _term(term: str, field: _Field) -> range:
    match = re.fullmatch(r"(\*|\?|\w+)(?:-(\w+))?(?:/(\d+))?", term, re.ASCII)
    if not match:
        raise ValueError("it cannot be read")
    first, last, step_text = match.groups()
    if first in ("*", "?"):
        if last is not None:
            raise ValueError("a range has two numbers")
        low, high = field.low, field.high
    else:
        low = _number(first, field)
        high = _number(last, field) if last is not None else (field.high if step_text else low)
    step = int(step_text) if step_text else 1
    if step == 0:
        raise ValueError("a step of 0")
    if low > high:
        raise ValueError("the range runs backwards")
    return range(low, high + 1, step)


def _number(text: str, field: _Field) -> int:
    value = field.names.get(text.lower())
    if value is None:
        if not text.isascii() or not text.isdigit():
            raise ValueError(f"{text!r} is not a number")
        value = int(text)
    if not field.low <= value <= field.high:
        raise ValueError(f"{value} is out of range")
    return value
