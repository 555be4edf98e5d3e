"""The bridge that joins host and pods, and the kernel settings that the cluster changes.

Pods reach the bridge address and the services, and nothing else: there is no way out to other networks. A service on
the host, such as a database for the tests, listens on the bridge address and is then reachable from host and pods.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

from tests.cluster import external
from tests.cluster.errors import ClusterError
from tests.cluster.layout import BRIDGE, BRIDGE_ADDRESS, POD_RANGE, SERVICE_RANGE, Layout, layout
from tests.cluster.preflight import check_root
from tests.cluster.progress import output_of

# Fixed, because a bridge without its own address takes that of a port, and neighbours then lose it for a while.
_BRIDGE_MAC = "02:68:66:00:00:01"
_PREFIX = POD_RANGE.rpartition("/")[2]
_PROC_SYS = Path("/proc/sys")
_NEEDED = {"net/ipv4/ip_forward": "1", "net/bridge/bridge-nf-call-iptables": "1"}
# What the kubelet and kube-proxy change, found by comparing before and after.
_CHANGED = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/bridge/bridge-nf-call-ip6tables",
    "net/ipv4/conf/all/route_localnet",
    "net/ipv6/conf/all/forwarding",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)


def ensure_bridge() -> str:
    """Create the bridge if it is not there, and return the address by which pods reach the host.

    A service on the host can listen there before the cluster is up. With a cluster of the user's own, nothing is
    created, and the address is the one that the user gave.
    """
    if external.kubeconfig() is not None:
        return external.host_address()
    check_root()
    if shutil.which("ip") is None:
        raise ClusterError("The program ip is missing: install the Debian package iproute2.")
    where = layout()
    check_owner(where)
    if not _link_exists():
        # From here on there is something to put back, so remember how it was.
        save_sysctls(where)
        _ip("link", "add", BRIDGE, "address", _BRIDGE_MAC, "type", "bridge")
        _ip("link", "set", BRIDGE, "alias", str(where.root))
    _ip("address", "replace", f"{BRIDGE_ADDRESS}/{_PREFIX}", "dev", BRIDGE)
    _ip("link", "set", BRIDGE, "up")
    return BRIDGE_ADDRESS


def check_owner(where: Layout) -> None:
    """Refuse to touch the bridge, and with it the cluster, of another folder: one machine is one node."""
    owner = _owner()
    if owner not in {"", str(where.root)}:
        raise ClusterError(
            f"The cluster of {owner} is up on this machine, and there can be only one: end that one first by "
            f"`HOLDFAST_CACHE={owner} python -m tests.cluster down`."
        )


def prepare(where: Layout) -> None:
    """Bring up everything that the node needs from the kernel's network."""
    ensure_bridge()
    save_sysctls(where)
    # Without a route of its own, a packet to a service would take the default route before it is translated.
    _ip("route", "replace", SERVICE_RANGE, "dev", BRIDGE, "src", BRIDGE_ADDRESS)
    if not (_PROC_SYS / "net/bridge").exists():
        subprocess.run(["modprobe", "br_netfilter"], capture_output=True, check=False)
    for name, value in _NEEDED.items():
        try:
            (_PROC_SYS / name).write_text(value)
        except OSError as error:
            raise ClusterError(f"The kernel setting {name} cannot be set: {error.strerror}.") from error


def remove_bridge() -> None:
    """Remove the bridge, and with it its routes and the pods' cables."""
    if shutil.which("ip") is not None and _link_exists():
        _ip("link", "delete", BRIDGE)


def remove_firewall() -> None:
    """Remove the tables of kube-proxy."""
    nft = shutil.which("nft", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if nft is None:
        return
    for table in output_of([nft, "list", "tables"], what="nft list tables").splitlines():
        if table in {"table ip kube-proxy", "table ip6 kube-proxy"}:
            output_of([nft, "delete", *table.split()], what=f"nft delete {table}")


def save_sysctls(where: Layout) -> None:
    """Remember the kernel settings that the cluster changes, unless they are remembered already."""
    if where.sysctls.exists():
        return
    values = {
        name: (_PROC_SYS / name).read_text().strip() for name in (*_NEEDED, *_CHANGED) if (_PROC_SYS / name).exists()
    }
    where.sysctls.parent.mkdir(parents=True, exist_ok=True)
    where.sysctls.write_text(json.dumps(values, indent=2))


def restore_sysctls(where: Layout) -> None:
    """Put the kernel settings back as they were."""
    if not where.sysctls.exists():
        return
    for name, value in json.loads(where.sysctls.read_text()).items():
        path = _PROC_SYS / name
        if path.exists() and path.read_text().strip() != value:
            path.write_text(value)
    where.sysctls.unlink()


def _link_exists() -> bool:
    """Tell whether the bridge is there."""
    return Path("/sys/class/net", BRIDGE).exists()


def _owner() -> str:
    """Return the folder whose cluster made the bridge, or nothing when there is no bridge."""
    try:
        return Path("/sys/class/net", BRIDGE, "ifalias").read_text().strip()
    except OSError:
        return ""


def _ip(*words: str) -> None:
    """Run ``ip``."""
    output_of(["ip", *words], what=f"ip {' '.join(words)}")
