"""The adapter keeps the contract of the Cluster port on a real API server."""

import pytest
from kubernetes import client

from holdfast.errors import ClusterUnavailable, InvalidSpec
from holdfast.kube.cluster import KubeCluster
from holdfast.kube.connection import Connection
from holdfast.ports import BACKUP_POLICY, SECRET
from tests.support.cluster_contract import ClusterContract, policy
from tests.support.ports import free_port


class TestKubeCluster(ClusterContract):
    pass


def test_an_object_that_the_schema_refuses_is_an_invalid_spec(cluster: KubeCluster, namespace: str) -> None:
    body = policy(namespace)
    body["spec"]["compression"] = {"level": 99}
    with pytest.raises(InvalidSpec, match=r"spec\.compression\.level"):
        cluster.create(BACKUP_POLICY, body)


def test_an_api_server_that_is_away_is_unavailable() -> None:
    nobody = client.Configuration(host=f"http://127.0.0.1:{free_port()}")
    connection = Connection(client.ApiClient(nobody), connect_seconds=1)
    with pytest.raises(ClusterUnavailable):
        KubeCluster(connection).get(SECRET, "default", "shop")


def test_lists_longer_than_a_page_come_whole(
    cluster: KubeCluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.kube.cluster.PAGE", 2)
    for number in range(5):
        cluster.create(SECRET, {"metadata": {"name": f"secret-{number}", "namespace": namespace}})
    names = [body["metadata"]["name"] for body in cluster.list(SECRET, namespace)]
    assert names == [f"secret-{number}" for number in range(5)]
