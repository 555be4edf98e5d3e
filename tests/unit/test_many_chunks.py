"""Memory does not grow with a huge repository but for the ids of its chunks."""

import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from holdfast.repository.garbage import sweep
from holdfast.repository.manifest import Manifest
from holdfast.repository.repository import Repository
from holdfast.services.verify import verify
from tests.support.many_chunks import alone_in, commit_chunks, empty_repository, put_chunks

FEW, MANY = 1_500, 4_500
"""More than one list each."""
BYTES_A_CHUNK = 300
"""Its id: 80 bytes, and 16 for each of the slots of the set, most of which may be free; both twice so while
the set grows. A chunk with all that is known of it takes 430."""


def repository_of(chunks: int) -> tuple[Repository, Manifest]:
    repository, store = empty_repository()
    put_chunks(store, range(chunks))
    return repository, commit_chunks(repository, range(chunks), "20261123T020000Z-00000001")


def prove(repository: Repository, manifest: Manifest) -> None:
    assert verify(repository, manifest).good


def prune(repository: Repository, manifest: Manifest) -> None:
    del manifest
    with alone_in(repository) as lock:
        assert sweep(repository, lock, datetime.now(UTC)).removed_chunks == 0


@pytest.mark.parametrize("work", [prove, prune])
def test_what_is_held_grows_by_little_more_than_an_id_a_chunk(work: Callable[[Repository, Manifest], None]) -> None:
    peaks = []
    for chunks in (FEW, MANY):
        repository, manifest = repository_of(chunks)
        tracemalloc.start()
        work(repository, manifest)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (peaks[1] - peaks[0]) / (MANY - FEW) < BYTES_A_CHUNK


def test_a_list_is_stored_as_soon_as_it_is_cut() -> None:
    peaks = []
    for chunks in (FEW, MANY):
        repository, store = empty_repository()
        before = len(store.objects)
        tracemalloc.start()
        commit_chunks(repository, range(chunks), "20261123T020000Z-00000001")
        peaks.append(tracemalloc.get_traced_memory()[1] - sum(map(len, store.objects.values())))
        tracemalloc.stop()
        assert len(store.objects) > before + 2
    assert (peaks[1] - peaks[0]) / (MANY - FEW) < BYTES_A_CHUNK
