"""Which seconds can be restored: only those to which a backup and an unbroken archive lead."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from holdfast.ports import ClusterTime
from holdfast.services.recovery_window import NO_BACKUP, Recoverable, Stretch, recoverable, status_of

NOW = datetime.fromtimestamp(1_000, UTC)


def at(seconds: int) -> ClusterTime:
    return ClusterTime(seconds, 1)


def found(stretches: list[Stretch], bases: list[int]) -> Recoverable:
    result = recoverable(stretches, map(at, bases))
    assert result is not None
    return result


def spans(one: Recoverable) -> list[tuple[int, int | None]]:
    return [(hole.after.seconds, hole.before.seconds if hole.before else None) for hole in one.holes]


def test_without_an_archive_nothing_is_said() -> None:
    assert recoverable([], [at(1)]) is None


def test_any_second_from_the_first_backup_on() -> None:
    one = found([Stretch("a", at(10), at(90))], [5, 20, 40])
    assert (one.since, one.until, one.holes) == (at(20), at(90), ())


def test_without_a_backup_in_it_nothing_can_be_restored() -> None:
    one = found([Stretch("a", at(10), at(90))], [5])
    assert (one.since, one.until, one.holes) == (None, at(90), ())


def test_a_gap_is_open_until_a_backup_leads_on() -> None:
    stretches = [Stretch("a", at(10), at(50)), Stretch("b", at(70), at(90), gap="It rolled over.")]
    one = found(stretches, [20])
    assert (one.since, one.until, spans(one)) == (at(20), at(90), [(50, None)])
    assert one.holes[0].why == "It rolled over."


def test_a_gap_ends_with_the_first_backup_behind_it() -> None:
    one = found([Stretch("a", at(10), at(50)), Stretch("b", at(70), at(90))], [20, 75, 80])
    assert spans(one) == [(50, 75)]


def test_a_stretch_that_no_backup_leads_into_is_part_of_the_gap() -> None:
    stretches = [Stretch("a", at(10), at(30)), Stretch("b", at(40), at(60)), Stretch("c", at(70), at(90))]
    one = found(stretches, [20, 80])
    assert (spans(one), one.holes[0].why) == ([(30, 80)], NO_BACKUP)


def test_two_archivers_at_once_leave_no_gap() -> None:
    stretches = [Stretch("a", at(10), at(50)), Stretch("b", at(12), at(90))]
    assert found(stretches, [20]).holes == ()


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(1, 30)), min_size=1, max_size=6),
    st.lists(st.integers(0, 130), max_size=6),
    st.integers(0, 130),
)
def test_a_second_is_promised_if_and_only_if_a_backup_and_a_stretch_lead_there(
    drawn: list[tuple[int, int]], bases: list[int], second: int
) -> None:
    stretches = [Stretch(str(i), at(begin), at(begin + size)) for i, (begin, size) in enumerate(drawn)]
    leads = any(one.after <= at(base) <= at(second) <= one.until for one in stretches for base in bases)
    one = found(stretches, bases)
    promised = one.since is not None and one.since <= at(second) <= one.until
    for hole in one.holes:
        behind = hole.before is None or at(second) < hole.before
        promised = promised and not (hole.after < at(second) and behind)
    assert promised == leads


def test_the_status_is_in_seconds_that_can_be_asked_for() -> None:
    stretches = [Stretch("a", at(10), at(50)), Stretch("0000000070-ab", at(70), at(990))]
    status = status_of(found(stretches, [20]), NOW)
    assert status.to_wire() == {
        "from": "1970-01-01T00:00:20Z",
        "to": "1970-01-01T00:16:29Z",
        "lagSeconds": 11,
        "gaps": [{"from": "1970-01-01T00:00:49Z", "message": NO_BACKUP}],
        "lineage": "0000000070-ab",
    }
    assert (status.wants_backup, status.begins_at) == (True, 70)


def test_many_gaps_fit_into_a_status_and_the_newest_stay() -> None:
    stretches = [Stretch(str(i), at(10 * i), at(10 * i + 5)) for i in range(60)]
    status = status_of(found(stretches, [10 * i + 1 for i in range(60)]), NOW + timedelta(days=1))
    assert len(status.gaps) == 20
    assert status.gaps[-1].to == datetime.fromtimestamp(591, UTC)
