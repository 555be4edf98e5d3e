"""400 days of backups with a prune after each: the seed's rule, whatever goes wrong meanwhile."""

from bisect import bisect_right, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.domain.retention import Rule, StoredBackup, plan

SEED = Rule(keep_daily=7, keep_monthly=1)
START = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)
DAY = timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")


@dataclass
class Repository:
    """What a repository holds, under a rule that is applied after each backup."""

    rule: Rule = SEED
    zone: ZoneInfo = BERLIN

    def __post_init__(self) -> None:
        self.kept: list[StoredBackup] = []
        self.taken: list[StoredBackup] = []
        self._days: list[int] = []
        self._of_day: dict[int, StoredBackup] = {}

    def back_up(self, now: datetime, *, good: bool = True, verified: bool = True) -> None:
        backup = StoredBackup(f"b{len(self.taken):05d}", now, good=good, verified=verified and good)
        self.taken.append(backup)
        if good:
            self._note(backup)
        self.kept.append(backup)
        self.prune(now)

    def prune(self, now: datetime) -> None:
        self.kept = [one.backup for one in plan(self.kept, self.rule, now, self.zone) if one.keep]

    def ages(self, now: datetime, *, good: bool = True) -> list[float]:
        return [(now - backup.time) / DAY for backup in self.kept if backup.good or not good]

    def newest_of_days(self, now: datetime, count: int) -> set[str]:
        """What the rule's "7 newest dailies" are, from all that was ever taken."""
        in_reach = bisect_right(self._days, (now + 2 * DAY).astimezone(self.zone).toordinal())
        return {self._of_day[day].id for day in self._days[max(0, in_reach - count) : in_reach]}

    def _note(self, backup: StoredBackup) -> None:
        """By itself, and not by the planner: the newest good backup of each day."""
        day = backup.time.astimezone(self.zone).toordinal()
        known = self._of_day.get(day)
        if known is None:
            insort(self._days, day)
        if known is None or (known.time, known.id) < (backup.time, backup.id):
            self._of_day[day] = backup

    def check_the_seeds_rule(self, now: datetime, real: datetime | None = None) -> None:
        kept = {backup.id for backup in self.kept}
        assert self.newest_of_days(now, 7) <= kept, "one of the 7 newest dailies is gone"
        in_reach = [b for b in self.kept if b.time <= now + 3 * DAY]
        assert len(in_reach) <= 9, "more than 9 are kept"
        if (real or now) - START >= 45 * DAY:
            ages = self.ages(real or now)
            assert any(15 <= age <= 45 for age in ages), f"none is about 30 days old: {ages}"


def simulate(days: int, times: Callable[[Random, int], Iterator[float]], seed: int, **chances: float) -> Repository:
    """``times`` gives for a day the hours at which backups are taken."""
    random, repository = Random(seed), Repository()  # noqa: S311 (repeatable, not secret)
    for day in range(days):
        for hour in sorted(times(random, day)):
            now = START + day * DAY + timedelta(hours=hour)
            fate = random.random()
            if fate < chances.get("failed", 0):
                continue
            partial = fate < chances.get("failed", 0) + chances.get("partial", 0)
            repository.back_up(now, good=not partial, verified=random.random() > chances.get("unverified", 0))
            repository.check_the_seeds_rule(now)
    return repository


def daily(_random: Random, _day: int) -> Iterator[float]:
    yield 0


def test_every_day() -> None:
    simulate(400, daily, seed=0)


def test_the_monthly_one_is_22_to_37_days_old_when_there_is_a_backup_every_day() -> None:
    repository, oldest = Repository(), []
    for day in range(400):
        repository.back_up(START + day * DAY)
        if day >= 45:
            oldest.append(max(repository.ages(START + day * DAY)))
    assert (min(oldest), max(oldest)) == (22, 36)


def test_newest_of_each_calendar_month_would_not_do() -> None:
    """The simulation can fail: with the usual rule it does."""
    repository = Repository(Rule(keep_daily=7))

    def live() -> None:
        for day in range(400):
            repository.back_up(START + day * DAY)
            repository.check_the_seeds_rule(START + day * DAY)

    with pytest.raises(AssertionError, match="about 30 days old"):
        live()


@pytest.mark.parametrize("seed", range(6))
def test_gaps_of_up_to_five_days(seed: int) -> None:
    due = 0

    def times(random: Random, day: int) -> Iterator[float]:
        nonlocal due
        if day >= due:
            due = day + random.randint(1, 5)
            yield random.uniform(0, 3)

    simulate(400, times, seed)


@pytest.mark.parametrize("seed", range(3))
def test_several_runs_a_day(seed: int) -> None:
    simulate(400, lambda random, _: iter([random.uniform(0, 24) for _ in range(random.randint(1, 6))]), seed)


@pytest.mark.parametrize("seed", range(6))
def test_failed_and_partial_runs_among_several_a_day(seed: int) -> None:
    def times(random: Random, _day: int) -> Iterator[float]:
        return iter([random.uniform(0, 24) for _ in range(random.randint(0, 3))])

    simulate(400, times, seed, failed=0.15, partial=0.15)


@pytest.mark.parametrize("partial", [0.1, 0.3, 0.5, 0.6])
@pytest.mark.parametrize("seed", range(2))
def test_partial_runs_every_other_day(seed: int, partial: float) -> None:
    simulate(400, daily, seed, partial=partial)


@pytest.mark.parametrize("seed", range(6))
def test_a_clock_that_is_set_forth_and_back_by_up_to_two_days(seed: int) -> None:
    random, repository, skew = Random(seed), Repository(), timedelta()  # noqa: S311 (repeatable, not secret)
    for day in range(400):
        if random.random() < 0.1:
            skew = timedelta(hours=random.uniform(-24, 24)) * random.randint(0, 1)
        now = START + day * DAY + skew
        repository.back_up(now)
        repository.check_the_seeds_rule(now, real=START + day * DAY)


@pytest.mark.parametrize("leap", [timedelta(days=days) for days in (-20000, -400, -40, -20, 20, 40, 400, 20000)])
@pytest.mark.parametrize("length", [1, 3, 6])
def test_a_clock_that_is_far_off_for_some_days_costs_neither_dailies_nor_the_monthly_one(
    leap: timedelta, length: int
) -> None:
    for first in range(50, 82, 5):
        repository = Repository()
        for day in range(110):
            wrong = first <= day < first + length
            now = START + day * DAY + (leap if wrong else timedelta())
            repository.back_up(now)
            kept = {backup.id for backup in repository.kept}
            if leap < timedelta() and not wrong:
                assert repository.newest_of_days(now, 7) <= kept
            if leap > timedelta() and day < first + length + 7:
                assert {backup.id for backup in repository.taken[-7:]} <= kept
            assert sum(backup.time <= now + 2 * DAY for backup in repository.kept) <= 9
            if day >= 45 and not wrong:
                assert any(15 <= age <= 45 for age in repository.ages(now)), (first, day, repository.ages(now))


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kolkata"]
)
def test_clock_changes_of_every_zone(zone: str) -> None:
    repository = Repository(zone=ZoneInfo(zone))
    for hour in range(0, 400 * 24, 6):
        now = START + timedelta(hours=hour)
        repository.back_up(now)
        repository.check_the_seeds_rule(now)


events = st.lists(
    st.tuples(
        st.integers(1, 5 * 24),  # hours since the one before
        st.sampled_from(["good", "good", "good", "partial", "failed"]),
        st.booleans(),
    ),
    min_size=60,
    max_size=160,
)


@settings(max_examples=60, deadline=None)
@given(events)
def test_any_mixture(history: list[tuple[int, str, bool]]) -> None:
    repository, now, last_good = Repository(), START, START
    for hours, fate, verified in history:
        now += timedelta(hours=hours)
        if fate == "failed":
            continue
        if fate == "good":
            if now - last_good > 14 * DAY:
                return  # a longer time without a good backup than the rule promises to bridge
            last_good = now
        repository.back_up(now, good=fate == "good", verified=verified)
        kept = {backup.id for backup in repository.kept}
        assert repository.newest_of_days(now, 7) <= kept
        verified_ones = [b for b in repository.taken if b.verified]
        extra = 0 if not verified_ones or verified_ones[-1].id in repository.newest_of_days(now, 7) else 1
        assert len(repository.kept) <= 9 + extra
        if now - START >= 45 * DAY:
            assert any(15 <= age <= 45 for age in repository.ages(now))


@pytest.mark.parametrize("count", [1, 2, 3, 12])
def test_with_a_backup_every_day_the_nth_monthly_one_is_at_most_23_days_younger_and_7_older_than_n_months(
    count: int,
) -> None:
    repository = Repository(Rule(keep_daily=7, keep_monthly=count))
    for day in range(30 * count + 150):
        now = START + day * DAY
        repository.back_up(now)
        assert len(repository.kept) <= 7 + count + 1
        if day >= 30 * count + 15:
            for n in range(1, count + 1):
                assert any(30 * n - 23 <= age <= 30 * n + 7 for age in repository.ages(now)), n


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_nth_yearly_one_is_n_years_old_give_or_take_nine_months(count: int) -> None:
    repository = Repository(Rule(keep_daily=7, keep_yearly=count), zone=ZoneInfo("UTC"))
    for day in range(365 * count + 600):
        now = START + day * DAY
        repository.back_up(now)
        assert len(repository.kept) <= 7 + count + 2
        if day >= 365 * count + 91:
            for n in range(1, count + 1):
                assert any(365 * n - 274 <= age <= 365 * n + 92 for age in repository.ages(now)), n


@pytest.mark.parametrize("daily_too", [0, 7])
def test_the_nth_weekly_one_is_n_weeks_old_give_or_take_six_days(daily_too: int) -> None:
    repository = Repository(Rule(keep_daily=daily_too, keep_weekly=4))
    for day in range(200):
        now = START + day * DAY
        repository.back_up(now)
        assert len(repository.kept) <= daily_too + 4 + 2
        if day >= 40:
            for n in range(1, 5):
                assert any(7 * n - 6 <= age <= 7 * n + 6 for age in repository.ages(now)), n


def test_rules_that_stand_together_each_hold() -> None:
    repository = Repository(Rule(keep_last=3, keep_hourly=6, keep_daily=7, keep_weekly=4, keep_monthly=6))
    for hour in range(0, 300 * 24, 8):
        now = START + timedelta(hours=hour)
        repository.back_up(now)
        assert repository.newest_of_days(now, 7) <= {backup.id for backup in repository.kept}
        if hour >= 200 * 24:
            ages = repository.ages(now)
            # Months and weeks share what is kept, so a monthly one is where a weekly one grew old.
            assert all(any(30 * n - 30 <= age <= 30 * n + 30 for age in ages) for n in range(1, 7))
            assert all(any(7 * n - 6 <= age <= 7 * n + 6 for age in ages) for n in range(1, 5))
            assert len(repository.kept) <= 6 + 7 + 5 + 7
