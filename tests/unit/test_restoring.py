"""The rules of a restore: which way it goes, what it may, whether it fits."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.privileges import Privilege, lacking
from holdfast.domain.restoring import (
    STATE,
    Existing,
    Strategy,
    choose_strategy,
    is_own,
    scratch_name,
    way_of,
)
from holdfast.domain.room import room_for


def test_an_empty_target_needs_no_swap() -> None:
    assert choose_strategy(Strategy.AUTO, Existing.FAIL, empty=True, none_swappable=False)[0] is Strategy.DIRECT


def test_a_target_that_is_read_is_swapped() -> None:
    assert choose_strategy(Strategy.AUTO, Existing.DROP, empty=False, none_swappable=False)[0] is Strategy.SWAP


def test_where_nothing_can_be_renamed_there_is_no_swap() -> None:
    assert choose_strategy(Strategy.AUTO, Existing.DROP, empty=False, none_swappable=True)[0] is Strategy.DIRECT


@given(st.sampled_from(Strategy), st.booleans(), st.booleans())
def test_a_merge_is_always_direct(wanted: Strategy, empty: bool, none_swappable: bool) -> None:
    chosen, _ = choose_strategy(wanted, Existing.MERGE, empty=empty, none_swappable=none_swappable)
    assert chosen is Strategy.DIRECT


@given(st.sampled_from([Strategy.SWAP, Strategy.DIRECT]), st.booleans())
def test_what_is_asked_for_is_taken(wanted: Strategy, empty: bool) -> None:
    assert choose_strategy(wanted, Existing.FAIL, empty=empty, none_swappable=False)[0] is wanted


def test_what_cannot_be_renamed_goes_directly() -> None:
    assert way_of(Strategy.SWAP, "collection", "users") is Strategy.SWAP
    assert way_of(Strategy.SWAP, "view", "users") is Strategy.DIRECT
    assert way_of(Strategy.SWAP, "timeseries", "users") is Strategy.DIRECT
    assert way_of(Strategy.SWAP, "collection", "system.js") is Strategy.DIRECT
    assert way_of(Strategy.SWAP, "collection", "users", encrypted=True) is Strategy.DIRECT
    assert way_of(Strategy.DIRECT, "collection", "users") is Strategy.DIRECT


@given(st.text(min_size=1), st.text(min_size=1, max_size=255))
def test_a_scratch_name_is_short_and_known_as_our_own(token: str, target: str) -> None:
    name = scratch_name(token, target)
    assert len(name) < 64
    assert name.isascii()
    assert is_own(name)


@given(st.text(), st.text(), st.text())
def test_two_collections_and_two_restores_never_share_a_scratch(token: str, a: str, b: str) -> None:
    assert (scratch_name(token, a) == scratch_name(token, b)) == (a == b)
    assert (scratch_name(a, token) == scratch_name(b, token)) == (a == b)


def test_collections_of_others_are_not_our_own() -> None:
    assert is_own(STATE)
    assert not is_own(f"{STATE}s")
    assert not is_own("users")


def test_a_privilege_on_a_database_covers_its_collections_but_not_the_servers_own() -> None:
    privilege = Privilege("shop", "", frozenset({"insert"}))
    assert lacking([privilege], "shop", {"users": frozenset({"insert"})}) == {}
    assert lacking([privilege], "shop", {"system.js": frozenset({"insert"})}) == {"system.js": frozenset({"insert"})}
    assert lacking([privilege], "other", {"users": frozenset({"insert"})}) == {"users": frozenset({"insert"})}


def test_privileges_add_up_and_what_is_missing_is_named() -> None:
    known = [Privilege("shop", "users", frozenset({"find"})), Privilege("", "", frozenset({"insert"}))]
    needed = {"users": frozenset({"find", "insert", "dropCollection"})}
    assert lacking(known, "shop", needed) == {"users": frozenset({"dropCollection"})}


def test_a_privilege_on_buckets_covers_those_of_any_time_series() -> None:
    known = [Privilege("shop", "system.buckets.", frozenset({"insert"}))]
    assert lacking(known, "shop", {"system.buckets.series": frozenset({"insert"})}) == {}
    assert lacking(known, "shop", {"series": frozenset({"insert"})}) != {}


def test_a_privilege_on_everything_covers_all() -> None:
    assert lacking([Privilege("", None, frozenset({"insert"}))], "any", {"system.x": frozenset({"insert"})}) == {}


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 10**12))
def test_room_is_refused_only_where_it_cannot_be_enough_and_praised_only_where_it_is(
    free: int, compressed: int, more: int
) -> None:
    refused, warned = room_for(free, compressed=compressed, raw=compressed + more)
    assert (refused is not None) == (free < compressed)
    assert (warned is not None) == (compressed <= free < compressed + more)


def test_where_nobody_knows_the_room_nothing_is_said() -> None:
    assert room_for(None, compressed=1, raw=1) == (None, None)
