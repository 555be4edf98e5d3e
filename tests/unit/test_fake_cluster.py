"""The fake that other tests rely on keeps the contract of the real cluster."""

import pytest

from tests.support.cluster_contract import ClusterContract
from tests.support.fake_cluster import FakeCluster


class TestFakeCluster(ClusterContract):
    @pytest.fixture
    def cluster(self) -> FakeCluster:
        return FakeCluster()

    @pytest.fixture
    def namespace(self) -> str:
        return "default"
