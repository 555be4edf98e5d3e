"""A list in pages: each item once, in order, whatever comes or goes meanwhile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InvalidSpec
from holdfast.services.look_up import Place
from holdfast.web.pages import page

PLACES = st.lists(
    st.tuples(st.integers(-5, 0).map(float), st.sampled_from("ab"), st.text("xyz", min_size=1, max_size=2)),
    unique=True,
).map(sorted)


def walk(places: list[Place], limit: int) -> list[Place]:
    found: list[Place] = []
    part, after = page(places, None, limit)
    found += places[part]
    while after:
        part, after = page(places, after, limit)
        found += places[part]
    return found


@given(PLACES, st.integers(1, 4))
def test_pages_together_are_the_list(places: list[Place], limit: int) -> None:
    assert walk(places, limit) == places


@given(PLACES, st.data())
def test_the_last_of_a_page_may_be_gone_before_the_next(places: list[Place], data: st.DataObject) -> None:
    part, after = page(places, None, 2)
    if not after:
        return
    gone = data.draw(st.sets(st.sampled_from(places[part])))
    left = [place for place in places if place not in gone]
    following, _more = page(left, after, len(places))
    assert left[following] == places[part.stop :]


@given(st.text())
def test_what_nobody_was_told_is_refused_or_harmless(after: str) -> None:
    try:
        page([(0.0, "a", "x")], after, 1)
    except InvalidSpec as error:
        assert error.hint  # noqa: PT017


@pytest.mark.parametrize("after", ["x", "e30", "WzEsMl0", "W10", "\x00", "ä"])
def test_nonsense_is_refused(after: str) -> None:
    with pytest.raises(InvalidSpec, match="not of a page"):
        page([], after, 1)
