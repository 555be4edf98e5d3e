"""The calendar in docs/retention.md is what the planner does."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from holdfast.domain.retention import StoredBackup, plan
from tests.support.kube_objects import policy_model

PAGE = Path(__file__).resolve().parents[2] / "docs" / "retention.md"
FIRST = datetime(2026, 1, 1, 2, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SHOWN = ((1, 7), (1, 8), (1, 15), (1, 16), (1, 31), (2, 7), (2, 8), (2, 15), (3, 1), (6, 1), (12, 31))


def calendar() -> dict[tuple[int, int], list[int]]:
    """Ages of what is there after the backup of each day of a year, under the default rule of a policy."""
    kept: list[StoredBackup] = []
    ages = {}
    for day in range(365):
        now = FIRST + day * DAY
        kept.append(StoredBackup(f"{now:%m-%d}", now, verified=True))
        rule = policy_model().spec.retention.rule
        kept = [one.backup for one in plan(kept, rule, now, ZoneInfo("Etc/UTC")) if one.keep]
        ages[now.month, now.day] = [(now - backup.time).days for backup in kept]
    return ages


def row(date: tuple[int, int], ages: list[int]) -> str:
    month, day = date
    return f"| {day} {datetime(2026, month, 1, tzinfo=UTC):%B} | {', '.join(map(str, ages))} |"


def test_the_table_is_that_of_the_planner() -> None:
    text = PAGE.read_text(encoding="utf-8")
    table = text.partition("<!-- calendar -->")[2].partition("<!-- /calendar -->")[0].strip().splitlines()[2:]
    ages = calendar()
    assert table == [row(date, ages[date]) for date in SHOWN]


def test_what_the_page_says_of_the_rest_of_the_year_is_so() -> None:
    settled = list(calendar().values())[45:]
    assert all(ages[:7] == [0, 1, 2, 3, 4, 5, 6] for ages in settled)
    assert {len(ages) for ages in settled} <= {8, 9}
    assert (min(ages[-1] for ages in settled), max(ages[-1] for ages in settled)) == (22, 36)
