"""Health on a real API server, of a real database that goes away and comes back; the clock is moved, not waited for."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from holdfast.kube.cluster import KubeCluster
from holdfast.mongo.probe import MongoProbe
from holdfast.resources.base import format_time
from holdfast.services.look_after_health import look_after_health
from holdfast.services.reconcile_policy import reconcile_policy
from holdfast.specs.worker import WorkerImage
from tests.integration.kube.conftest import Namespace
from tests.integration.kube.shop import Shop
from tests.integration.kube.test_resources import policy
from tests.support.mongod import Mongod
from tests.support.operator_process import OperatorProcess

HOUR = timedelta(hours=1)


class Patient:
    """A policy that is looked after by hand, at times of the test's choice."""

    def __init__(self, here: Namespace, cluster: KubeCluster, mongod: Mongod) -> None:
        self.here, self.mongod = here, mongod
        self._cluster, self._probe = cluster, MongoProbe(limit_seconds=1)
        self.now = datetime.now(UTC)
        uri = mongod.uri.replace("/?", "/shop?", 1)
        here.kubectl("create", "secret", "generic", "shop", f"--from-literal=MONGODB_URI={uri}")
        here.apply(policy())
        reconcile_policy(cluster, here.name, "shop", image=WorkerImage("holdfast:1"), clock=lambda: self.now)

    def run(self, name: str, phase: str) -> None:
        """A run that ends now."""
        body = {"apiVersion": "holdfast.dev/v1alpha1", "kind": "BackupRun"}
        metadata = {"name": name, "labels": {"holdfast.dev/policy": "shop"}}
        self.here.apply({**body, "metadata": metadata, "spec": {"policyRef": {"name": "shop"}}})
        status: dict[str, Any] = {"phase": phase, "reason": phase, "completionTime": format_time(self.now)}
        if phase == "Succeeded":
            status["backupId"] = name
        patch = json.dumps({"status": status})
        self.here.kubectl("patch", f"br/{name}", "--subresource=status", "--type=merge", f"--patch={patch}")

    def look(self, after: timedelta = timedelta(minutes=1)) -> str:
        """The verdict, as ``kubectl get bp`` shows it."""
        self.now += after
        look_after_health(self._cluster, self._probe, self.here.name, "shop", clock=lambda: self.now)
        header, row = self.here.kubectl("get", "bp", "shop").splitlines()
        column = header.index("HEALTH")
        return row[column:].split()[0]

    def version(self) -> str:
        return str(self.here.get("bp", "shop")["metadata"]["resourceVersion"])


@pytest.fixture
def patient(here: Namespace, cluster: KubeCluster) -> Iterator[Patient]:
    with Mongod() as mongod:
        yield Patient(here, cluster, mongod)


def test_health_goes_down_and_up_with_the_facts(patient: Patient) -> None:
    patient.run("good", "Succeeded")
    told = [patient.look()]
    patient.run("bad", "Failed")
    told.append(patient.look())
    patient.mongod.kill()
    told.append(patient.look())
    told.append(patient.look())
    patient.mongod.start()
    patient.run("good-again", "Succeeded")
    told.append(patient.look())
    told.append(patient.look())
    assert told == ["Healthy", "Warning", "Warning", "Critical", "Critical", "Healthy"]
    assert patient.here.kubectl("wait", "--for=condition=Healthy", "bp/shop", "--timeout=1s")
    told.append(patient.look(27 * HOUR))
    told.append(patient.look())
    assert told[-2:] == ["Healthy", "Critical"]
    message = patient.here.get("bp", "shop")["status"]["health"]["message"]
    assert message.startswith("RecentBackup: The newest good backup, of BackupRun good-again, ended at ")


def test_nothing_is_written_when_nothing_changed(patient: Patient) -> None:
    patient.run("good", "Succeeded")
    patient.look()
    before = patient.version()
    for _ in range(3):
        patient.look()
    assert patient.version() == before


def test_the_operator_says_that_a_policy_is_healthy_after_its_first_backup(shop: Shop) -> None:
    shop.back_up()
    shop.here.kubectl("wait", "--for=condition=Healthy", "bp/shop", "--timeout=30s")
    status = shop.here.get("bp", "shop")["status"]
    assert {check["status"] for check in status["health"]["checks"]} == {"Healthy"}
    assert status["health"]["checks"][0]["message"] == "Replica set rs0 answers."
    assert (status["statistics"]["runs"], status["statistics"]["successPercent"]) == (1, 100)
    assert status["statistics"]["logicalBytes"]["newest"] > 0


def test_the_operator_measures_a_policy_until_it_is_deleted(shop: Shop, operator: OperatorProcess) -> None:
    shop.back_up()
    namespace = f'namespace="{shop.here.name}"'
    place = f'{namespace},policy="shop"'
    shop.here.wait(lambda: f'holdfast_policy_health{{{place},status="Healthy"}} 1.0' in operator.metrics(), "healthy")
    text = operator.metrics()
    assert f'holdfast_backup_runs{{{namespace},phase="Succeeded",policy="shop"}} 1.0' in text
    assert f"holdfast_backup_last_documents{{{place}}}" in text
    assert 'holdfast_reconcile_duration_seconds_count{kind="BackupPolicy"}' in text
    shop.here.kubectl("delete", "bp", "shop")
    shop.here.wait(lambda: namespace not in operator.metrics(), "no series is left")


@pytest.mark.parametrize(
    ("health", "said"),
    [
        ({"maxAgeSeconds": 5}, "spec.health.maxAgeSeconds in body should be greater than or equal to 60"),
        ({"pings": True}, 'unknown field "spec.health.pings"'),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_words(here: Namespace, health: dict[str, Any], said: str) -> None:
    body = json.dumps(policy(health=health))
    assert said in here.kubectl("create", "-f", "-", stdin=body, check=False)
