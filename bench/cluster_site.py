"""A control plane full of policies and their past runs; its audit log tells what the operator asks of it."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kubernetes import client, config

from bench.measure import BenchError
from holdfast.kube.cluster import KubeCluster
from holdfast.kube.connection import Connection
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, CRON_JOB, SECRET, KubeObject
from holdfast.resources.base import format_time
from holdfast.resources.policy import BackupPolicy
from holdfast.specs.worker import run_for_job
from tests.support.control_plane import OPERATOR, ControlPlane
from tests.support.operator_process import OperatorProcess
from tests.support.ports import free_ports

ROOT = Path(__file__).parents[1]
NAMESPACES = 10
READS, WRITES = frozenset({"get", "list", "watch"}), frozenset({"create", "update", "patch", "delete"})
AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "users": [OPERATOR]}, {"level": "None"}],
}


@dataclass(frozen=True)
class Site:
    """``uri``: the database that all policies back up, which answers the operator's pings."""

    plane: ControlPlane
    connection: Connection
    cluster: KubeCluster
    folder: Path
    uri: str

    @property
    def namespaces(self) -> list[str]:
        return [f"scale-{number}" for number in range(NAMESPACES)]

    def operator(self, name: str, **settings: str | int) -> OperatorProcess:
        (port,) = free_ports(1)
        log = self.folder / f"operator-{name}.log"
        return OperatorProcess(
            self.plane.operator_kubeconfig,
            log,
            port=port,
            **{"resync_seconds": 60, **settings},  # type: ignore[arg-type]
        )

    def fill(self, policies: int, runs: int) -> None:
        """Policies, each with so many daily backups that ended well."""
        for namespace in self.namespaces:
            self.plane.kubectl("create", "namespace", namespace)
            self.cluster.create(
                SECRET, {"metadata": {"name": "shop", "namespace": namespace}, "stringData": {"MONGODB_URI": self.uri}}
            )
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: self._policy_with_runs(number, runs), range(policies)))

    def policy(self, number: int) -> KubeObject:
        """Create one policy."""
        # Hours that are far from now: nothing comes due while the operator is watched.
        hour = (datetime.now(UTC) + timedelta(hours=12)).hour
        body = {
            "metadata": {"name": f"policy-{number:04}", "namespace": self.namespaces[number % NAMESPACES]},
            "spec": {
                "source": {"uriSecretRef": {"name": "shop"}},
                "schedule": {"cron": f"{number % 60} {hour} * * *"},
                "retention": {"keepDaily": 30},
            },
        }
        created = self.cluster.create(BACKUP_POLICY, body)
        assert created is not None
        return created

    def wait(self, done: Callable[[], Any], what: str, seconds: float) -> float:
        """Seconds until it is so."""
        began = time.monotonic()
        while not done():
            if time.monotonic() - began > seconds:
                raise BenchError(f"{what}: not within {seconds:g} s")
            time.sleep(0.05)
        return time.monotonic() - began

    def ready(self) -> int:
        """How many policies are Ready."""
        bodies = self.cluster.list(BACKUP_POLICY)
        conditions = [body.get("status", {}).get("conditions") or [] for body in bodies]
        return sum(any(one["type"] == "Ready" and one["status"] == "True" for one in ones) for ones in conditions)

    def has_cron_job(self, policy: KubeObject) -> bool:
        return self.cluster.get(CRON_JOB, policy["metadata"]["namespace"], policy["metadata"]["name"]) is not None

    def is_suspended(self, policy: KubeObject) -> bool:
        """Whether its CronJob is."""
        body = self.cluster.get(CRON_JOB, policy["metadata"]["namespace"], policy["metadata"]["name"])
        return body is not None and bool(body["spec"].get("suspend"))

    def requests(self) -> list[tuple[str, str]]:
        """Verb and kind of each request of the operator so far."""
        lines = (self.folder / "audit.log").read_text().splitlines()
        events = [json.loads(line) for line in lines]
        return [(event["verb"], event["objectRef"]["resource"]) for event in events if "objectRef" in event]

    def _policy_with_runs(self, number: int, runs: int) -> None:
        policy = self.policy(number)
        model = BackupPolicy.model_validate(policy)
        for day in range(runs):
            ended = datetime.now(UTC) - timedelta(days=day, hours=2)
            name = f"{model.metadata.name}-{int(ended.timestamp()) // 60}"
            run = self.cluster.create(BACKUP_RUN, run_for_job(model, name, f"uid-{name}", "Scheduled"))
            assert run is not None
            self.cluster.patch_status(BACKUP_RUN, run, past_status(ended, day))


def past_status(ended: datetime, day: int) -> dict[str, Any]:
    """Of a backup of 12 collections."""
    condition = {"reason": "Succeeded", "message": "", "lastTransitionTime": format_time(ended)}
    return {
        "observedGeneration": 1,
        "phase": "Succeeded",
        "reason": "Succeeded",
        "startTime": format_time(ended - timedelta(minutes=3)),
        "completionTime": format_time(ended),
        "duration": "3m",
        "backupId": f"{ended:%Y%m%dT%H%M%SZ}-0{day:x}",
        "database": "timetrack",
        "consistency": {"level": "Snapshot", "clusterTime": "1772366400.1"},
        "documents": 1_500_000 - day * 1000,
        "logicalBytes": 680_000_000,
        "storedBytes": 100_000_000,
        "newBytes": 2_000_000,
        "storedSize": "95.4 MiB",
        "newSize": "1.9 MiB",
        "progress": "100%",
        "attempts": 1,
        "collections": [
            {"name": f"collection{number}", "phase": "Succeeded", "documents": 125_000, "bytes": 56_000_000}
            for number in range(12)
        ],
        "retention": {"time": format_time(ended)},
        "conditions": [
            {"type": "Complete", "status": "True", **condition},
            {"type": "Failed", "status": "False", **condition},
        ],
    }


def count(requests: Iterable[tuple[str, str]], verbs: Iterable[str]) -> Counter[str]:
    wanted = set(verbs)
    return Counter(f"{verb} {kind}" for verb, kind in requests if verb in wanted)


def memory_mib(pid: int, field: str = "VmRSS") -> float:
    """Of a process; ``VmHWM`` is the most that it ever held."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise BenchError(f"process {pid} has no {field}")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@contextmanager
def open_site(uri: str) -> Iterator[Site]:
    with TemporaryDirectory(prefix="holdfast-scale-") as name:
        folder = Path(name)
        (folder / "audit.yaml").write_text(json.dumps(AUDIT))
        audit = [f"--audit-policy-file={folder / 'audit.yaml'}", f"--audit-log-path={folder / 'audit.log'}"]
        plane = ControlPlane(folder, api_server=[*audit, "--audit-log-maxsize=2000"])
        try:
            plane.start()
            plane.kubectl("apply", "-f", str(ROOT / "crds"))
            plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(ROOT / "crds"))
            plane.kubectl("apply", "-f", "-", stdin=plane.render(ROOT / "charts" / "holdfast", "templates/rbac.yaml"))
            role = ("--clusterrole=default:holdfast", f"--user={OPERATOR}")
            plane.kubectl("create", "clusterrolebinding", "bench", *role)
            configuration = client.Configuration()
            config.load_kube_config(str(plane.kubeconfig), client_configuration=configuration)  # type: ignore[no-untyped-call]
            configuration.connection_pool_maxsize = 16
            connection = Connection(client.ApiClient(configuration))
            yield Site(plane, connection, KubeCluster(connection), folder, uri)
        finally:
            plane.stop()
