"""Encryption: what a reader without the key, or of changed bytes, gets."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import DamagedBackup, InvalidKey, RepositoryTooNew
from holdfast.repository.cipher import Sealed, key_of, new_key_text
from holdfast.repository.marker import MARKER
from holdfast.repository.repository import Repository
from holdfast.stores.memory import MemoryStore

KEY, OTHER = b"k" * 32, b"o" * 32
SEALED = Sealed(KEY, "repository")


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    Repository(store, key=KEY).open(create=True)
    return store


@given(st.binary())
def test_what_was_sealed_opens_under_its_name(data: bytes) -> None:
    assert SEALED.open("chunks/a", SEALED.seal("chunks/a", data)) == data


def test_the_same_bytes_sealed_twice_share_nothing() -> None:
    one, other = SEALED.seal("a", b"data" * 100), SEALED.seal("a", b"data" * 100)
    assert one[:24] != other[:24]
    assert one[24:] != other[24:]


@given(st.binary(max_size=50), st.integers(0), st.integers(0, 7))
def test_any_flipped_bit_is_found(data: bytes, position: int, bit: int) -> None:
    sealed = bytearray(SEALED.seal("a", data))
    sealed[position % len(sealed)] ^= 1 << bit
    with pytest.raises(DamagedBackup, match="a is not what"):
        SEALED.open("a", bytes(sealed))


def test_an_object_in_the_place_of_another_does_not_open() -> None:
    with pytest.raises(DamagedBackup, match="backups/b"):
        SEALED.open("backups/b", SEALED.seal("backups/a", b"data"))


@pytest.mark.parametrize("length", [0, 5, 39])
def test_a_truncated_object_is_named(length: int) -> None:
    with pytest.raises(DamagedBackup, match="chunks/a"):
        SEALED.open("chunks/a", SEALED.seal("chunks/a", b"")[:length])


def test_names_of_chunks_tell_nothing_across_repositories() -> None:
    assert Sealed(KEY, "one").identity(b"data") != Sealed(KEY, "two").identity(b"data")


def test_the_right_key_opens_a_repository(store: MemoryStore) -> None:
    Repository(store, key=KEY).open()


def test_a_wrong_key_is_said_before_anything_is_read(store: MemoryStore) -> None:
    with pytest.raises(InvalidKey, match=r"key id [0-9a-f]{16}"):
        Repository(store, key=OTHER).open()


def test_a_missing_key_is_said(store: MemoryStore) -> None:
    with pytest.raises(InvalidKey, match="is encrypted"):
        Repository(store).open()


def test_a_key_for_a_repository_in_the_clear_is_refused() -> None:
    store = MemoryStore()
    Repository(store).open(create=True)
    with pytest.raises(InvalidKey, match="not encrypted"):
        Repository(store, key=KEY).open()


def test_an_unknown_algorithm_is_a_newer_format(store: MemoryStore) -> None:
    store.objects[MARKER] = json.dumps({"format": 1, "id": "x", "encryption": {"algorithm": "X", "keyId": ""}}).encode()
    with pytest.raises(RepositoryTooNew):
        Repository(store, key=KEY).open()


def test_a_new_key_is_read_back_from_its_text() -> None:
    text = new_key_text()
    assert len(key_of(text + "\n", origin="file k")) == 32
    assert text != new_key_text()


@pytest.mark.parametrize("text", ["", "secret", "holdfast-key-1:", "holdfast-key-1:c2hvcnQ=", "holdfast-key-1:!!"])
def test_a_text_that_is_no_key_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(InvalidKey) as refused:
        key_of(text, origin="file k")
    assert "file k" in str(refused.value)
    assert not text or text not in str(refused.value)
