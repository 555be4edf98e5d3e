"""One cluster, one release of the chart and one MongoDB for all tests; a namespace for each."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import cluster
from tests.e2e.site import Site
from tests.support.certificate import make_certificate
from tests.support.kubectl import Kubectl
from tests.support.mongod import Mongod
from tests.support.smtp_server import Certificates, SmtpServer

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = "holdfast-system"


@pytest.fixture(scope="session")
def kubernetes() -> cluster.Cluster:
    return cluster.up()


@pytest.fixture(scope="session")
def kubectl(kubernetes: cluster.Cluster) -> Kubectl:
    return Kubectl(kubernetes.kubeconfig, kubernetes.bin_dir)


@pytest.fixture(scope="session")
def operator(kubectl: Kubectl) -> Kubectl:
    """The release, installed by Helm; commands run in its namespace."""
    repository, _, tag = cluster.build_image().rpartition(":")
    system = kubectl.within(SYSTEM)
    # fmt: off
    system.run(
        "helm", "upgrade", "--install", "holdfast", str(ROOT / "charts" / "holdfast"), "--create-namespace",
        "--set", f"image.repository={repository}", "--set", f"image.tag={tag}", "--set", "resyncSeconds=3",
        "--set", "web.enabled=true",
        "--wait", "--timeout", "3m", seconds=240,
    )
    # fmt: on
    kubectl("label", "namespace", SYSTEM, "pod-security.kubernetes.io/enforce=restricted", "--overwrite")
    return system


@pytest.fixture(scope="session")
def mongod(kubernetes: cluster.Cluster) -> Iterator[Mongod]:
    address = kubernetes.node_address
    parameters = {"enableTestCommands": "1"}  # for fail points: a backup is held where a test wants it
    with Mongod(bind=("127.0.0.1", address), advertise=address, parameters=parameters) as server:
        yield server


@pytest.fixture(scope="session")
def namespaces(kubectl: Kubectl) -> Iterator[Iterator[str]]:
    """Names for namespaces. They are removed side by side; at the end all must be gone: no removal hangs."""
    # What a killed test run left.
    old = [name for name in kubectl("get", "namespaces", "--output", "name").split() if "/e2e-" in name]
    if old:
        kubectl("delete", *old, "--timeout=90s")
    yield (f"e2e-{number:03d}" for number in itertools.count(1))
    left = [name for name in kubectl("get", "namespaces", "--output", "name").split() if "/e2e-" in name]
    if left:
        kubectl("wait", *left, "--for=delete", "--timeout=90s")


@pytest.fixture
def site(operator: Kubectl, kubectl: Kubectl, mongod: Mongod, namespaces: Iterator[str]) -> Iterator[Site]:
    """A namespace with Pod Security restricted, and a database."""
    del operator
    name = next(namespaces)
    kubectl("create", "namespace", name)
    kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    site = Site(kubectl.within(name), mongod, database=name.replace("-", "_"))
    yield site
    site.release()
    kubectl("delete", "namespace", name, "--wait=false")
    mongod.client.drop_database(site.database)


@pytest.fixture
def smtp(kubernetes: cluster.Cluster, tmp_path: Path) -> Iterator[SmtpServer]:
    """A mail server with TLS and a login, which pods reach."""
    address = kubernetes.node_address
    with SmtpServer(Certificates(*make_certificate(tmp_path, address)), login=True, host=address) as running:
        yield running
