"""A namespace with a policy over a real database, and pods that really work."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymongo.database import Database

from tests.integration.kube.conftest import Namespace
from tests.integration.kube.test_operator import pod_of
from tests.integration.kube.test_resources import policy
from tests.support.compare import OWN_COLLECTIONS, differences, snapshot_of
from tests.support.control_plane import ControlPlane
from tests.support.mongod import Mongod
from tests.support.operator_process import OperatorProcess
from tests.support.pod_runner import Node, PodRunner, RunningPod
from tests.support.timetrack import generate

LATEST = {"policyRef": {"name": "shop"}, "latest": True}
BY_RUN = {"backupRunRef": {"name": "by-hand"}}


def restore(name: str = "back", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "holdfast.dev/v1alpha1",
        "kind": "RestoreRun",
        "metadata": {"name": name},
        "spec": {"source": LATEST, **spec},
    }


def backup_run(name: str) -> dict[str, Any]:
    body = {"apiVersion": "holdfast.dev/v1alpha1", "kind": "BackupRun", "metadata": {"name": name}}
    return {**body, "spec": {"policyRef": {"name": "shop"}}}


class Shop:
    """A namespace with a policy over a real database, and pods that really work."""

    def __init__(self, here: Namespace, runner: PodRunner, database: Database[dict[str, Any]]) -> None:
        self.here, self._runner, self.database = here, runner, database
        self.clean = snapshot_of(database)

    def start(self, job: str) -> RunningPod:
        return self.start_pod(pod_of(self.here, job).removeprefix("pod/"))

    def start_pod(self, name: str) -> RunningPod:
        return self._runner.start(self.here.name, name)

    def node(self) -> Node:
        """One that starts all pods while it is open."""
        return Node(self._runner, self.here.name)

    def back_up(self, name: str = "by-hand") -> str:
        """Take a backup; its id."""
        self.here.apply(backup_run(name))
        assert self.start(name).end() == 0
        return str(self.here.wait_for_status("br", name, phase="Succeeded")["backupId"])

    def restore(self, name: str = "back", code: int = 0, **spec: Any) -> dict[str, Any]:
        """Do a restore to its end; its status."""
        self.here.apply(restore(name, **spec))
        ended_with = self.start(f"restore-{name}").end()
        status = dict(self.here.wait(lambda: self._ended(name), f"{name} has ended"))
        assert ended_with == code, status["message"]
        return status

    def damage(self) -> None:
        self.database["feedback"].drop()
        self.database["timeEntries"].update_many({}, {"$set": {"note": "overwritten"}})

    def is_clean(self) -> bool:
        return not differences(self.clean, self.content())

    def content(self) -> Any:
        return snapshot_of(self.database, skip=OWN_COLLECTIONS)

    def may_write(self, database: str) -> None:
        """Have the policy's user restore into another database, past validators too."""
        roles = [{"role": role, "db": database} for role in ("readWrite", "dbAdmin")]
        self.database.client.admin.command({"grantRolesToUser": f"user-{self.database.name}", "roles": roles})

    def events(self, name: str = "back") -> list[tuple[str, str]]:
        output = self.here.kubectl(
            "get", "events", f"--field-selector=involvedObject.name={name}", "--sort-by=.firstTimestamp", "-o", "json"
        )
        return [(event["reason"], event["message"]) for event in json.loads(output)["items"]]

    def _ended(self, name: str) -> dict[str, Any] | None:
        status: dict[str, Any] = self.here.get("rr", name).get("status", {})
        return status if status.get("phase") in ("Succeeded", "Failed", "Cancelled") else None


@contextmanager
def open_shop(
    here: Namespace,
    operator: OperatorProcess,
    plane: ControlPlane,
    mongod: Mongod,
    database: Database[dict[str, Any]],
    folder: Path,
) -> Iterator[Shop]:
    """The policy is ready, and its database full. Afterwards nothing may have told the password."""
    generate(database, entries=200)
    user = f"user-{database.name}"
    # dbAdmin: a collection with a validator is restored past it.
    password = mongod.create_user(user, [{"role": role, "db": database.name} for role in ("readWrite", "dbAdmin")])
    uri = mongod.uri_for(user, password, database=database.name)
    here.kubectl("create", "secret", "generic", "shop", f"--from-literal=MONGODB_URI={uri}")
    here.apply(policy(job={"backoffLimit": 1}))
    here.kubectl("wait", "--for=condition=Ready", "bp/shop", "--timeout=30s")
    yield Shop(here, PodRunner(plane, folder), database)
    shown = here.kubectl("get", "backuppolicies,backupruns,restoreruns,jobs,pods,events", "--output=yaml")
    for text in (shown, operator.log.read_text()):
        assert password not in text
        assert "Traceback" not in text
