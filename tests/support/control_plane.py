"""A Kubernetes without nodes: etcd, the API server and the controllers on loopback, of one test session's own.

CronJobs start Jobs, Jobs start pods, owners take what they own with them; only no pod ever runs, so a test says itself
what becomes of a pod. It starts in seconds, and beside any other cluster.
"""

import json
import secrets
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from ssl import SSLContext, create_default_context
from typing import Any, Self

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.cluster.layout import layout
from tests.cluster.tools import build_tools
from tests.support.ports import free_ports
from tests.support.process import Process, spawn

TOOLS = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl", "helm")
OPERATOR = "operator"
"""A user with no right but what a test binds to it."""
PERSON = "ada@example.com"
"""Somebody as OIDC names people, with no rights at all."""
START_SECONDS = 60
PATHS: Mapping[str, str] = {
    "bp": "apis/holdfast.dev/v1alpha1/namespaces/{}/backuppolicies",
    "br": "apis/holdfast.dev/v1alpha1/namespaces/{}/backupruns",
    "rr": "apis/holdfast.dev/v1alpha1/namespaces/{}/restoreruns",
    "cronjob": "apis/batch/v1/namespaces/{}/cronjobs",
    "job": "apis/batch/v1/namespaces/{}/jobs",
}
"""Where the API server keeps what tests look at again and again: a kubectl for each look costs more than all else."""
AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "users": [OPERATOR]},
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
        {"level": "None"},
    ],
}


@dataclass(frozen=True)
class Asked:
    """One request of a service account, or of the operator, that the API server has answered."""

    user: str
    verb: str
    group: str
    resource: str
    """With its subresource, as in a Role."""
    namespace: str
    name: str
    code: int

    @property
    def writes(self) -> bool:
        return self.verb not in ("get", "list", "watch")


class ControlPlane:
    """Starts with ``start``, ends with ``stop``, or lasts as long as it is open; ``folder`` holds all that it writes.

    ``api_server``: further arguments of the API server.
    """

    def __init__(self, folder: Path, *, api_server: Sequence[str] = ()) -> None:
        self._folder, self._more = folder, api_server
        self._bin = layout().bin
        self._tokens = {"admin": secrets.token_hex(16), OPERATOR: secrets.token_hex(16), PERSON: secrets.token_hex(16)}
        self._etcd_port, self._peer_port, self._api_port = free_ports(3)
        self._processes: list[Process] = []
        self._audit = folder / "audit.log"
        self.kubeconfig = folder / "admin.kubeconfig"
        self.operator_kubeconfig = folder / "operator.kubeconfig"
        self.accounts_key = folder / "accounts.key"
        """What the tokens of ServiceAccounts are signed with."""

    @property
    def port(self) -> int:
        """Of the API server."""
        return self._api_port

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._api_port}"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        build_tools(layout(), TOOLS)
        self._write_keys()
        self._spawn("etcd", self._etcd())
        self._spawn("kube-apiserver", self._api_server())
        self._wait_ready()
        self.write_kubeconfig(self.kubeconfig, self._tokens["admin"])
        self.write_kubeconfig(self.operator_kubeconfig, self._tokens[OPERATOR])
        self._spawn("kube-controller-manager", self._controllers())
        self._wait_for_service_account()

    def token_of_person(self) -> str:
        """Of PERSON, for the API server itself."""
        return self._tokens[PERSON]

    def stop(self) -> None:
        """Killed, not asked: nothing of it is kept, and an API server takes its time."""
        for process in self._processes:
            process.send(signal.SIGKILL)
        for process in self._processes:
            process.wait(10)

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """The output of a kubectl command; with ``check`` False also that of one that fails."""
        done = subprocess.run(
            [self._bin / "kubectl", f"--kubeconfig={self.kubeconfig}", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
        output = done.stdout + done.stderr
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {output}")
        return output

    def get(self, namespace: str, kind: str, name: str) -> dict[str, Any]:
        """An object, or an empty one if there is none."""
        if kind not in PATHS:
            output = self.kubectl("--namespace", namespace, "get", kind, name, "--output=json", "--ignore-not-found")
            return dict(json.loads(output)) if output else {}
        try:
            return dict(json.loads(self._ask(f"/{PATHS[kind].format(namespace)}/{name}")))
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return {}
            raise

    def asked(self, *users: str) -> list[Asked]:
        """All that these users have asked for, in the order of the answers."""
        found = []
        for line in self._audit.read_text().splitlines():
            event = json.loads(line)
            about = event.get("objectRef")
            if about and event["user"]["username"] in users:
                resource = "/".join(filter(None, (about["resource"], about.get("subresource"))))
                where = (about.get("apiGroup", ""), resource, about.get("namespace", ""), about.get("name", ""))
                found.append(Asked(event["user"]["username"], event["verb"], *where, event["responseStatus"]["code"]))
        return found

    def _write_keys(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.accounts_key.write_bytes(private)
        (self._folder / "accounts.pub").write_bytes(public)
        admin, operator, person = (self._tokens[name] for name in ("admin", OPERATOR, PERSON))
        (self._folder / "audit.yaml").write_text(yaml.safe_dump(AUDIT))
        lines = f'{admin},admin,admin,"system:masters"\n{operator},{OPERATOR},{OPERATOR}\n{person},{PERSON},{PERSON}\n'
        (self._folder / "tokens.csv").write_text(lines)

    def write_kubeconfig(self, path: Path, token: str, api: str = "") -> None:
        """``api``: by which way to the API server, if not straight."""
        cluster = {"server": api or self.url, "certificate-authority": str(self._folder / "certs" / "apiserver.crt")}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        }
        path.write_text(yaml.safe_dump(config))

    def _etcd(self) -> Sequence[str]:
        client, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{self._peer_port}"
        return [
            f"--data-dir={self._folder / 'etcd'}",
            "--unsafe-no-fsync",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--log-level=warn",
        ]

    def _api_server(self) -> Sequence[str]:
        return [
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--secure-port={self._api_port}",
            f"--cert-dir={self._folder / 'certs'}",
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            f"--token-auth-file={self._folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            # It asks for rights of its own of whoever makes an object that another owns.
            "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
            f"--audit-policy-file={self._folder / 'audit.yaml'}",
            f"--audit-log-path={self._audit}",
            "--service-cluster-ip-range=10.97.0.0/24",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self._folder / 'accounts.pub'}",
            f"--service-account-signing-key-file={self.accounts_key}",
            *self._more,
        ]

    def _controllers(self) -> Sequence[str]:
        (port,) = free_ports(1)
        return [
            f"--kubeconfig={self.kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={self._folder / 'controller-certs'}",
            "--leader-elect=false",
            f"--service-account-private-key-file={self.accounts_key}",
            "--controllers=*,-nodeipam,-nodelifecycle,-cloud-node-lifecycle,-service-lb-controller",
        ]

    def _spawn(self, name: str, arguments: Sequence[str]) -> None:
        self._processes.append(
            spawn([self._bin / name, *arguments], output=self._folder / f"{name}.log", outlive=False)
        )

    def _wait_ready(self) -> None:
        authority = self._folder / "certs" / "apiserver.crt"
        self._wait(lambda: authority.exists() and self._get("/readyz") == b"ok")

    def _wait_for_service_account(self) -> None:
        self._wait(lambda: self._get("/api/v1/namespaces/default/serviceaccounts/default") is not None)

    def _wait(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not done():
            dead = [process for process in self._processes if not process.is_alive]
            if dead or time.monotonic() > deadline:
                logs = "\n".join(path.read_text()[-2000:] for path in sorted(self._folder.glob("*.log")))
                raise AssertionError(f"the control plane did not start:\n{logs}")
            time.sleep(0.1)

    def _get(self, path: str) -> bytes | None:
        try:
            return self._ask(path)
        except OSError:
            return None

    def _ask(self, path: str) -> bytes:
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self._tokens['admin']}"})  # noqa: S310
        with urllib.request.urlopen(request, context=self._trust(), timeout=5) as answer:  # noqa: S310
            data: bytes = answer.read()
            return data

    def _trust(self) -> SSLContext:
        return create_default_context(cafile=str(self._folder / "certs" / "apiserver.crt"))

    def render(self, chart: Path, template: str, *settings: str, namespace: str = "default") -> str:
        """One template of a chart, as Helm would install it with these ``name=value``."""
        words = ["template", "holdfast", str(chart), "--show-only", template, "--namespace", namespace]
        words += [word for setting in settings for word in ("--set", setting)]
        done = subprocess.run([str(self._bin / "helm"), *words], capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise AssertionError(f"helm {' '.join(words)}: {done.stderr}")
        return done.stdout
