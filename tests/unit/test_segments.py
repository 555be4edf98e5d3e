"""Into which stretches a collection is divided."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.segments import MOST, SEGMENT, Stretch, layout, pieces, stretches

CHUNK = 4 * 2**20


def test_without_a_last_backup_a_collection_is_one_stretch() -> None:
    assert stretches((), 100, 1000) == (Stretch(None, 100, 1000),)


def test_a_stretch_begins_where_one_of_the_last_backup_began() -> None:
    last = [(None, 10, 100), (None, 10, 100), (b"m", 5, 50), (None, 5, 50)]
    assert stretches(layout(last), 30, 300) == (Stretch(None, 20, 200), Stretch(b"m", 10, 100))


def test_what_was_added_is_taken_to_be_at_the_end() -> None:
    assert stretches(layout([(None, 10, 100), (b"m", 10, 100)]), 50, 500)[-1] == Stretch(b"m", 40, 400)


def test_a_layout_of_too_many_stretches_is_given_up() -> None:
    last = [(b"%d" % n, 1, 1) for n in range(3 * MOST)]
    assert stretches(layout(last), 1, 1) == (Stretch(None, 1, 1),)


def test_a_stretch_of_about_one_segment_stays_whole() -> None:
    assert list(pieces(Stretch(None, 1000, SEGMENT), SEGMENT)) == []


@given(documents=st.integers(0, 10**9), size=st.integers(0, 2**44))
def test_pieces_are_never_empty_and_leave_something_for_the_last(documents: int, size: int) -> None:
    parts = pieces(Stretch(None, documents, size), size)
    assert all(part > 0 for part in parts)
    assert sum(parts) < documents or not parts
    assert len(parts) < 2 * MOST
