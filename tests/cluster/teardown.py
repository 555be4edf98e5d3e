"""Ending the cluster: exactly what it started, in an order that lets each part clean up after itself.

Everything here is safe on a cluster that is half dead, half started or not there at all: each step looks for what is
left and removes that.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.cluster import controlplane, dns, network, node, processes
from tests.cluster.errors import ClusterError
from tests.cluster.layout import Layout
from tests.cluster.progress import step
from tests.cluster.store import Store

_CGROUPS = Path("/sys/fs/cgroup")
# Fixed paths of the kubelet, of the network plugins and of containerd's shims.
_LOG_LINKS = Path("/var/log/containers")
_NETWORK_RESULTS = Path("/var/lib/cni/results")
_DEVICE_SOCKET = Path("/var/lib/kubelet/device-plugins/kubelet.sock")
_SHIM_SOCKETS = Path("/run/containerd/s")
_NODE_SECONDS = 5.0
_API_SECONDS = 3.0
_CGROUP_SECONDS = 10.0


def remove_cluster(where: Layout) -> None:
    """End the cluster and remove all that it made, except the bridge, the programs and the images."""
    if not where.cluster.exists():
        return
    with step("Ending the cluster"):
        processes.stop(
            where,
            [node.KUBELET, node.PROXY, controlplane.CONTROLLERS, controlplane.SCHEDULER, dns.DNS],
            _NODE_SECONDS,
        )
        if processes.is_alive(where, node.CONTAINERD):
            # What cannot be removed in order is killed below, and forgotten at the next start.
            with suppress(ClusterError):
                Store(where).clear()
        processes.stop(where, [node.CONTAINERD, controlplane.API_SERVER, controlplane.ETCD], _API_SECONDS)
        processes.end(processes.by_command(str(where.containerd_socket)), 0.0)
        _end_pods()
        _remove_shim_sockets(where)
        _unmount(where)
        network.remove_firewall()
        _remove_cgroups()
        _remove_links(where)
        shutil.rmtree(where.cluster)


def remove_all(where: Layout) -> None:
    """End the cluster and remove the bridge too, and put the kernel's settings back."""
    remove_cluster(where)
    network.remove_bridge()
    network.restore_sysctls(where)


def _pod_cgroups() -> list[Path]:
    """Return the top cgroups of all pods: one for each controller, or a single one."""
    return [path for path in [*_CGROUPS.glob("kubepods"), *_CGROUPS.glob("*/kubepods")] if path.is_dir()]


def _end_pods() -> None:
    """Kill the processes of pods whose shim is gone, and wait until their cgroups are empty."""
    deadline = time.monotonic() + _CGROUP_SECONDS
    while pids := {pid for top in _pod_cgroups() for pid in _pids(top) if processes.start_time(pid) is not None}:
        if time.monotonic() > deadline:
            raise ClusterError(f"Processes of pods do not end: {sorted(pids)}.")
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _pids(top: Path) -> Iterator[int]:
    """Yield the processes in a cgroup and below."""
    for file in top.rglob("cgroup.procs"):
        with suppress(OSError):
            yield from (int(word) for word in file.read_text().split())


def _remove_cgroups() -> None:
    """Remove the cgroups of pods, the innermost first."""
    for top in _pod_cgroups():
        folders = sorted((path for path in top.rglob("*") if path.is_dir()), key=lambda path: -len(path.parts))
        for folder in [*folders, top]:
            # The kernel lets go of a cgroup a moment after its last process has ended.
            deadline = time.monotonic() + _CGROUP_SECONDS
            while folder.exists():
                try:
                    folder.rmdir()
                except OSError as error:
                    if time.monotonic() > deadline:
                        raise ClusterError(f"The cgroup {folder} cannot be removed: {error.strerror}.") from error
                    time.sleep(0.05)


def _remove_shim_sockets(where: Layout) -> None:
    """Remove the sockets that containerd's shims keep outside of our folder; their addresses are inside it."""
    for file in where.containerd_state.glob("io.containerd.runtime.v2.task/*/*/address"):
        with suppress(OSError):
            socket = Path(file.read_text().strip().removeprefix("unix://"))
            if socket.is_relative_to(_SHIM_SOCKETS):
                socket.unlink(missing_ok=True)
    for folder in (_SHIM_SOCKETS, _SHIM_SOCKETS.parent):
        # Others may use the folder too, and then it is not empty.
        with suppress(OSError):
            folder.rmdir()


def mounts_below(*folders: Path) -> list[str]:
    """Return the mount points below folders, the innermost first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    return [point for point in reversed(points) if any(Path(point).is_relative_to(folder) for folder in folders)]


def _unmount(where: Layout) -> None:
    """Unmount everything in our folders, so that removing a folder never reaches into something mounted there."""
    ours = (where.cluster, where.containerd_root)
    for point in mounts_below(*ours):
        subprocess.run(["umount", point], capture_output=True, check=False)
    for point in mounts_below(*ours):
        subprocess.run(["umount", "--lazy", point], capture_output=True, check=False)
    if left := mounts_below(*ours):
        raise ClusterError(f"These mounts cannot be undone: {', '.join(left)}.")


def _remove_links(where: Layout) -> None:
    """Remove what the kubelet and the network plugins leave at fixed places of the machine."""
    for link in _LOG_LINKS.glob("*.log"):
        if link.is_symlink() and link.readlink().is_relative_to(where.pod_logs):
            link.unlink()
    for result in _NETWORK_RESULTS.glob(f"{node.NETWORK}-*-eth0"):
        pod = result.name.removeprefix(f"{node.NETWORK}-").removesuffix("-eth0")
        for left in (result, _NETWORK_RESULTS / f"cni-loopback-{pod}-lo"):
            left.unlink(missing_ok=True)
    # A kubelet keeps this one outside of its own folder, and only one kubelet runs on a machine.
    _DEVICE_SOCKET.unlink(missing_ok=True)
    devices = _DEVICE_SOCKET.parent
    for folder in (_LOG_LINKS, _NETWORK_RESULTS, _NETWORK_RESULTS.parent, devices, devices.parent):
        with suppress(OSError):
            folder.rmdir()
