"""Where everything lies: one folder for all state, and the fixed addresses and names of the cluster.

The addresses are fixed because they are baked into certificates and because a service on the host, such as a
database, has to know where to listen before the cluster is up.
"""

import os
from pathlib import Path

from tests.cluster.errors import ClusterError

NODE_NAME = "holdfast"
BRIDGE = "holdfast0"
BRIDGE_ADDRESS = "10.244.0.1"
POD_RANGE = "10.244.0.0/24"
SERVICE_RANGE = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"
DNS_ADDRESS = "10.96.0.10"
DNS_DOMAIN = "cluster.local"
API_PORT = 6443
DNS_PORT = 10053
PAUSE_IMAGE = "holdfast-pause:1"

# The kernel refuses a longer path for a Unix socket.
_SOCKET_PATH_LIMIT = 107


class Layout:
    """The folder of all state, and what lies where in it."""

    def __init__(self, root: Path) -> None:
        """Take ``root`` as the folder that holds everything."""
        self.root = root
        self.bin = root / "bin"
        self.build_logs = root / "logs"
        self.images = root / "images"
        self.archives = self.images / "archives"
        self.lock = root / "lock"
        self.cluster = root / "cluster"
        self.keys = self.cluster / "keys"
        self.config = self.cluster / "config"
        self.logs = self.cluster / "logs"
        self.processes = self.cluster / "processes"
        self.kubeconfig = self.cluster / "kubeconfig"
        self.kubelet = self.cluster / "kubelet"
        self.pod_logs = self.cluster / "pods"
        self.containerd_socket = self.cluster / "containerd.sock"
        self.containerd_state = self.cluster / "containerd"
        self.containerd_root = self.images / "containerd"
        # Beside the cluster's folder, because the bridge may come before the cluster does.
        self.sysctls = root / "sysctls.json"

    def check(self) -> None:
        """Refuse a folder in which a socket's path would be too long for the kernel."""
        longest = self.kubelet / "device-plugins" / "kubelet.sock"
        if len(os.fsencode(longest)) > _SOCKET_PATH_LIMIT:
            raise ClusterError(f"The folder {self.root} has too long a path: set HOLDFAST_CACHE to a shorter one.")


def layout() -> Layout:
    """Return the layout below ``HOLDFAST_CACHE``, or below the user's cache folder."""
    own = os.environ.get("HOLDFAST_CACHE")
    shared = os.environ.get("XDG_CACHE_HOME")
    root = Path(own) if own else (Path(shared) if shared else Path.home() / ".cache") / "holdfast"
    return Layout(root.absolute())
