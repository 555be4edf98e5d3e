"""Names inside the cluster: CoreDNS on the host, behind the service ``kube-dns``.

It knows the cluster's own names only; any other name fails at once, for pods have no way to other networks anyhow.
"""

import secrets
import socket
import struct
import subprocess
from importlib import resources

from tests.cluster import processes
from tests.cluster.errors import ClusterError
from tests.cluster.layout import BRIDGE_ADDRESS, DNS_ADDRESS, DNS_DOMAIN, DNS_PORT, SERVICE_ADDRESS, Layout
from tests.cluster.progress import step

DNS = "coredns"
_KUBERNETES = f"kubernetes.default.svc.{DNS_DOMAIN}"
_TIMEOUT = 1.0


def start_dns(where: Layout) -> None:
    """Start CoreDNS; it answers as soon as it has read the services."""
    config = where.config / "Corefile"
    config.write_text(
        f"""\
.:{DNS_PORT} {{
  bind {BRIDGE_ADDRESS}
  errors
  health {BRIDGE_ADDRESS}:10080
  ready {BRIDGE_ADDRESS}:10081
  kubernetes {DNS_DOMAIN} in-addr.arpa ip6.arpa {{
    kubeconfig {where.keys / "coredns.kubeconfig"}
    pods insecure
    ttl 1
  }}
}}
"""
    )
    processes.start(where, DNS, [where.bin / DNS, "-conf", config])


def apply_objects(where: Layout) -> None:
    """Apply the objects that every cluster here has: the DNS service, and what the name server may read."""
    text = resources.files("tests.cluster").joinpath("objects.yaml").read_text()
    for name, value in {"DNS_ADDRESS": DNS_ADDRESS, "HOST_ADDRESS": BRIDGE_ADDRESS, "DNS_PORT": str(DNS_PORT)}.items():
        text = text.replace(f"${{{name}}}", value)
    with step("Applying the cluster's own objects"):
        result = subprocess.run(
            [where.bin / "kubectl", "--kubeconfig", where.kubeconfig, "apply", "--server-side", "--filename", "-"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            raise ClusterError(f"The cluster's own objects cannot be applied: {result.stderr.strip()}")


def resolves() -> bool:
    """Tell whether the DNS service, asked at its service address as a pod does, knows the API server."""
    return SERVICE_ADDRESS in resolve(_KUBERNETES, DNS_ADDRESS, 53)


def resolve(name: str, server: str, port: int) -> list[str]:
    """Return the IPv4 addresses of a name, or nothing when the server does not answer or does not know it."""
    number = secrets.randbelow(1 << 16)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = labels + b"\0" + struct.pack("!HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(_TIMEOUT)
        try:
            client.sendto(struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + question, (server, port))
            answer = client.recv(4096)
        except OSError:
            return []
    return addresses(answer, number, len(question))


def addresses(answer: bytes, number: int, question: int) -> list[str]:
    """Return the IPv4 addresses that an answer holds."""
    if len(answer) < 12 or struct.unpack("!H", answer[:2])[0] != number:
        return []
    found = []
    at = 12 + question
    for _ in range(struct.unpack("!H", answer[6:8])[0]):
        # A name is either a pointer or spelt out up to its empty label.
        at = at + 2 if answer[at] >= 0xC0 else answer.index(b"\0", at) + 1
        kind, _, _, size = struct.unpack("!HHIH", answer[at : at + 10])
        at += 10
        if kind == 1:
            found.append(socket.inet_ntoa(answer[at : at + size]))
        at += size
    return found
