"""What the archive of an oplog means for health: a gap is critical at once, silence after a time."""

from datetime import UTC, datetime, timedelta

import pytest

from holdfast.domain.archive import SLACK, TOO_LONG, Archive, archive_findings
from holdfast.domain.health import Verdict

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def archive(ago: timedelta | None = MINUTE, *, gap: str | None = None, problem: str = "") -> Archive:
    until = None if ago is None else NOW - ago
    return Archive(NOW - timedelta(days=1), MINUTE, until, gap, problem)


def verdicts(one: Archive | None) -> list[Verdict]:
    return [verdict for verdict, _ in archive_findings(one, NOW)]


def test_where_none_is_asked_for_nothing_is_said() -> None:
    assert verdicts(None) == []


@pytest.mark.parametrize(
    ("behind", "expected"),
    [
        (MINUTE, []),
        (SLACK + MINUTE, []),
        (SLACK + 2 * MINUTE, [Verdict.WARNING]),
        (TOO_LONG + MINUTE, [Verdict.WARNING]),
        (TOO_LONG + 2 * MINUTE, [Verdict.CRITICAL]),
    ],
)
def test_an_archive_that_falls_behind_is_a_warning_and_then_critical(
    behind: timedelta, expected: list[Verdict]
) -> None:
    assert verdicts(archive(behind)) == expected


def test_an_archiver_that_has_only_just_been_asked_for_has_time() -> None:
    assert verdicts(Archive(NOW - MINUTE, MINUTE)) == []


def test_an_archiver_that_never_begins_is_critical_in_the_end() -> None:
    [(verdict, message)] = archive_findings(archive(None), NOW)
    assert verdict is Verdict.CRITICAL
    assert "Nothing is archived yet" in message


def test_a_source_without_an_oplog_is_critical_at_once() -> None:
    [(verdict, message)] = archive_findings(Archive(NOW, MINUTE, problem="The server is a standalone."), NOW)
    assert (verdict, "standalone" in message) == (Verdict.CRITICAL, True)


def test_what_the_archiver_complains_of_is_a_warning_while_it_is_not_far_behind() -> None:
    [(verdict, message)] = archive_findings(archive(problem="The server does not answer."), NOW)
    assert (verdict, "does not answer" in message) == (Verdict.WARNING, True)


def test_a_gap_is_critical_until_a_backup_leads_on() -> None:
    [(verdict, message)] = archive_findings(archive(gap="It rolled over."), NOW)
    assert (verdict, "It rolled over." in message) == (Verdict.CRITICAL, True)
