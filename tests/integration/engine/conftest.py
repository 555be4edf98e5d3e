"""An engine on the session's replica set."""

import pytest

from tests.support.engine import Engine
from tests.support.mongod import Mongod


@pytest.fixture
def engine(mongod: Mongod) -> Engine:
    return Engine(mongod.uri)
