"""The strict comparer: every difference that a restore could make is found."""

import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Int64, ObjectId, encode
from bson.raw_bson import RawBSONDocument
from pymongo.database import Database

from tests.support import compare
from tests.support.compare import OWN_COLLECTIONS, differences, snapshot_of
from tests.support.mongod import Mongod

AnyDatabase = Database[dict[str, Any]]


@pytest.fixture
def copy(mongod: Mongod, database: AnyDatabase) -> Iterator[AnyDatabase]:
    """A second empty database, to hold what came back."""
    name = f"{database.name}_copy"
    yield mongod.client[name]
    mongod.client.drop_database(name)


def put(database: AnyDatabase, *documents: dict[str, Any] | bytes) -> None:
    """Insert documents as they are into the collection `things`."""
    raw = [each if isinstance(each, bytes) else encode(each) for each in documents]
    database.things.insert_many([RawBSONDocument(each) for each in raw])


def found(a: AnyDatabase, b: AnyDatabase) -> list[str]:
    """The differences between two databases."""
    return differences(snapshot_of(a), snapshot_of(b))


def raw_document(*elements: bytes) -> bytes:
    """A document of encoded elements, with whatever names and bits."""
    body = b"".join(elements) + b"\0"
    return struct.pack("<i", len(body) + 4) + body


def int32(name: str, value: int) -> bytes:
    """An encoded element."""
    return b"\x10" + name.encode() + b"\0" + struct.pack("<i", value)


def double(name: str, bits: int) -> bytes:
    """An encoded element with exactly these bits."""
    return b"\x01" + name.encode() + b"\0" + struct.pack("<Q", bits)


def test_finds_nothing_after_a_raw_copy(database: AnyDatabase, copy: AnyDatabase) -> None:
    documents = [
        encode({"_id": 2, "nested": {"b": [1, None, "ü"], "a": ObjectId()}}),
        encode({"_id": "one"}),
        raw_document(int32("_id", 3), int32("twice", 1), int32("twice", 2)),
        raw_document(int32("_id", 4), double("nan", 0x7FF8_0000_0000_0001)),
    ]
    put(database, *documents)
    put(copy, *reversed(documents))
    for each in (database, copy):
        each.things.create_index({"nested.b": 1, "nested.a": -1})
    assert found(database, copy) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param({"_id": 1, "n": 5}, {"_id": 1, "n": Int64(5)}, id="an int32 that became an int64"),
        pytest.param({"_id": 1, "n": 5}, {"_id": 1, "n": 5.0}, id="an int32 that became a double"),
        pytest.param({"_id": 1, "a": 1, "b": 2}, {"_id": 1, "b": 2, "a": 1}, id="fields that changed places"),
        pytest.param({"_id": 1, "a": None}, {"_id": 1}, id="a null that became absent"),
        pytest.param(
            raw_document(int32("_id", 1), double("n", 0x7FF8_0000_0000_0001)),
            raw_document(int32("_id", 1), double("n", 0x7FF8_0000_0000_0002)),
            id="another payload of NaN",
        ),
        pytest.param(
            raw_document(int32("_id", 1), double("n", 0)),
            raw_document(int32("_id", 1), double("n", 1 << 63)),
            id="a zero that became negative",
        ),
        pytest.param(
            raw_document(int32("_id", 1), int32("twice", 1), int32("twice", 2)),
            raw_document(int32("_id", 1), int32("twice", 2)),
            id="a field name that was doubled",
        ),
    ],
)
def test_finds_in_a_document(
    database: AnyDatabase, copy: AnyDatabase, before: dict[str, Any] | bytes, after: dict[str, Any] | bytes
) -> None:
    put(database, {"_id": 0}, before, {"_id": 2})
    put(copy, {"_id": 0}, after, {"_id": 2})
    assert found(database, copy) == ['things: the document with _id {"$numberInt": "1"} differs']


def test_finds_an_id_whose_type_changed(database: AnyDatabase, copy: AnyDatabase) -> None:
    put(database, {"_id": 1})
    put(copy, {"_id": Int64(1)})
    assert found(database, copy) == ['things: document 0 has the _id {"$numberLong": "1"}, had {"$numberInt": "1"}']


@pytest.mark.parametrize("position", [0, 1, 2])
def test_finds_a_missing_document(database: AnyDatabase, copy: AnyDatabase, position: int) -> None:
    documents: list[dict[str, Any]] = [{"_id": number} for number in range(3)]
    put(database, *documents)
    put(copy, *documents[:position], *documents[position + 1 :])
    assert found(database, copy) == [
        "things: has 2 documents, had 3",
        f'things: the document with _id {{"$numberInt": "{position}"}} is missing',
    ]


def test_finds_a_document_that_was_not_there(database: AnyDatabase, copy: AnyDatabase) -> None:
    put(database, {"_id": 1})
    put(copy, {"_id": 0}, {"_id": 1})
    assert found(database, copy) == [
        "things: has 2 documents, had 1",
        'things: the document with _id {"$numberInt": "0"} was not there before',
    ]


def test_names_the_document_in_a_collection_too_large_to_remember(
    database: AnyDatabase, copy: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "KEPT_DIGESTS", 2)
    put(database, *({"_id": number} for number in range(5)))
    put(copy, *({"_id": number, **({"x": 1} if number == 3 else {})} for number in range(5)))
    assert found(database, copy) == ['things: the document with _id {"$numberInt": "3"} differs']


def test_reads_past_the_first_batch(database: AnyDatabase, copy: AnyDatabase) -> None:
    padding = "x" * 2_000_000
    put(database, *({"_id": number, "padding": padding} for number in range(20)))
    put(copy, *({"_id": number, "padding": padding} for number in range(19)), {"_id": 19})
    assert found(database, copy) == ['things: the document with _id {"$numberInt": "19"} differs']


def test_finds_missing_and_added_collections(database: AnyDatabase, copy: AnyDatabase) -> None:
    put(database, {"_id": 1})
    copy.create_collection("others")
    assert found(database, copy) == [
        "things: is missing (collection, 1 documents)",
        "others: was not there before",
    ]


def test_finds_a_missing_index(database: AnyDatabase, copy: AnyDatabase) -> None:
    put(database, {"_id": 1})
    put(copy, {"_id": 1})
    database.things.create_index("a", name="by_a")
    assert found(database, copy) == ["things: index by_a is missing"]


def test_finds_index_keys_that_changed_places(database: AnyDatabase, copy: AnyDatabase) -> None:
    database.things.create_index({"a": 1, "b": 1}, name="both")
    copy.things.create_index({"b": 1, "a": 1}, name="both")
    assert [each[:32] for each in found(database, copy)] == ["things: index both: option key i"]


def test_finds_an_index_option_that_was_lost(database: AnyDatabase, copy: AnyDatabase) -> None:
    database.things.create_index("a", name="by_a", unique=True)
    copy.things.create_index("a", name="by_a")
    assert found(database, copy) == ["things: index by_a: option unique is absent, was true"]


def test_does_not_mind_the_order_in_which_indexes_were_built(database: AnyDatabase, copy: AnyDatabase) -> None:
    for each, names in ((database, "ab"), (copy, "ba")):
        for name in names:
            each.things.create_index(name)
    assert found(database, copy) == []


def test_finds_an_option_that_changed(database: AnyDatabase, copy: AnyDatabase) -> None:
    database.create_collection("things", validator={"a": {"$exists": True}})
    copy.create_collection("things", validator={"b": {"$exists": True}})
    (difference,) = found(database, copy)
    assert difference.startswith('things: option validator is {"b"')


def make_view(database: AnyDatabase, limit: int) -> None:
    """A view that shows so many documents."""
    database.create_collection("shown", viewOn="things", pipeline=[{"$limit": limit}])


def make_timeseries(database: AnyDatabase, limit: int) -> None:
    """A time-series with so many points."""
    database.create_collection("points", timeseries={"timeField": "at", "metaField": "of"})
    points = [{"_id": n, "at": datetime(2026, 1, 1, 12, n, tzinfo=UTC), "of": "a"} for n in range(limit)]
    database.points.insert_many(points)


def make_clustered(database: AnyDatabase, limit: int) -> None:
    """A clustered collection with so many documents."""
    database.create_collection("clustered", clusteredIndex={"key": {"_id": 1}, "unique": True})
    database.clustered.insert_many([{"_id": number} for number in range(limit)])


def make_collated(database: AnyDatabase, limit: int) -> None:
    """A collection with a default collation and so many documents."""
    database.create_collection("collated", collation={"locale": "de", "strength": 1})
    database.collated.insert_many([{"_id": f"ä{number}"} for number in range(limit)])


@pytest.mark.parametrize("make", [make_view, make_clustered, make_collated])
def test_knows_every_kind_of_collection(
    database: AnyDatabase, copy: AnyDatabase, make: Callable[[AnyDatabase, int], None]
) -> None:
    make(database, 3)
    make(copy, 3)
    assert found(database, copy) == []
    copy.client.drop_database(copy)
    make(copy, 2)
    assert found(database, copy)


def test_compares_the_buckets_of_a_time_series(database: AnyDatabase, copy: AnyDatabase) -> None:
    make_timeseries(database, 3)
    copy.create_collection("points", timeseries={"timeField": "at", "metaField": "of"})
    buckets = list(database.get_collection("system.buckets.points").find())
    copy.get_collection("system.buckets.points").insert_many(buckets)
    assert found(database, copy) == []
    copy.points.insert_one({"at": datetime(2027, 1, 1, tzinfo=UTC), "of": "b"})
    assert "points: has 2 documents, had 1" in found(database, copy)


def test_compares_capped_collections_in_the_order_of_their_documents(database: AnyDatabase, copy: AnyDatabase) -> None:
    for each, order in ((database, (1, 2)), (copy, (2, 1))):
        each.create_collection("things", capped=True, size=4096)
        put(each, *({"_id": number} for number in order))
    assert found(database, copy) == ["things: holds the same documents in another order"]


def test_follows_renamed_collections(database: AnyDatabase, copy: AnyDatabase) -> None:
    put(database, {"_id": 1})
    put(copy, {"_id": 1})
    copy.things.rename("items")
    assert differences(snapshot_of(database), snapshot_of(copy), rename={"things": "items"}) == []


def test_leaves_out_only_what_it_is_told_to(database: AnyDatabase) -> None:
    for name in ("a", "b", *OWN_COLLECTIONS):
        database.create_collection(name)
    assert set(snapshot_of(database).collections) == {"a", "b", *OWN_COLLECTIONS}
    assert set(snapshot_of(database, skip=OWN_COLLECTIONS).collections) == {"a", "b"}
    assert set(snapshot_of(database, ["a"]).collections) == {"a"}


def test_works_on_a_server_without_a_replica_set(standalone: Mongod) -> None:
    database = standalone.client["compared"]
    put(database, {"_id": 1})
    assert differences(snapshot_of(database), snapshot_of(database)) == []
    standalone.client.drop_database(database)


def test_says_when_a_large_collection_changed_after_its_image(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "KEPT_DIGESTS", 0)
    put(database, {"_id": 1})
    before = snapshot_of(database)
    database.things.update_one({"_id": 1}, {"$set": {"a": 1}})
    (difference,) = differences(before, snapshot_of(database))
    assert difference.startswith("things: the documents differ; which ones cannot be told")
