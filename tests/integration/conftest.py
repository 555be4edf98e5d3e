"""Servers that the integration tests share, and a fresh database for each test."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from pymongo.database import Database

from tests.support.mongod import Mongod


@pytest.fixture(scope="session")
def mongod() -> Iterator[Mongod]:
    """A replica set of one node, with access control."""
    with Mongod() as server:
        yield server


@pytest.fixture(scope="session")
def standalone() -> Iterator[Mongod]:
    """A server that is no replica set, open to everybody on this machine."""
    with Mongod(replica_set=False, auth=False) as server:
        yield server


@pytest.fixture
def database(mongod: Mongod) -> Iterator[Database[dict[str, Any]]]:
    """An empty database of the replica set, dropped after the test."""
    name = f"test_{uuid4().hex[:12]}"
    yield mongod.client[name]
    mongod.client.drop_database(name)


@pytest.fixture
def restored(mongod: Mongod, database: Database[dict[str, Any]]) -> Iterator[Database[dict[str, Any]]]:
    """Where to restore to."""
    name = f"{database.name}_restored"
    yield mongod.client[name]
    mongod.client.drop_database(name)
