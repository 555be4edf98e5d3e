"""An engine on the session's replica set, and databases that go away."""

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.database import Database

from tests.support.engine import Engine
from tests.support.mongod import Mongod


@pytest.fixture
def engine(mongod: Mongod) -> Engine:
    return Engine(mongod.uri)


@pytest.fixture
def restored(mongod: Mongod, database: Database[dict[str, Any]]) -> Iterator[Database[dict[str, Any]]]:
    """Where to restore to."""
    name = f"{database.name}_restored"
    yield mongod.client[name]
    mongod.client.drop_database(name)
