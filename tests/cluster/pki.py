"""Keys, certificates and kubeconfigs of one start of the cluster: made fresh each time, valid for a year."""

import datetime as dt
import ipaddress
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.cluster.layout import (
    API_PORT,
    BRIDGE_ADDRESS,
    DNS_DOMAIN,
    NODE_NAME,
    SERVICE_ADDRESS,
    Layout,
)

API_URL = f"https://{BRIDGE_ADDRESS}:{API_PORT}"
_VALID = dt.timedelta(days=365)
# A clock that is set back a little must not make the certificates invalid.
_BACKDATED = dt.timedelta(hours=1)
_ADMINS = "system:masters"

# Who talks to the API server: the certificate's name and group.
_CLIENTS = {
    "admin": ("holdfast-admin", _ADMINS),
    "kube-controller-manager": ("system:kube-controller-manager", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
    "kubelet": (f"system:node:{NODE_NAME}", "system:nodes"),
    "kube-proxy": ("system:kube-proxy", ""),
    "coredns": ("holdfast:coredns", ""),
}


class Authority:
    """A certificate authority whose key and certificate lie in a folder, beside what it signs."""

    def __init__(self, folder: Path) -> None:
        """Make the authority, and its files ``ca.key`` and ``ca.crt``."""
        folder.mkdir(parents=True, mode=0o700)
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("holdfast-ca", "")
        self._key_id = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        certificate = (
            _builder(self._name, self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(self._key_id, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        _write_key(folder / "ca.key", self._key)
        (folder / "ca.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, file: str, name: str, group: str = "", hosts: Sequence[str] = ()) -> None:
        """Make ``file.key`` and ``file.crt``: for a client, and for a server too when it has ``hosts``."""
        key = ec.generate_private_key(ec.SECP256R1())
        purposes = [ExtendedKeyUsageOID.CLIENT_AUTH] + ([ExtendedKeyUsageOID.SERVER_AUTH] if hosts else [])
        builder = (
            _builder(_name(name, group), self._name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._key_id), critical=False)
        )
        if hosts:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False
            )
        _write_key(self.folder / f"{file}.key", key)
        certificate = builder.sign(self._key, hashes.SHA256())
        (self.folder / f"{file}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def make_keys(where: Layout) -> None:
    """Make every key, certificate and kubeconfig that the cluster's parts need."""
    authority = Authority(where.keys)
    kubernetes = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{DNS_DOMAIN}"]
    authority.issue("etcd", "etcd", hosts=[BRIDGE_ADDRESS])
    authority.issue("kube-apiserver", "kube-apiserver", hosts=[BRIDGE_ADDRESS, SERVICE_ADDRESS, *kubernetes])
    # The API server is a client of the kubelet too; without this group, logs and exec are refused.
    authority.issue("kube-apiserver-kubelet", "kube-apiserver-kubelet", _ADMINS)
    authority.issue("front-proxy", "front-proxy")
    authority.issue("kubelet-server", NODE_NAME, hosts=[BRIDGE_ADDRESS, NODE_NAME])
    for file, (name, group) in _CLIENTS.items():
        authority.issue(file, name, group)
        target = where.kubeconfig if file == "admin" else where.keys / f"{file}.kubeconfig"
        _write_private(target, yaml.safe_dump(_kubeconfig(where.keys, file)).encode())
    tokens = ec.generate_private_key(ec.SECP256R1())
    _write_key(where.keys / "service-account.key", tokens)
    (where.keys / "service-account.pub").write_bytes(
        tokens.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def _kubeconfig(keys: Path, file: str) -> dict[str, object]:
    """Return a kubeconfig with everything inside, so that it can be copied anywhere."""

    def data(suffix: str) -> bytes:
        return (keys / suffix).read_bytes()

    user = {"client-certificate-data": data(f"{file}.crt"), "client-key-data": data(f"{file}.key")}
    cluster: dict[str, object] = {"server": API_URL, "certificate-authority-data": _base64(data("ca.crt"))}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "holdfast", "cluster": cluster}],
        "users": [{"name": file, "user": {key: _base64(value) for key, value in user.items()}}],
        "contexts": [{"name": "holdfast", "context": {"cluster": "holdfast", "user": file}}],
        "current-context": "holdfast",
    }


def _base64(data: bytes) -> str:
    """Return bytes as text."""
    return b64encode(data).decode()


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    """Return a certificate that only lacks its extensions."""
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _VALID)
    )


def _name(name: str, group: str) -> x509.Name:
    """Return a subject: Kubernetes reads the user from its common name and the group from its organization."""
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, signs: bool) -> x509.KeyUsage:
    """Return what a key may do: an authority signs certificates, others sign handshakes."""
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    """Return a host as a certificate names it: an address or a name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Write a private key for its owner only."""
    _write_private(
        path,
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        ),
    )


def _write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read."""
    path.touch(mode=0o600)
    path.write_bytes(data)
