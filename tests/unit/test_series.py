"""Documents on their way into a server: cut into batches, and looked through for what the server would change."""

from typing import Any

import bson
import pytest
from bson.decimal128 import Decimal128
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.errors import DamagedBackup
from holdfast.mongo import series
from holdfast.mongo.series import Series, batches
from holdfast.repository.documents import split

ZERO = bson.Timestamp(0, 0)
NAMES = st.sampled_from(["_id", "", "a", "\x11", "ä", "long name"])
PLAIN = st.one_of(
    st.just(ZERO),
    st.sampled_from([0, 17, 17 << 8, bson.Int64(0), bson.Int64(17), 0.0, bson.Timestamp(0, 17), b"\x11", bytes(20)]),
    st.sampled_from([Decimal128("45.00"), bson.ObjectId(b"\x11" * 12), None, "", "\x11"]),
)
DOCUMENTS = st.lists(
    st.dictionaries(NAMES, st.one_of(PLAIN, st.dictionaries(NAMES, PLAIN, max_size=2)), max_size=5), max_size=12
)


def raw(documents: list[dict[str, Any]]) -> bytes:
    return b"".join(map(bson.encode, documents))


def zero_timestamps(documents: list[dict[str, Any]]) -> list[int]:
    return [index for index, one in enumerate(documents) if any(key != "_id" and one[key] == ZERO for key in one)]


@pytest.mark.parametrize("counted", [False, True])
@given(documents=DOCUMENTS)
@example(documents=[{"a": {"b": bson.Int64(17)}}, {"": ZERO}, {"rate": Decimal128("45.00"), "b": 1}, {"a": ZERO}])
def test_every_zero_timestamp_at_the_top_is_found_and_nothing_else(
    counted: bool, documents: list[dict[str, Any]]
) -> None:
    first, found = 0, []
    for batch in batches(raw(documents), len(documents) if counted else None):
        found += [first + index for index, _ in batch.zero_timestamps()]
        first += batch.count
    assert found == zero_timestamps(documents)


@given(DOCUMENTS)
def test_what_was_counted_goes_at_once_where_a_command_takes_so_many(documents: list[dict[str, Any]]) -> None:
    data = raw(documents)
    made = [(one.data, one.count) for one in batches(data, len(documents))]
    assert made == ([(data, len(documents))] if documents else [])


@given(DOCUMENTS, st.integers(5, 100))
def test_what_was_counted_goes_in_pieces_that_a_command_takes(documents: list[dict[str, Any]], size: int) -> None:
    data = raw(documents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(series, "_MOST_BYTES", size)
        made = list(batches(data, len(documents)))
    assert b"".join(batch.data for batch in made) == data
    for batch in made:
        assert batch.count == len(list(split(batch.data)))
        assert len(batch.data) <= size or batch.count == 1


@given(st.lists(st.dictionaries(NAMES, PLAIN, max_size=2), min_size=3, max_size=12))
def test_what_was_counted_is_cut_where_a_command_does_not_take_so_many(documents: list[dict[str, Any]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(series, "_MOST_DOCUMENTS", 2)
        made = list(batches(raw(documents), len(documents)))
    assert b"".join(batch.data for batch in made) == raw(documents)
    assert max(batch.count for batch in made) <= 2


@given(DOCUMENTS, st.integers(1, 5), st.integers(5, 100))
def test_batches_are_all_documents_in_order_and_none_is_too_large(
    documents: list[dict[str, Any]], most: int, size: int
) -> None:
    data = raw(documents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(series, "_MOST_DOCUMENTS", most)
        patch.setattr(series, "_MOST_BYTES", size)
        made = list(batches(data))
    assert b"".join(batch.data for batch in made) == data
    for batch in made:
        assert batch.count == len(list(split(batch.data))) <= most
        assert len(batch.data) <= size or batch.count == 1


def test_what_is_no_series_of_documents_is_refused() -> None:
    with pytest.raises(DamagedBackup, match="not a series"):
        list(batches(raw([{"a": 1}]) + b"\x09\0\0\0"))


def test_a_series_goes_into_a_command_as_it_is() -> None:
    data = raw([{"a": 1}, {"_id": 2, "a": 1}])
    assert bson.encode(Series(data)) == data
