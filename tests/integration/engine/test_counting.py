"""The server counts a huge collection for longer than it may be silent otherwise."""

import pytest

from holdfast.errors import SourceUnavailable
from holdfast.mongo import source as module
from holdfast.wiring.opening import open_source
from tests.support.engine import ORIGIN
from tests.support.mongod import Mongod

SLOW = {"failCommands": ["aggregate"], "blockConnection": True, "blockTimeMS": 1_500}


def test_a_count_may_take_longer_than_other_commands_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    with Mongod(parameters={"enableTestCommands": "1"}) as own:
        own.client["db"]["c"].insert_many([{"_id": n} for n in range(10)])
        source = open_source(f"{own.uri}&socketTimeoutMS=1000", "db", origin=ORIGIN)
        [collection] = source.catalogue()
        own.client.admin.command({"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": SLOW})
        assert source.count(collection, source.cluster_time()) == 10
        monkeypatch.setattr(module, "_COUNT_SECONDS", 1)
        with pytest.raises(SourceUnavailable, match="Counting 'c' failed"):
            source.count(collection, None)
        source.close()
