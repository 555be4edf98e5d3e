"""What one team has: a namespace, a database with a user, Secrets, policies and runs."""

import copy
from typing import Any

from pymongo.errors import OperationFailure

from tests.support import held
from tests.support.kubectl import CommandFailed, Kubectl, Object
from tests.support.mongod import Mongod
from tests.support.schedules import NOT_NOW
from tests.support.smtp_server import SmtpServer
from tests.support.timetrack import generate

API = "holdfast.dev/v1alpha1"
SMALL = 300
HELD_COLLECTION = "timeEntries"


class Site:
    """One namespace and one database. ``password`` must never be seen anywhere: see ``everything_said``."""

    def __init__(self, kubectl: Kubectl, mongod: Mongod, database: str) -> None:
        self.kubectl, self.mongod, self.database = kubectl, mongod, database
        self.namespace = str(kubectl.namespace)
        self.user = f"user-{database}"
        self.password = ""

    # --- what is there ---------------------------------------------------------------------------------------------

    def fill(self, entries: int = SMALL) -> None:
        self.mongod.client.drop_database(self.database)
        generate(self.mongod.client[self.database], entries=entries)

    def uri(self, *roles: dict[str, str]) -> str:
        """The URI of a new user with these roles; by default one that may read and write its database."""
        try:
            self.mongod.client["admin"].command("dropUser", self.user)
        except OperationFailure as error:
            if error.code != 11:  # UserNotFound
                raise
        granted = roles or ({"role": "readWrite", "db": self.database},)
        self.password = self.mongod.create_user(self.user, list(granted))
        return self.mongod.uri_for(self.user, self.password, database=self.database)

    def secret(self, uri: str, name: str = "timetrack", key: str = "MONGODB_URI") -> None:
        self._secret(name, {key: uri})

    def secret_with_mail(self, uri: str, smtp: SmtpServer) -> None:
        """One Secret for all, as from an .env file."""
        self._secret("timetrack", {"MONGODB_URI": uri, **smtp.settings()})

    def _secret(self, name: str, values: Object) -> None:
        self.kubectl.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values})

    def policy(self, name: str = "timetrack", **spec: Any) -> None:
        """Apply a policy; keywords replace parts of its spec."""
        base: Object = {
            "source": {"uriSecretRef": {"name": "timetrack"}},
            "schedule": {"cron": NOT_NOW},
            "job": {"backoffLimit": 1, "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}}},
        }
        merged = copy.deepcopy(base)
        for key, value in spec.items():
            merged[key] = {**merged.get(key, {}), **value}
        self.kubectl.apply({"apiVersion": API, "kind": "BackupPolicy", "metadata": {"name": name}, "spec": merged})

    def ready(self, **spec: Any) -> None:
        """Everything a backup needs: data, a Secret, and a policy that is Ready."""
        self.fill()
        self.secret(self.uri())
        self.policy(**spec)
        self.kubectl.wait("backuppolicy/timetrack", "condition=Ready")

    # --- runs ------------------------------------------------------------------------------------------------------

    def start(self, policy: str = "timetrack") -> str:
        """Create a BackupRun, and return its name."""
        return self.kubectl.create(
            {
                "apiVersion": API,
                "kind": "BackupRun",
                "metadata": {"generateName": "by-hand-"},
                "spec": {"policyRef": {"name": policy}},
            }
        )

    def ended(self, run: str, phase: str = "Succeeded", seconds: int = 120) -> Object:
        """Wait until a run is in a phase, and return its status."""
        self.kubectl.wait(f"backuprun/{run}", "create", seconds)
        self.kubectl.wait(f"backuprun/{run}", f"jsonpath={{.status.phase}}={phase}", seconds)
        status: Object = self.kubectl.get(f"backuprun/{run}")["status"]
        return status

    def restore(self, name: str, phase: str = "Succeeded", **spec: Any) -> Object:
        """Apply a RestoreRun of the latest backup, wait for its end, and return its status."""
        self.ask_to_restore(name, **spec)
        return self.restored(name, phase)

    def restored(self, name: str, phase: str = "Succeeded", seconds: int = 120) -> Object:
        """Wait until a RestoreRun has ended, and return its status."""
        self.kubectl.wait(f"restorerun/{name}", "jsonpath={.status.completionTime}", seconds)
        status: Object = self.kubectl.get(f"restorerun/{name}")["status"]
        assert status["phase"] == phase, status["message"]
        return status

    def ask_to_restore(self, name: str, **spec: Any) -> None:
        source = {"policyRef": {"name": "timetrack"}, "latest": True}
        body: Object = {"apiVersion": API, "kind": "RestoreRun", "metadata": {"name": name}}
        self.kubectl.apply({**body, "spec": {"source": source, **spec}})

    def back_up(self) -> Object:
        """Take a backup and return the status of its run."""
        return self.ended(self.start())

    def not_ready(self, reason: str, policy: str = "timetrack") -> str:
        """Wait until a policy is not Ready for a reason, and return the message."""
        path = "{.status.conditions[?(@.type=='Ready')].reason}"
        self.kubectl.wait(f"backuppolicy/{policy}", f"jsonpath={path}={reason}", 60)
        conditions = self.kubectl.get(f"backuppolicy/{policy}")["status"]["conditions"]
        [ready] = [one for one in conditions if one["type"] == "Ready"]
        assert ready["status"] == "False"
        return str(ready["message"])

    # --- holding a backup where a test wants it --------------------------------------------------------------------

    def hold(self) -> None:
        """Every reader of the held collection waits, until ``release``."""
        held.hold(self.mongod.client, self._held_namespace)

    def release(self) -> None:
        held.release(self.mongod.client, self._held_namespace)

    def held(self) -> None:
        """Wait until a worker is held."""
        held.await_held(self.mongod.client, self._held_namespace)

    @property
    def _held_namespace(self) -> str:
        return f"{self.database}.{HELD_COLLECTION}"

    # --- what was said ---------------------------------------------------------------------------------------------

    def everything_said(self) -> str:
        """Statuses, events and logs of this namespace, and the operator's log."""
        kinds = "backuppolicies,backupruns,restoreruns,jobs,cronjobs,pods,events"
        said = [self.kubectl("get", kinds, "--output", "yaml")]
        for pod in self.kubectl.list("pods"):
            try:
                said.append(self.kubectl("logs", pod["metadata"]["name"]))
            except CommandFailed:
                continue  # it never started
        return "\n".join(said)
