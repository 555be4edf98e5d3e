"""What this machine must have before anything is touched."""

import os
import shutil
import sys
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.layout import Layout
from tests.cluster.tools import check_go, missing_tools

_GIB = 1024**3
# Measured: 9 GiB, most of it in the caches of Go; the rest is room for the images of a few days.
_COLD_GIB = 15
_WARM_GIB = 2


def check_root() -> None:
    """Refuse anything but root on Linux: a node makes namespaces, mounts and cgroups."""
    if sys.platform != "linux":
        raise ClusterError(
            "The cluster runs on Linux only: set HOLDFAST_KUBECONFIG to use a cluster that you have elsewhere."
        )
    if os.geteuid() != 0:
        raise ClusterError("The cluster needs root, for it makes network namespaces, mounts and cgroups.")


def check_machine(where: Layout, *, with_tools: bool = True) -> None:
    """Refuse a machine on which the cluster cannot be built or run, and say why in one sentence.

    The programs built from Go are not asked for without ``with_tools``: an image needs none of them.
    """
    check_root()
    where.check()
    if shutil.which("apt-get") is None:
        raise ClusterError("The cluster takes its packages from Debian, and apt-get is not on this machine.")
    missing = missing_tools(where) if with_tools else []
    if missing:
        check_go()
    _check_room(where, _COLD_GIB if missing else _WARM_GIB)


def check_other_node(where: Layout) -> None:
    """Refuse a machine that is a Kubernetes node already: two nodes would share cgroups and firewall tables."""
    if where.cluster.exists():
        return
    for controller in Path("/sys/fs/cgroup").glob("**/kubepods/**/cgroup.procs"):
        if controller.read_text().strip():
            raise ClusterError(
                "This machine is a Kubernetes node already: set HOLDFAST_KUBECONFIG to use that cluster instead."
            )


def _check_room(where: Layout, wanted: int) -> None:
    """Refuse a disk with less than ``wanted`` GiB free."""
    where.root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(where.root).free / _GIB
    if free < wanted:
        raise ClusterError(f"About {wanted} GB of disk are needed at {where.root}, and {free:.1f} GB are free.")
