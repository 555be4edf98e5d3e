"""The control plane: etcd, the API server, the controller manager and the scheduler.

Everything listens on the bridge address, so that nothing of the host's own is in the way.
"""

from pathlib import Path

from tests.cluster import api, processes
from tests.cluster.layout import API_PORT, BRIDGE_ADDRESS, DNS_DOMAIN, POD_RANGE, SERVICE_RANGE, Layout
from tests.cluster.progress import step, wait_until

ETCD = "etcd"
API_SERVER = "kube-apiserver"
CONTROLLERS = "kube-controller-manager"
SCHEDULER = "kube-scheduler"
_ETCD_URL = f"https://{BRIDGE_ADDRESS}:2379"
_ETCD_PEER_URL = f"https://{BRIDGE_ADDRESS}:2380"


def start_api(where: Layout) -> None:
    """Start etcd and the API server, and wait until the latter is ready."""
    with step("Starting etcd and the API server"):
        processes.start(where, ETCD, _etcd(where))
        process = processes.start(where, API_SERVER, _api_server(where))
        wait_until(
            lambda: api.is_ready(where),
            what="the API server to be ready",
            seconds=60,
            log=processes.log_of(where, API_SERVER),
            alive=process.is_alive,
        )


def start_controllers(where: Layout) -> None:
    """Start the controller manager and the scheduler."""
    processes.start(where, CONTROLLERS, _controller_manager(where))
    processes.start(where, SCHEDULER, _scheduler(where))


def _etcd(where: Layout) -> list[str | Path]:
    """Return etcd's command line: its data lives for one start, so it need not reach the disk."""
    keys = where.keys
    pair: list[str | Path] = []
    for kind in ("", "peer-"):
        pair += [f"--{kind}cert-file={keys / 'etcd.crt'}", f"--{kind}key-file={keys / 'etcd.key'}"]
        pair += [f"--{kind}trusted-ca-file={keys / 'ca.crt'}", f"--{kind}client-cert-auth"]
    return [
        where.bin / ETCD,
        f"--data-dir={where.cluster / 'etcd'}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={_ETCD_URL}",
        f"--advertise-client-urls={_ETCD_URL}",
        f"--listen-peer-urls={_ETCD_PEER_URL}",
        f"--initial-advertise-peer-urls={_ETCD_PEER_URL}",
        f"--initial-cluster=default={_ETCD_PEER_URL}",
        "--log-level=warn",
        *pair,
    ]


def _api_server(where: Layout) -> list[str | Path]:
    """Return the API server's command line."""
    keys = where.keys
    return [
        where.bin / API_SERVER,
        f"--bind-address={BRIDGE_ADDRESS}",
        f"--advertise-address={BRIDGE_ADDRESS}",
        f"--secure-port={API_PORT}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        f"--etcd-servers={_ETCD_URL}",
        f"--etcd-cafile={keys / 'ca.crt'}",
        f"--etcd-certfile={keys / 'etcd.crt'}",
        f"--etcd-keyfile={keys / 'etcd.key'}",
        f"--client-ca-file={keys / 'ca.crt'}",
        f"--tls-cert-file={keys / 'kube-apiserver.crt'}",
        f"--tls-private-key-file={keys / 'kube-apiserver.key'}",
        f"--kubelet-certificate-authority={keys / 'ca.crt'}",
        f"--kubelet-client-certificate={keys / 'kube-apiserver-kubelet.crt'}",
        f"--kubelet-client-key={keys / 'kube-apiserver-kubelet.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--service-account-issuer=https://kubernetes.default.svc.{DNS_DOMAIN}",
        f"--service-account-key-file={keys / 'service-account.pub'}",
        f"--service-account-signing-key-file={keys / 'service-account.key'}",
        # Lets a later extension of the API, such as metrics, know whom it is asked for.
        f"--requestheader-client-ca-file={keys / 'ca.crt'}",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={keys / 'front-proxy.crt'}",
        f"--proxy-client-key-file={keys / 'front-proxy.key'}",
        "--allow-privileged=true",
        "--profiling=false",
    ]


def _controller_manager(where: Layout) -> list[str | Path]:
    """Return the controller manager's command line."""
    keys = where.keys
    config = keys / f"{CONTROLLERS}.kubeconfig"
    return [
        where.bin / CONTROLLERS,
        f"--bind-address={BRIDGE_ADDRESS}",
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        # Its default is a folder of the machine's, which it would make.
        f"--flex-volume-plugin-dir={where.kubelet / 'volume-plugins'}",
        f"--cluster-cidr={POD_RANGE}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        f"--cluster-signing-cert-file={keys / 'ca.crt'}",
        f"--cluster-signing-key-file={keys / 'ca.key'}",
        f"--root-ca-file={keys / 'ca.crt'}",
        f"--service-account-private-key-file={keys / 'service-account.key'}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--profiling=false",
    ]


def _scheduler(where: Layout) -> list[str | Path]:
    """Return the scheduler's command line."""
    config = where.keys / f"{SCHEDULER}.kubeconfig"
    return [
        where.bin / SCHEDULER,
        f"--bind-address={BRIDGE_ADDRESS}",
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        "--leader-elect=false",
        "--profiling=false",
    ]
