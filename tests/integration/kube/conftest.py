"""A control plane for all tests of this folder, with the CRDs, and a namespace for each test."""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import client, config
from pymongo.database import Database

from holdfast.kube.cluster import KubeCluster
from holdfast.kube.connection import Connection
from tests.support.control_plane import OPERATOR, ControlPlane
from tests.support.mongod import Mongod
from tests.support.operator_process import OperatorProcess
from tests.support.ports import free_ports
from tests.support.web_process import AUDIENCE, WebProcess

if TYPE_CHECKING:
    from tests.integration.kube.shop import Shop

ROOT = Path(__file__).parents[3]

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with ControlPlane(tmp_path_factory.mktemp("control-plane")) as plane:
        plane.kubectl("apply", "-f", str(ROOT / "crds"))
        plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(ROOT / "crds"))
        # The operator has the rights that the chart gives it, and no other.
        plane.kubectl("apply", "-f", "-", stdin=plane.render(ROOT / "charts" / "holdfast", "templates/rbac.yaml"))
        plane.kubectl("create", "clusterrolebinding", "test", "--clusterrole=default:holdfast", f"--user={OPERATOR}")
        yield plane


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[ControlPlane]:
    """One with nothing in it, for this test alone."""
    with ControlPlane(tmp_path) as plane:
        yield plane


@pytest.fixture(scope="session")
def cluster(control_plane: ControlPlane) -> KubeCluster:
    configuration = client.Configuration()
    config.load_kube_config(str(control_plane.kubeconfig), client_configuration=configuration)  # type: ignore[no-untyped-call]
    return KubeCluster(Connection(client.ApiClient(configuration)))


class Namespace:
    """``kubectl`` in one namespace, and waiting for what it is to show."""

    def __init__(self, plane: ControlPlane, name: str) -> None:
        self._plane, self.name = plane, name

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        return self._plane.kubectl("--namespace", self.name, *arguments, stdin=stdin, check=check)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """The object, or an empty one if there is none."""
        return self._plane.get(self.name, kind, name)

    def apply(self, *bodies: dict[str, Any]) -> None:
        for body in bodies:
            self.kubectl("apply", "-f", "-", stdin=json.dumps(body))

    def tell(self, what: str, status: dict[str, Any]) -> None:
        """Say of an object, such as ``br/by-hand``, what a controller would; ``status`` is merged with what it has."""
        patch = json.dumps({"status": status})
        self.kubectl("patch", what, "--subresource=status", "--type=merge", f"--patch={patch}")

    def wait(self, done: Callable[[], Any], what: str, seconds: float = 30) -> Any:
        """The first result that is true; fails with ``what`` and all that is in the namespace."""
        deadline = time.monotonic() + seconds
        while not (result := done()):
            if time.monotonic() > deadline:
                shown = self.kubectl("get", "backuppolicies,backupruns,cronjobs,jobs,pods,events", "--output=wide")
                raise AssertionError(f"{what}: not within {seconds} s\n{shown}")
            time.sleep(0.1)
        return result

    def wait_for_status(self, kind: str, name: str, seconds: float = 30, **fields: str) -> dict[str, Any]:
        def done() -> dict[str, Any] | None:
            status: dict[str, Any] = self.get(kind, name).get("status", {})
            return status if fields.items() <= status.items() else None

        result: dict[str, Any] = self.wait(done, f"{kind} {name} has {fields}", seconds)
        return result


@pytest.fixture
def here(control_plane: ControlPlane) -> Namespace:
    name = f"test-{next(_numbers)}"
    control_plane.kubectl("create", "namespace", name)
    return Namespace(control_plane, name)


@pytest.fixture
def namespace(here: Namespace) -> str:
    return here.name


@pytest.fixture(scope="module")
def operator(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    port, metrics_port = free_ports(2)
    log = tmp_path_factory.mktemp("operator") / "log"
    process = OperatorProcess(control_plane.operator_kubeconfig, log, port=port, metrics_port=metrics_port)
    process.start()
    yield process
    process.stop()


@pytest.fixture
def shop(
    here: Namespace,
    operator: OperatorProcess,
    control_plane: ControlPlane,
    mongod: Mongod,
    database: Database[dict[str, Any]],
    tmp_path: Path,
) -> Iterator["Shop"]:
    # It is made of what stands here.
    from tests.integration.kube.shop import open_shop

    with open_shop(here, operator, control_plane, mongod, database, tmp_path / "pods") as shop:
        yield shop


@pytest.fixture
def holding(
    here: Namespace, operator: OperatorProcess, control_plane: ControlPlane, tmp_path: Path
) -> Iterator[tuple[Mongod, "Shop"]]:
    """A shop on a server that can hold a worker."""
    from tests.integration.kube.shop import open_shop

    with (
        Mongod(parameters={"enableTestCommands": "1"}) as own,
        open_shop(here, operator, control_plane, own, own.client["shop"], tmp_path / "pods") as shop,
    ):
        yield own, shop


@pytest.fixture(scope="module")
def web(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    process = WebProcess(
        control_plane, tmp_path_factory.mktemp("web"), download="RBAC", automated="true", test_mail="true"
    )
    try:
        process.start()
        yield process
    finally:
        process.stop()


@pytest.fixture
def viewer(here: Namespace, web: WebProcess) -> str:
    """A token of who may look into this namespace, and into no other."""
    del web
    here.kubectl("create", "serviceaccount", "viewer")
    rights = (
        "--verb=get,list,watch",
        "--resource=backuppolicies.holdfast.dev,backupruns.holdfast.dev,restoreruns.holdfast.dev",
    )
    here.kubectl("create", "role", "viewer", *rights)
    here.kubectl("create", "rolebinding", "viewer", "--role=viewer", f"--serviceaccount={here.name}:viewer")
    return token_of(here, "viewer")


@pytest.fixture
def downloader(here: Namespace, web: WebProcess) -> str:
    """A token of who may download here, and nothing else."""
    del web
    here.kubectl("create", "serviceaccount", "downloader")
    here.kubectl("create", "role", "downloader", "--verb=get", "--resource=backupruns.holdfast.dev/download")
    here.kubectl("create", "rolebinding", "downloader", "--role=downloader", f"--serviceaccount={here.name}:downloader")
    return token_of(here, "downloader")


@pytest.fixture
def backer(here: Namespace, viewer: str) -> str:
    """A token of who may also back up here."""
    del viewer
    here.kubectl("create", "serviceaccount", "backer")
    here.kubectl("create", "role", "backer", "--verb=create", "--resource=backupruns.holdfast.dev")
    for role in ("viewer", "backer"):
        here.kubectl(
            "create", "rolebinding", f"backer-{role}", f"--role={role}", f"--serviceaccount={here.name}:backer"
        )
    return token_of(here, "backer")


@pytest.fixture
def poster(here: Namespace, web: WebProcess) -> str:
    """A token of who may send test mails here, and nothing else."""
    del web
    here.kubectl("create", "serviceaccount", "poster")
    here.kubectl("create", "role", "poster", "--verb=create", "--resource=backuppolicies.holdfast.dev/testemail")
    here.kubectl("create", "rolebinding", "poster", "--role=poster", f"--serviceaccount={here.name}:poster")
    return token_of(here, "poster")


@pytest.fixture
def stranger(here: Namespace) -> str:
    here.kubectl("create", "serviceaccount", "stranger")
    return token_of(here, "stranger")


def token_of(here: Namespace, account: str, *options: str) -> str:
    return here.kubectl("create", "token", account, *(options or (f"--audience={AUDIENCE}",))).strip()
