"""The cluster as a whole: up, down, and what its state is."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.cluster import api, controlplane, dns, external, network, node, pki, preflight, processes, teardown
from tests.cluster.errors import ClusterError
from tests.cluster.layout import BRIDGE_ADDRESS, NODE_NAME, Layout, layout
from tests.cluster.lock import locked
from tests.cluster.packages import install_packages
from tests.cluster.progress import say, step, wait_until
from tests.cluster.tools import build_tools

PARTS = (
    controlplane.ETCD,
    controlplane.API_SERVER,
    controlplane.CONTROLLERS,
    controlplane.SCHEDULER,
    node.CONTAINERD,
    node.KUBELET,
    node.PROXY,
    dns.DNS,
)
_READY_SECONDS = 60.0


@dataclass(frozen=True)
class Cluster:
    """A cluster that is up: ``node_address`` is where pods reach services of the host."""

    kubeconfig: Path
    bin_dir: Path
    node_address: str


def up() -> Cluster:
    """Bring the cluster up, or find that it is up already, and return it."""
    where = layout()
    config = external.kubeconfig()
    if config is not None:
        address = external.host_address()
        external.check(where, config)
        return Cluster(config, external.clients(where), address)
    preflight.check_root()
    with locked(where):
        network.check_owner(where)
        if all(processes.is_alive(where, part) for part in PARTS):
            _wait_ready(where)
            say("The cluster is up already")
        else:
            preflight.check_machine(where)
            preflight.check_other_node(where)
            # What is left of an earlier start goes, but not the bridge: services of the host may listen on it.
            teardown.remove_cluster(where)
            install_packages(where)
            build_tools(where)
            with step("Bringing the cluster up"):
                _start(where)
    return Cluster(where.kubeconfig, where.bin, BRIDGE_ADDRESS)


def down() -> None:
    """End the cluster and leave nothing behind but programs and images; a cluster of the user's own stays."""
    if external.kubeconfig() is not None:
        say("HOLDFAST_KUBECONFIG is set: that cluster is left alone")
        return
    preflight.check_root()
    where = layout()
    with locked(where):
        network.check_owner(where)
        teardown.remove_all(where)
    say("The cluster is down")


def status() -> tuple[bool, list[tuple[str, str]]]:
    """Return whether the cluster is ready, and what is to be said about each part."""
    where = layout()
    config = external.kubeconfig()
    if config is not None:
        try:
            external.check(where, config)
        except ClusterError as error:
            return False, [("cluster", str(error))]
        return True, [("cluster", f"Ready, the user's own: {config}")]
    preflight.check_root()
    rows = []
    for part in PARTS:
        process = processes.find(where, part)
        alive = process is not None and process.is_alive()
        rows.append((part, f"running, pid {process.pid}, {_age(process)}" if process and alive else "not running"))
    parts_run = all(state.startswith("running") for _, state in rows)
    checks = {
        "API server": api.is_ready(where),
        "node": _node_is_ready(where),
        "DNS": dns.resolves(),
    }
    rows += [(name, "ready" if ready else "not ready") for name, ready in checks.items()]
    ready = parts_run and all(checks.values())
    rows.append(("cluster", "Ready" if ready else "not ready" if where.cluster.exists() else "down"))
    return ready, rows


def _start(where: Layout) -> None:
    """Start every part, and wait until the whole is ready."""
    network.prepare(where)
    where.cluster.mkdir(mode=0o755)
    pki.make_keys(where)
    where.config.mkdir()
    controlplane.start_api(where)
    controlplane.start_controllers(where)
    dns.apply_objects(where)
    dns.start_dns(where)
    store = node.start_containerd(where)
    store.clear()
    store.ensure_pause()
    store.load_waiting()
    node.start_kubelet(where)
    node.start_proxy(where)
    with step("Waiting until the cluster is ready"):
        _wait_ready(where)


def _wait_ready(where: Layout) -> None:
    """Wait until a pod could run and would find its services."""
    steps: list[tuple[str, Callable[[Layout], bool], str]] = [
        ("the API server to be ready", api.is_ready, controlplane.API_SERVER),
        ("the node to be ready", _node_is_ready, node.KUBELET),
        ("the default service account", _has_service_account, controlplane.CONTROLLERS),
        ("the cluster's own names to resolve", _names_resolve, dns.DNS),
    ]
    for what, check, part in steps:
        wait_until(
            partial(check, where),
            what=what,
            seconds=_READY_SECONDS,
            log=processes.log_of(where, part),
            alive=partial(processes.is_alive, where, part),
        )
    dead = [part for part in PARTS if not processes.is_alive(where, part)]
    if dead:
        raise ClusterError(f"Ended soon after their start: {', '.join(dead)}; the logs are in {where.logs}.")


def _names_resolve(_: Layout) -> bool:
    """Tell whether the cluster's name server answers at its service address, as a pod sees it."""
    return dns.resolves()


def _node_is_ready(where: Layout) -> bool:
    """Tell whether the node says that it is ready, and has lost the taint that keeps pods away until then."""
    found = api.get_object(where, f"/api/v1/nodes/{NODE_NAME}")
    if found is None or found["spec"].get("taints"):
        return False
    conditions = {condition["type"]: condition["status"] for condition in found["status"].get("conditions", [])}
    return conditions.get("Ready") == "True"


def _has_service_account(where: Layout) -> bool:
    """Tell whether pods can be made: each needs the default service account and the authority's certificate."""
    wanted = ("serviceaccounts/default", "configmaps/kube-root-ca.crt")
    return all(api.get_object(where, f"/api/v1/namespaces/default/{name}") is not None for name in wanted)


def _age(process: processes.Process) -> str:
    """Return how long a process has been running, for a person."""
    minutes, seconds = divmod(int(process.age_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"up {hours}:{minutes:02}:{seconds:02}"
