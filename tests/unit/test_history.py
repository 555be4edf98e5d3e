"""What the runs of 30 days say together, and which backups they do not explain."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.history import PastRun, history, surprises
from holdfast.domain.phases import Phase

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
MIB = 1024 * 1024


def past(ago: float, phase: Phase = Phase.SUCCEEDED, **fields: object) -> PastRun:
    return PastRun(f"run-{ago}", phase, NOW - ago * DAY, **fields)  # type: ignore[arg-type]


def counted(*counts: int, name: str = "users") -> list[PastRun]:
    """Daily good backups of one collection with so many documents, oldest first."""
    return [past(len(counts) - index, collections={name: count}) for index, count in enumerate(counts)]


def sized(*sizes: int) -> list[PastRun]:
    return [past(len(sizes) - index, logical_bytes=size) for index, size in enumerate(sizes)]


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_without_runs_there_are_no_numbers() -> None:
    numbers = history([], NOW)
    assert (numbers.runs, numbers.success_percent, numbers.average_interval, numbers.logical_bytes) == (
        0,
        None,
        None,
        None,
    )


def test_outcomes_are_counted_and_failures_by_their_reason() -> None:
    failed = [past(n, Phase.FAILED, reason="SourceUnavailable") for n in (2, 3)] + [
        past(4, Phase.FAILED, reason="Evicted")
    ]
    numbers = history([past(1), past(5, Phase.PARTIALLY_FAILED, reason="CollectionFailed"), *failed], NOW)
    assert (numbers.runs, numbers.succeeded, numbers.partial, numbers.failed) == (5, 1, 1, 3)
    assert numbers.failures == (("SourceUnavailable", 2), ("CollectionFailed", 1), ("Evicted", 1))
    assert numbers.success_percent == 20


def test_runs_of_more_than_30_days_ago_do_not_count() -> None:
    assert history([past(29.9), past(30), past(31)], NOW).runs == 1


def test_a_hundred_percent_means_that_nothing_failed() -> None:
    runs = [past(day / 20) for day in range(1, 400)] + [past(20.5, Phase.FAILED)]
    assert history(runs, NOW).success_percent == 99


def test_the_interval_is_between_good_backups() -> None:
    assert history([past(1), past(2, Phase.FAILED), past(3), past(4)], NOW).average_interval == 1.5 * DAY


def test_a_trend_tells_the_newest_the_average_and_the_growth_of_a_week() -> None:
    trend = history(sized(100, 110, 120, 130, 140), NOW).logical_bytes
    assert trend is not None
    assert (trend.newest, trend.average, trend.per_week) == (140, 120, 70)


def test_few_backups_are_no_trend() -> None:
    trend = history(sized(100, 200, 300), NOW).logical_bytes
    assert trend is not None
    assert trend.per_week is None


def test_backups_of_one_moment_have_no_slope() -> None:
    trend = history([past(1, logical_bytes=size) for size in range(5)], NOW).logical_bytes
    assert trend is not None
    assert trend.per_week is None


# --- surprises --------------------------------------------------------------------------------------------------------


def test_an_emptied_collection_is_told() -> None:
    assert surprises(counted(1000, 1003, 1010, 1011, 1015, 0)) == [
        "Collection 'users' is empty, where it had about 1,010."
    ]


def test_the_few_users_of_a_small_shop_are_all_that_it_has() -> None:
    assert surprises(counted(5, 5, 5, 5, 0))


def test_a_collection_that_is_gone_is_told() -> None:
    runs = counted(1000, 1003, 1010, 1011)
    assert surprises([*runs, past(0.5, collections={})]) == [
        "Collection 'users' is gone; it had about 1,006 documents."
    ]


def test_a_collection_that_may_only_not_be_listed_is_not_gone() -> None:
    assert not surprises([*counted(1000, 1003, 1010, 1011), past(0.5, collections={}, all_listed=False)])


@pytest.mark.parametrize(
    "counts",
    [
        (1000, 1010, 1020, 1030, 1040, 1050),
        (1000, 1000, 1000, 1000, 600),
        (3, 5, 4, 6, 30),
        (0, 0, 0, 0, 50),
        (900, 100, 900, 100, 900, 100),
        (1000, 1200, 100, 1000, 1200, 90),
        (100, 0, 100, 0, 100, 0),
    ],
    ids=["growth", "a third goes", "small numbers", "a beginning", "up and down", "a purge each third day", "a queue"],
)
def test_what_the_past_explains_is_not_told(counts: Sequence[int]) -> None:
    assert surprises(counted(*counts)) == []


def test_without_a_past_nothing_is_told() -> None:
    assert surprises(counted(1000, 1000, 1000, 0)) == []


def test_a_loss_is_told_for_some_backups_and_then_is_the_new_normal() -> None:
    counts = [1000 + n for n in range(10)]
    told = [bool(surprises(counted(*counts, *([0] * losses)))) for losses in range(1, 9)]
    assert told == [True, True, True, True, False, False, False, False]


def test_failed_backups_explain_nothing() -> None:
    runs = counted(1000, 1003, 1010, 1011, 1015, 0)
    assert surprises([*runs, past(0.2, Phase.FAILED, collections={"users": 0})]) == surprises(runs)


@pytest.mark.parametrize(("size", "told"), [(100, False), (49, True), (199, False), (201, True)])
def test_a_backup_of_half_or_twice_the_size_is_told(size: int, told: bool) -> None:
    assert bool(surprises(sized(*[100 * MIB] * 6, size * MIB))) is told


def test_small_databases_may_double() -> None:
    assert surprises(sized(*[MIB] * 6, 3 * MIB)) == []


def test_many_surprises_are_told_by_number() -> None:
    before = [past(9 - n, collections={f"c{i}": 10 for i in range(20)}) for n in range(8)]
    told = surprises([*before, past(0.1, collections={f"c{i}": 0 for i in range(20)})])
    assert (len(told), told[-1]) == (6, "15 more like these.")


@given(st.lists(st.integers(0, 10**9), max_size=12))
def test_a_backup_like_the_one_before_is_no_surprise_after_a_steady_past(counts: list[int]) -> None:
    steady = [counts[-1] if counts else 0] * 7
    assert surprises(counted(*counts, *steady)) == []
