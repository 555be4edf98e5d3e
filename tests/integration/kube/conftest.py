"""A control plane for all tests of this folder, with the CRDs, and a namespace for each test."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client, config

from holdfast.kube.cluster import KubeCluster
from holdfast.kube.connection import Connection
from tests.support.control_plane import ControlPlane

CRDS = Path(__file__).parents[3] / "crds"

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    plane = ControlPlane(tmp_path_factory.mktemp("control-plane"))
    try:
        plane.start()
        plane.kubectl("apply", "-f", str(CRDS))
        plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(CRDS))
        yield plane
    finally:
        plane.stop()


@pytest.fixture(scope="session")
def cluster(control_plane: ControlPlane) -> KubeCluster:
    configuration = client.Configuration()
    config.load_kube_config(str(control_plane.kubeconfig), client_configuration=configuration)  # type: ignore[no-untyped-call]
    return KubeCluster(Connection(client.ApiClient(configuration)))


@pytest.fixture
def namespace(control_plane: ControlPlane) -> str:
    name = f"test-{next(_numbers)}"
    control_plane.kubectl("create", "namespace", name)
    return name
