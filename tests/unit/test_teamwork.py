"""Who reads what of a backup that several pods take."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.portions import others, portions, share
from holdfast.domain.segments import SEGMENT
from holdfast.domain.teamwork import AT_WORK, Patience, Teamwork, Turn

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
PATIENCE = Patience()
SIZES = st.lists(st.integers(0, 3 * SEGMENT), max_size=60)


def team(index: int = 0, of: int = 2, count: int = 20, counts: dict[int, int] | None = None) -> Teamwork:
    return Teamwork([SEGMENT] * count, counts or {}, index, of, PATIENCE)


def done(*numbers: int) -> frozenset[int]:
    return frozenset(numbers)


def up_to(number: int) -> frozenset[int]:
    return frozenset(range(number))


@given(SIZES)
def test_portions_are_all_segments_in_order(sizes: list[int]) -> None:
    assert [number for portion in portions(sizes) for number in portion] == list(range(len(sizes)))


@given(SIZES)
def test_a_portion_is_worth_its_cursor_but_for_the_last(sizes: list[int]) -> None:
    packed = portions(sizes)
    assert all(sum(sizes[number] for number in portion) >= SEGMENT for portion in packed[:-1])
    assert all(sum(sizes[number] for number in portion[:-1]) < SEGMENT for portion in packed)


@given(SIZES, st.integers(1, 8))
def test_each_portion_is_in_exactly_one_share(sizes: list[int], of: int) -> None:
    assert [number for index in range(of) for number in share(sizes, index, of)] == list(range(len(sizes)))


@given(st.integers(1, 8))
def test_shares_are_about_equal_in_bytes(of: int) -> None:
    sizes = [SEGMENT + number % 7 for number in range(40 * of)]
    shares = [sum(sizes[number] for number in share(sizes, index, of)) for index in range(of)]
    assert max(shares) - min(shares) <= 2 * max(sizes)


@given(SIZES, st.integers(1, 8))
def test_who_helps_out_knows_all_that_is_not_its_own(sizes: list[int], of: int) -> None:
    for index in range(of):
        own = share(sizes, index, of)
        assert sorted([*own, *others(sizes, index, of)]) == list(range(len(sizes)))


def test_its_own_share_comes_first() -> None:
    assert team(1).next(done(12), done(), NOW, after_work=True) == Turn((10, 11, *range(13, 20)))


def test_what_another_index_has_not_begun_is_read_at_once_from_the_end() -> None:
    one = team(0)
    assert one.next(up_to(10), done(), NOW, after_work=True) == Turn((19,))
    assert one.next(up_to(10) | {19}, done(), NOW, after_work=True) == Turn((18,))


def test_what_another_index_may_be_reading_is_left_to_it() -> None:
    one = team(0)
    assert one.next(up_to(20 - AT_WORK), done(), NOW, after_work=True) == Turn()
    later = NOW + PATIENCE.stall - timedelta(seconds=1)
    assert one.next(up_to(20 - AT_WORK), done(), later, after_work=False) == Turn()


def test_where_nothing_is_heard_of_others_their_work_is_done_twice() -> None:
    one = team(0)
    one.next(up_to(18), done(), NOW, after_work=True)
    later = NOW + PATIENCE.stall
    assert one.next(up_to(18), done(), later, after_work=False) == Turn((19,))
    assert one.next(up_to(18) | {19}, done(), later, after_work=True) == Turn((18,))


def test_news_of_another_one_is_a_reason_to_wait_on() -> None:
    one = team(0)
    one.next(up_to(18), done(), NOW, after_work=True)
    assert one.next(up_to(19), done(), NOW + PATIENCE.stall, after_work=False) == Turn()


def test_a_collection_is_counted_by_who_reads_its_beginning() -> None:
    counts = {0: 0, 3: 15}
    assert team(0, counts=counts).next(done(), done(), NOW, after_work=True).counts == (0,)
    assert team(1, counts=counts).next(done(), done(), NOW, after_work=True).counts == (3,)


def test_what_others_do_not_count_is_counted_in_the_end() -> None:
    one = team(0, counts={3: 15})
    assert one.next(up_to(20), done(), NOW, after_work=True) == Turn()
    assert one.next(up_to(20), done(), NOW + PATIENCE.stall, after_work=False) == Turn(counts=(3,))


def test_who_brings_the_last_part_finishes() -> None:
    assert team(0).next(up_to(20), done(), NOW, after_work=True).finish


def test_the_others_finish_only_if_nothing_is_heard_of_that_one() -> None:
    one = team(0)
    one.next(up_to(19), done(), NOW, after_work=True)
    assert not one.next(up_to(20), done(), NOW, after_work=False).finish
    assert one.next(up_to(20), done(), NOW + PATIENCE.finish, after_work=False).finish


def test_a_database_of_views_only_is_finished_by_who_comes_first() -> None:
    assert team(0, count=0).next(done(), done(), NOW, after_work=True).finish
