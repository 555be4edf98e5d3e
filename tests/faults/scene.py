"""What is there to be struck: policies that run each minute, on two stores, with mail."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import cluster
from tests.support.kubectl import Kubectl, Object
from tests.support.mongod import Mongod
from tests.support.s3 import REGION, S3
from tests.support.smtp_server import SmtpServer
from tests.support.timetrack import generate

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = "holdfast-system"
NAMESPACE = "faults"
DATABASE = "faults"
REPOSITORY = "faults_backups"
SECRET = "timetrack"
KEYS = "keys"
ENTRIES = 2000
DEADLINE_SECONDS = 120
KEPT = 3
ALL = 1000
COLLECT_SECONDS = 60
API = "holdfast.dev/v1alpha1"


@dataclass(frozen=True)
class Place:
    """A policy's repository, as the command line knows it."""

    policy: str
    repository: str
    kept: int
    """How many backups its rule keeps."""


class Scene:
    """The namespace, the database, and the command line beside them."""

    def __init__(self, kubectl: Kubectl, mongod: Mongod, s3: S3, smtp: SmtpServer) -> None:
        self.kubectl, self.mongod, self.s3, self.smtp = kubectl.within(NAMESPACE), mongod, s3, smtp
        self._all = kubectl
        buckets = [s3.new_bucket() for _ in range(2)]
        self._buckets = dict(zip(("bucket", "short"), buckets, strict=True))
        self.places = (
            Place("beside", f"mongodb:{REPOSITORY}", ALL),
            Place("bucket", f"s3://{buckets[0]}", ALL),
            Place("short", f"s3://{buckets[1]}", KEPT),
        )

    def set_up(self) -> None:
        """The data, the Secrets and the policies. The first backup is at the next full minute."""
        generate(self.mongod.client[DATABASE], entries=ENTRIES)
        self._all("create", "namespace", NAMESPACE)
        self._all("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
        roles = [{"role": "readWrite", "db": name} for name in (DATABASE, REPOSITORY)]
        password = self.mongod.create_user("backup", roles)
        uri = self.mongod.uri_for("backup", password, database=DATABASE)
        self._secret(SECRET, {"MONGODB_URI": uri, **self.smtp.settings()})
        self._secret(KEYS, {name: value for name, value in self.s3.settings.items() if "KEY" in name})
        for place in self.places:
            self._policy(place, suspend=False)
        for place in self.places:
            self.kubectl.wait(f"backuppolicy/{place.policy}", "condition=Ready")
            self.kubectl.wait(f"backuppolicy/{place.policy}", "condition=NotificationsReady")

    def suspend(self) -> None:
        for place in self.places:
            self._policy(place, suspend=True)
            self.kubectl.wait(f"cronjob/{place.policy}", "jsonpath={.spec.suspend}=true", 120)

    def runs(self) -> list[Object]:
        return list(self.kubectl.list("backupruns"))

    def holdfast(self, place: Place, *arguments: str, good: tuple[int, ...] = (0,), seconds: float = 300) -> Any:
        """What a command prints about a repository, as the administrator of all. One that takes longer is stopped."""
        command = [
            *(sys.executable, "-m", "holdfast", *arguments, "--json"),
            *("--repository", place.repository, "--uri-file", str(self.mongod.uri_file)),
        ]
        environment = {**os.environ, **self.s3.settings}
        pipe = subprocess.PIPE
        with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True) as running:
            try:
                printed, said = running.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                running.terminate()  # so that it gives back what it holds
                printed, said = running.communicate()
                said += f" It did not end within {seconds:.0f} s."
        if running.returncode not in good:
            raise CommandLineFailed(f"`holdfast {' '.join(arguments)}`, {place.policy}: {said.strip()[-2000:]}")
        return json.loads(printed)

    def _secret(self, name: str, values: Mapping[str, str]) -> None:
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": dict(values)}
        self.kubectl.apply(body)

    def _policy(self, place: Place, *, suspend: bool) -> None:
        self.kubectl.apply(
            {
                "apiVersion": API,
                "kind": "BackupPolicy",
                "metadata": {"name": place.policy},
                "spec": {
                    "source": {"uriSecretRef": {"name": SECRET}, "consistency": "Required"},
                    "schedule": {"cron": "* * * * *", "suspend": suspend},
                    "retention": {"keepLast": place.kept, "keepDaily": 0, "keepMonthly": 0},
                    "storage": self._storage(place),
                    "notifications": {"email": {"collectSeconds": COLLECT_SECONDS}},
                    "job": {
                        "activeDeadlineSeconds": DEADLINE_SECONDS,
                        "backoffLimit": 2,
                        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
                    },
                },
            }
        )

    def _storage(self, place: Place) -> Object:
        if place.policy not in self._buckets:
            return {"mongodb": {"database": REPOSITORY}}
        bucket = {"bucket": self._buckets[place.policy], "endpoint": self.s3.endpoint, "region": REGION}
        return {"s3": {**bucket, "credentialsSecretRef": {"name": KEYS}}}


class CommandLineFailed(Exception):
    """The command line said no; the message is what it said."""


def install(kubernetes: cluster.Cluster) -> Kubectl:
    """The operator, by Helm."""
    kubectl = Kubectl(kubernetes.kubeconfig, kubernetes.bin_dir)
    repository, _, tag = cluster.build_image().rpartition(":")
    # fmt: off
    kubectl.within(SYSTEM).run(
        "helm", "upgrade", "--install", "holdfast", str(ROOT / "charts" / "holdfast"), "--create-namespace",
        "--set", f"image.repository={repository}", "--set", f"image.tag={tag}",
        "--wait", "--timeout", "3m", seconds=240,
    )
    # fmt: on
    return kubectl
