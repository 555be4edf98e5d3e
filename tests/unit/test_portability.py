"""What another version of the server would refuse is named."""

from typing import Any

import pytest
from bson import encode

from holdfast.ports import CollectionInfo
from holdfast.repository.portability import notes_on


def collection(options: dict[str, Any] | None = None, *indexes: dict[str, Any]) -> CollectionInfo:
    return CollectionInfo("c", "collection", encode(options or {}), tuple(map(encode, indexes)), None)


def test_an_ordinary_collection_goes_anywhere() -> None:
    assert notes_on(collection({"validator": {}}, {"v": 2, "key": {"a": 1, "b": "text"}, "name": "i"})) == ()


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"clusteredIndex": {}}, "5.3"),
        ({"timeseries": {}}, "5.0"),
        ({"changeStreamPreAndPostImages": {}}, "6.0"),
        ({"encryptedFields": {}}, "key vault"),
    ],
)
def test_an_option_that_older_servers_do_not_know_is_named(option: dict[str, Any], said: str) -> None:
    [note] = notes_on(collection(option))
    assert said in note


@pytest.mark.parametrize(
    ("key", "said"),
    [({"a": "geoHaystack", "b": 1}, "5.0 and newer refuse"), ({"a": 1, "sub.$**": 1}, "7.0 or newer")],
)
def test_an_index_that_some_servers_refuse_is_named(key: dict[str, Any], said: str) -> None:
    [note] = notes_on(collection(None, {"v": 2, "key": key, "name": "odd"}))
    assert "'odd'" in note
    assert said in note


def test_a_note_is_made_once() -> None:
    index = {"v": 2, "key": {"a": "geoHaystack"}, "name": "odd"}
    assert len(notes_on(collection({"timeseries": {}}, index, index))) == 2
