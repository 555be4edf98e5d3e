"""Whether a source can be read is asked of real servers, and of nobody at all."""

from collections.abc import Callable

import pytest

from holdfast.errors import HoldfastError, SourceUnavailable
from holdfast.mongo.probe import MongoProbe
from tests.integration.engine.conftest import UriToFail
from tests.support.fake_probe import FakeProbe
from tests.support.mongod import Mongod
from tests.support.probe_contract import ORIGIN, ProbeContract


class TestMongoProbe(ProbeContract):
    @pytest.fixture
    def probe(self) -> MongoProbe:
        return MongoProbe(limit_seconds=2)

    @pytest.fixture
    def uri(self, mongod: Mongod) -> str:
        return mongod.uri

    @pytest.fixture
    def refused(self, uri_to_fail: UriToFail) -> Callable[[type[HoldfastError]], str]:
        return lambda error: uri_to_fail(error, self.SECRET)


class TestFakeProbe(ProbeContract):
    @pytest.fixture
    def probe(self) -> FakeProbe:
        return FakeProbe()

    @pytest.fixture
    def uri(self) -> str:
        return "mongodb://h/"

    @pytest.fixture
    def refused(self, probe: FakeProbe) -> Callable[[type[HoldfastError]], str]:
        def uri(error: type[HoldfastError]) -> str:
            probe.failing = lambda: error("It does not work.")
            return f"mongodb://me:{self.SECRET}@h/"

        return uri


def test_a_user_without_any_role_can_ask(mongod: Mongod) -> None:
    password = mongod.create_user("asks", [])
    uri = mongod.uri_for("asks", password)
    assert MongoProbe().probe(uri, origin=ORIGIN, read_preference="primary") == "Replica set rs0"


def test_a_server_of_its_own_is_no_replica_set(standalone: Mongod) -> None:
    assert MongoProbe().probe(standalone.uri, origin=ORIGIN, read_preference="primary") == "The server"


def test_a_member_that_the_read_preference_asks_for_and_is_not_there_is_said(mongod: Mongod) -> None:
    with pytest.raises(SourceUnavailable):
        MongoProbe(limit_seconds=1).probe(mongod.uri, origin=ORIGIN, read_preference="secondary")


def test_a_long_patience_in_the_uri_does_not_hold_it_up(silent: str) -> None:
    uri = f"mongodb://{silent}/?serverSelectionTimeoutMS=60000&connectTimeoutMS=60000"
    with pytest.raises(SourceUnavailable) as caught:
        MongoProbe(limit_seconds=0.5).probe(uri, origin=ORIGIN, read_preference="primary")
    assert "Check that the server runs" in str(caught.value)
