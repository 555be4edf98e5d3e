"""Where a stream of documents is cut."""

from collections.abc import Iterable

from bson import ObjectId, encode
from hypothesis import given
from hypothesis import strategies as st

from holdfast.repository.chunker import Chunker, RawChunk

SMALL = {"minimum": 2_000, "maximum": 8_000, "spacing": 2_000}


def chunks_of(documents: Iterable[bytes], batch: int = 100, **sizes: int) -> list[RawChunk]:
    chunker = Chunker(**(sizes or SMALL))
    documents = list(documents)
    found: list[RawChunk] = []
    for start in range(0, len(documents), batch):
        found += chunker.feed(documents[start : start + batch])
    return [*found, *chunker.finish()]


def document(number: int, size: int = 60) -> bytes:
    return encode({"_id": ObjectId(f"{1_700_000_000 + number:08x}{'ab' * 5}{number % 2**24:06x}"), "text": "x" * size})


documents = st.lists(st.integers(0, 3_000), max_size=60).map(
    lambda sizes: [document(number, size) for number, size in enumerate(sizes)]
)


@given(documents, st.integers(1, 70))
def test_chunks_are_the_documents_in_order_and_nothing_else(given_documents: list[bytes], batch: int) -> None:
    chunks = chunks_of(given_documents, batch)
    assert b"".join(chunk.data for chunk in chunks) == b"".join(given_documents)
    assert sum(chunk.documents for chunk in chunks) == len(given_documents)


@given(documents, st.integers(1, 70), st.integers(1, 70))
def test_cuts_do_not_depend_on_how_the_server_batches(given_documents: list[bytes], one: int, other: int) -> None:
    assert chunks_of(given_documents, one) == chunks_of(given_documents, other)


@given(documents)
def test_no_chunk_passes_the_maximum_unless_one_document_does(given_documents: list[bytes]) -> None:
    assert all(len(chunk.data) <= SMALL["maximum"] or chunk.documents == 1 for chunk in chunks_of(given_documents))


@given(documents)
def test_only_the_last_chunk_may_be_below_the_minimum_unless_the_next_document_was_large(
    given_documents: list[bytes],
) -> None:
    chunks = chunks_of(given_documents)
    largest = max(map(len, given_documents), default=0)
    assert all(len(c.data) >= min(SMALL["minimum"], SMALL["maximum"] - largest) for c in chunks[:-1])


def test_no_documents_give_no_chunk() -> None:
    assert chunks_of([]) == []


def test_an_append_changes_only_the_last_chunk() -> None:
    before = chunks_of(document(n) for n in range(3_000))
    after = chunks_of(document(n) for n in range(3_060))
    assert after[: len(before) - 1] == before[:-1]


def test_an_insert_in_the_middle_changes_only_the_chunks_around_it() -> None:
    numbers = list(range(3_000))
    before = {chunk.data for chunk in chunks_of(document(n) for n in numbers)}
    after = {chunk.data for chunk in chunks_of(document(n) for n in [*numbers[:1500], 9_999_999, *numbers[1500:]])}
    assert len(after - before) <= 3


def test_cuts_come_about_as_often_for_small_as_for_large_documents() -> None:
    for size in (20, 200, 800):
        chunks = chunks_of((document(n, size) for n in range(400_000 // size)), batch=1000)
        average = sum(len(c.data) for c in chunks) / len(chunks)
        assert 2_500 < average < 5_500
