"""Names of databases."""

import pytest

from holdfast.domain.database_name import check_database_name
from holdfast.errors import InvalidSpec


@pytest.mark.parametrize("name", ["timetrack", "time-track_2", "zażółć", "x" * 63])
def test_a_legal_name_is_taken_as_it_is(name: str) -> None:
    assert check_database_name(name) == name


@pytest.mark.parametrize("name", ["", "a b", "a.b", "a/b", "$a", "x" * 64, "ż" * 32])
def test_an_illegal_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidSpec, match="not a name"):
        check_database_name(name)


@pytest.mark.parametrize("name", ["admin", "config", "local"])
def test_the_servers_own_databases_are_never_touched(name: str) -> None:
    with pytest.raises(InvalidSpec, match="belongs to the server"):
        check_database_name(name)
