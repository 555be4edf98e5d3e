"""The form of a MongoDB URI, said without ever quoting it."""

import pytest

from holdfast.domain.mongodb_uri import uri_database
from holdfast.errors import InvalidUri


@pytest.mark.parametrize(
    ("uri", "database"),
    [
        ("mongodb://localhost", None),
        ("mongodb://localhost/", None),
        ("mongodb://localhost/?replicaSet=rs0", None),
        ("mongodb://u:p@a:27017,b:27018/shop?w=majority", "shop"),
        ("mongodb+srv://u:p%40x@cluster.example.org/time%2Dtrack", "time-track"),
        (" mongodb://localhost/shop\n", "shop"),
    ],
)
def test_the_database_is_the_path(uri: str, database: str | None) -> None:
    assert uri_database(uri, "it") == database


@pytest.mark.parametrize(
    "uri",
    ["", "  ", "hunter2", "postgres://u:hunter2@db/shop", "mongodb://", "mongodb://u:hunter2@/shop",
     "mongodb://a,,b/shop", "mongodb://u:hunter2 x@db/shop", "mongodb://u:hunter2@x@db/shop",
     "mongodb://u:hunter2/x@db/shop", "mongodb://u:hunter2:x@db/shop"],
)  # fmt: skip
def test_what_is_no_uri_is_refused_and_never_quoted(uri: str) -> None:
    with pytest.raises(InvalidUri, match="Key K of Secret a/b") as caught:
        uri_database(uri, "Key K of Secret a/b")
    assert "hunter2" not in str(caught.value)
