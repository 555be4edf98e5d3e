"""The node: containerd, the kubelet and kube-proxy, and the network of pods."""

import json
from pathlib import Path

import yaml

from tests.cluster import processes
from tests.cluster.layout import (
    BRIDGE,
    BRIDGE_ADDRESS,
    DNS_ADDRESS,
    DNS_DOMAIN,
    NODE_NAME,
    PAUSE_IMAGE,
    POD_RANGE,
    SERVICE_RANGE,
    Layout,
)
from tests.cluster.progress import step, wait_until
from tests.cluster.store import Store
from tests.cluster.tools import locate

CONTAINERD = "containerd"
KUBELET = "kubelet"
PROXY = "kube-proxy"
NETWORK = "holdfast"
_CNI_PLUGINS = "/usr/lib/cni"
_POD_GATEWAY_RANGE = [{"subnet": POD_RANGE, "gateway": BRIDGE_ADDRESS}]


def start_containerd(where: Layout) -> Store:
    """Start containerd, wait until it answers, and return its store of images and containers."""
    with step("Starting containerd"):
        for folder in (where.config, where.containerd_root, where.containerd_state):
            folder.mkdir(parents=True, exist_ok=True)
        config = _write(where.config / "containerd.toml", _containerd_config(where))
        _write(where.config / "cni" / "10-holdfast.conflist", json.dumps(_cni_config(where), indent=2))
        process = processes.start(where, CONTAINERD, [locate("containerd"), "--config", config])
        store = Store(where)
        wait_until(
            store.answers,
            what="containerd to answer",
            seconds=30,
            log=processes.log_of(where, CONTAINERD),
            alive=process.is_alive,
        )
    return store


def start_kubelet(where: Layout) -> None:
    """Start the kubelet."""
    config = _write(where.config / "kubelet.yaml", yaml.safe_dump(_kubelet_config(where)))
    processes.start(
        where,
        KUBELET,
        [
            where.bin / KUBELET,
            f"--config={config}",
            f"--kubeconfig={where.keys / 'kubelet.kubeconfig'}",
            f"--root-dir={where.kubelet}",
            f"--cert-dir={where.kubelet / 'pki'}",
            f"--hostname-override={NODE_NAME}",
            f"--node-ip={BRIDGE_ADDRESS}",
        ],
    )


def start_proxy(where: Layout) -> None:
    """Start kube-proxy; it ends when its file is written again, so this happens once per start."""
    config = _write(where.config / "kube-proxy.yaml", yaml.safe_dump(_proxy_config(where)))
    processes.start(where, PROXY, [where.bin / PROXY, f"--config={config}", f"--hostname-override={NODE_NAME}"])


def _containerd_config(where: Layout) -> str:
    """Return containerd's configuration. JSON strings are valid TOML strings."""
    return f"""\
version = 2
root = {json.dumps(str(where.containerd_root))}
state = {json.dumps(str(where.containerd_state))}
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing",
]

[grpc]
  address = {json.dumps(str(where.containerd_socket))}

[debug]
  level = "warn"

[plugins."io.containerd.internal.v1.opt"]
  path = {json.dumps(str(where.cluster / "opt"))}

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = {json.dumps(PAUSE_IMAGE)}
  # A container may want a better score than a process without CAP_SYS_RESOURCE can give.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = {json.dumps(_CNI_PLUGINS)}
    conf_dir = {json.dumps(str(where.config / "cni"))}

  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
      Root = {json.dumps(str(where.cluster / "runc"))}
"""


def _cni_config(where: Layout) -> dict[str, object]:
    """Return the network of pods: a cable to the bridge, and a route to the services only."""
    return {
        "cniVersion": "0.4.0",
        "name": NETWORK,
        "plugins": [
            {
                "type": "bridge",
                "bridge": BRIDGE,
                "isGateway": True,
                "hairpinMode": True,
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(where.cluster / "addresses"),
                    "ranges": [_POD_GATEWAY_RANGE],
                    "routes": [{"dst": SERVICE_RANGE}],
                },
            }
        ],
    }


def _kubelet_config(where: Layout) -> dict[str, object]:
    """Return the kubelet's configuration: a node that touches no other part of the machine, and never evicts."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": BRIDGE_ADDRESS,
        "healthzBindAddress": BRIDGE_ADDRESS,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(where.keys / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(where.keys / "kubelet-server.crt"),
        "tlsPrivateKeyFile": str(where.keys / "kubelet-server.key"),
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": DNS_DOMAIN,
        "resolvConf": "",
        "containerRuntimeEndpoint": f"unix://{where.containerd_socket}",
        "podLogsDir": str(where.pod_logs),
        "volumePluginDir": str(where.kubelet / "volume-plugins"),
        "staticPodPath": "",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "maxPods": 110,
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {
            "memory.available": "50Mi",
            "nodefs.available": "500Mi",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "500Mi",
        },
        # Below: a node for tests should answer at once, and there is no one to be spared.
        "syncFrequency": "5s",
        "fileCheckFrequency": "0s",
        "httpCheckFrequency": "0s",
        "nodeStatusUpdateFrequency": "4s",
        "nodeLeaseDurationSeconds": 20,
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
        "kubeAPIQPS": 100,
        "kubeAPIBurst": 200,
    }


def _proxy_config(where: Layout) -> dict[str, object]:
    """Return kube-proxy's configuration: its rules live in nftables of their own, and nothing else is tuned."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": str(where.keys / "kube-proxy.kubeconfig")},
        "clusterCIDR": POD_RANGE,
        "nodePortAddresses": [POD_RANGE],
        "bindAddress": BRIDGE_ADDRESS,
        "healthzBindAddress": f"{BRIDGE_ADDRESS}:10256",
        "metricsBindAddress": f"{BRIDGE_ADDRESS}:10249",
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
        "nftables": {"minSyncPeriod": "100ms", "syncPeriod": "30s"},
    }


def _write(path: Path, text: str) -> Path:
    """Write a configuration file and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
