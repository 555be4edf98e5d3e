"""Recovery to any second in a namespace: the archiver's own pod on a real oplog, and RestoreRuns to a moment."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from holdfast.ports import ClusterTime
from holdfast.repository.slices import SliceName, Slices
from holdfast.wiring.opening import now, open_mongodb_store, open_repository
from tests.integration.kube.conftest import Namespace
from tests.integration.kube.shop import BY_RUN, LATEST, Shop, restore
from tests.integration.kube.test_resources import policy
from tests.support.compare import OWN_COLLECTIONS, differences, snapshot_of
from tests.support.control_plane import ControlPlane
from tests.support.mongod import Mongod
from tests.support.pod_runner import PodRunner, RunningPod

OF_SHOP = {"policyRef": {"name": "shop"}}
MOMENT = "2026-11-23T01:59:59Z"
ARCHIVED = {"enabled": True, "sliceSeconds": 1}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (restore(source={**LATEST, "pointInTime": MOMENT}), "exactly one of"),
        (restore(source={**OF_SHOP, "pointInTime": MOMENT, "backupId": "2026"}), "exactly one of"),
        (restore(source={**BY_RUN, "pointInTime": MOMENT}), "takes none of them"),
        (restore(source={**OF_SHOP, "pointInTime": "yesterday"}), "date-time"),
        (restore(source={**OF_SHOP, "before": {"namespace": "users"}}), "Required value"),
        (restore(source={**OF_SHOP, "before": {"namespace": "users", "operation": "insert"}}), "dropDatabase"),
        (restore(source={**OF_SHOP, "pointInTime": MOMENT}, existing="Drop"), "replaces nothing"),
    ],
)
def test_a_wrong_moment_is_refused_in_words(here: Namespace, body: dict[str, Any], said: str) -> None:
    assert said in here.kubectl("create", "-f", "-", stdin=json.dumps(body), check=False)


class Archive:
    """A shop with an archiver at work."""

    def __init__(self, shop: Shop, plane: ControlPlane, folder: Path, target: Database[dict[str, Any]]) -> None:
        self._plane, self._folder = plane, folder
        self.shop, self.target, self.here = shop, target, shop.here
        # Else each backup of the day would take the place of the one before it.
        kept = {"keepLast": 20}
        self.here.apply(policy(job={"backoffLimit": 1}, pointInTime=ARCHIVED, retention=kept))
        self.pods: list[RunningPod] = []
        self._taken: set[str] = set()

    def start(self) -> None:
        """The pod's process; once more where it is there already."""
        pod = self.here.wait(self._pod, "the archiver has a pod")
        runner = PodRunner(self._plane, self._folder / str(len(self.pods)))
        self.pods.append(runner.start(self.here.name, pod))

    def _pod(self) -> str:
        names = self.here.kubectl("get", "pods", "--selector=holdfast.dev/archiver=true", "--output=name").split()
        return names[0].removeprefix("pod/") if names else ""

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.here.get("bp", "shop").get("status", {}).get("pointInTime", {})
        return status

    def first_backup(self) -> str:
        """The one that starts by itself; its id."""
        name = self.here.wait(lambda: next(iter(self._new_runs()), ""), "a backup starts by itself")
        self._taken.add(name)
        assert self.shop.start(name).end() == 0
        return str(self.here.wait_for_status("br", name, phase="Succeeded")["backupId"])

    def _new_runs(self) -> list[str]:
        items = json.loads(self.here.kubectl("get", "br", "--output=json"))["items"]
        named = [one["metadata"]["name"] for one in items if one["spec"]["reason"] == "Oplog"]
        return [name for name in named if name not in self._taken]

    def kill(self) -> None:
        """All that are at work."""
        for pod in self.pods:
            if pod.process.poll() is None:
                pod.process.kill()
                pod.process.communicate()

    def break_chain(self, uri: str) -> None:
        """Have the newest slice end with an entry that the oplog does not hold, as after an election took it back."""
        database = self.shop.database
        name = str(database.client.admin.command("hello")["setName"])
        with closing(open_repository(open_mongodb_store(uri, database.name, origin="the test"))) as repository:
            repository.open()
            slices = Slices(repository, name, database.name, f"{self.here.name}/shop")
            newest = slices.newest()
            assert newest is not None
            until = ClusterTime(newest.until.seconds, newest.until.increment + 1)
            slices.write(SliceName(newest.lineage, newest.until, until), 99, (), now())

    def check(self, name: str) -> str:
        health = self.here.get("bp", "shop")["status"].get("health", {})
        return next((str(one["status"]) for one in health.get("checks", ()) if one["name"] == name), "")

    def condition(self) -> tuple[str, str]:
        found = [one for one in self.here.get("bp", "shop")["status"]["conditions"] if one["type"] == "PointInTime"]
        return (found[0]["status"], found[0]["reason"]) if found else ("", "")

    def wait_until_archived(self) -> str:
        """All that is there now; the second, which is whole then."""
        second = self.second()
        self.here.wait(lambda: self.status().get("to", "") >= second and "from" in self.status(), "it is archived", 60)
        return second

    def second(self) -> str:
        """The present one of the server, once it is over."""
        admin = self.shop.database.client.admin
        seconds = admin.command("hello")["lastWrite"]["opTime"]["ts"].time

        def over() -> bool:
            self.shop.database["beat"].update_one({"_id": 0}, {"$inc": {"n": 1}}, upsert=True)
            return bool(admin.command("hello")["lastWrite"]["opTime"]["ts"].time > seconds)

        self.here.wait(over, "a second goes by")
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def archive(
    shop: Shop, control_plane: ControlPlane, restored: Database[dict[str, Any]], mongod: Mongod, tmp_path: Path
) -> Iterator[Archive]:
    # It reads the oplog, and repeats operations in another database.
    roles = ["backup", "restore", *({"role": role, "db": restored.name} for role in ("readWrite", "dbAdmin"))]
    mongod.client.admin.command("grantRolesToUser", f"user-{shop.database.name}", roles=roles)
    archive = Archive(shop, control_plane, tmp_path / "archivers", restored)
    yield archive
    archive.kill()


def test_from_the_policy_to_the_second_before_a_drop(archive: Archive) -> None:
    shop, here = archive.shop, archive.here
    here.wait(lambda: archive.condition() == ("Unknown", "Starting"), "it is starting")
    archive.start()
    first = archive.first_backup()
    shop.database["late"].insert_one({"_id": 1})
    archive.wait_until_archived()
    here.wait(lambda: archive.condition() == ("True", "Archiving"), "all is well")
    shown = here.kubectl("get", "bp", "shop", "--output=wide")
    assert archive.status()["from"] in shown
    content = snapshot_of(shop.database, skip=OWN_COLLECTIONS)
    shop.database["users"].drop()
    shop.database["late"].insert_one({"_id": 2})
    archive.wait_until_archived()
    source = {**OF_SHOP, "before": {"namespace": f"{shop.database.name}.users", "operation": "drop"}}
    into = {"database": archive.target.name}
    plan = shop.restore("plan", source=source, target=into)
    assert (plan["phase"], plan["reason"], plan["backupId"]) == ("Succeeded", "Planned", first), plan["message"]
    assert plan["pointInTime"]["operations"] >= 1
    assert "Nothing was changed" in plan["message"]
    assert archive.target.list_collection_names() == []
    status = shop.restore("back", mode="Apply", source=source, target=into)
    assert (status["phase"], status["verification"]["result"]) == ("Succeeded", "Replayed"), status["message"]
    assert status["pointInTime"] == plan["pointInTime"]
    differing = differences(content, snapshot_of(archive.target, skip=OWN_COLLECTIONS))
    assert [one for one in differing if "beat" not in one] == []


def test_a_second_that_is_asked_for_is_had_and_one_that_is_not_there_refused(archive: Archive) -> None:
    shop = archive.shop
    archive.start()
    archive.first_backup()
    shop.database["feedback"].update_many({}, {"$set": {"seen": True}})
    second = archive.wait_until_archived()
    shop.damage()
    archive.wait_until_archived()
    into = {"database": archive.target.name}
    rename = [{"from": "feedback", "to": "opinions"}]
    source = {**OF_SHOP, "pointInTime": second}
    status = shop.restore(mode="Apply", source=source, target=into, include=["feedback"], rename=rename)
    assert (status["phase"], status["pointInTime"]["time"]) == ("Succeeded", second), status["message"]
    assert archive.target.list_collection_names() == ["opinions"]
    assert archive.target["opinions"].count_documents({"seen": True}) == archive.target["opinions"].count_documents({})
    status = shop.restore("never", code=2, source={**OF_SHOP, "pointInTime": "2020-01-01T00:00:00Z"}, target=into)
    assert (status["phase"], status["reason"]) == ("Failed", "TimeNotReachable")
    assert "after it" in status["message"]


def test_archivers_that_are_killed_and_two_at_once_leave_no_gap(archive: Archive) -> None:
    shop = archive.shop
    archive.start()
    archive.first_backup()
    for number in range(3):
        shop.database["late"].insert_one({"_id": number})
        archive.kill()
        archive.start()
        archive.start()
    second = archive.wait_until_archived()
    shop.database["late"].drop()
    assert archive.status()["gaps"] == []
    into = {"database": archive.target.name}
    archive.wait_until_archived()
    status = shop.restore(mode="Apply", source={**OF_SHOP, "pointInTime": second}, target=into, include=["late"])
    assert status["phase"] == "Succeeded", status["message"]
    assert archive.target["late"].count_documents({}) == 3


def test_a_gap_is_told_closed_by_a_backup_and_never_bridged(archive: Archive, mongod: Mongod) -> None:
    shop, here = archive.shop, archive.here
    archive.start()
    archive.first_backup()
    archive.wait_until_archived()
    archive.kill()
    archive.break_chain(mongod.uri)
    shop.database["late"].insert_one({"_id": 1})
    lost = archive.second()
    archive.start()
    here.wait(lambda: archive.condition() == ("False", "Gap"), "the gap is told")
    assert "no longer holds" in archive.status()["gaps"][0]["message"]
    here.wait(lambda: archive.check("BackupIntegrity") == "Critical", "health says so")
    archive.first_backup()
    archive.wait_until_archived()
    here.wait(lambda: archive.condition() == ("True", "Archiving"), "the backup has closed it")
    here.wait(lambda: archive.check("BackupIntegrity") == "Healthy", "health says so too")
    [gap] = archive.status()["gaps"]
    assert gap["from"] < lost < gap["to"]
    into = {"database": archive.target.name}
    status = shop.restore(code=2, mode="Apply", source={**OF_SHOP, "pointInTime": lost}, target=into)
    assert status["reason"] == "TimeNotReachable"
    assert f"before it {gap['from']}" in status["message"]
    assert f"after it {gap['to']}" in status["message"]
    for name, moment, there in (("before", gap["from"], 0), ("after", gap["to"], 1)):
        status = shop.restore(name, mode="Apply", source={**OF_SHOP, "pointInTime": moment}, target=into)
        assert status["phase"] == "Succeeded", status["message"]
        assert archive.target["late"].count_documents({}) == there
        archive.target.client.drop_database(archive.target.name)


def test_a_policy_without_it_has_no_archiver_and_one_that_loses_it_neither(archive: Archive) -> None:
    archive.here.wait(lambda: archive.here.get("deployment", "shop-oplog"), "there is an archiver")
    archive.here.apply(policy(job={"backoffLimit": 1}, pointInTime={"enabled": False}))
    archive.here.wait(lambda: not archive.here.get("deployment", "shop-oplog"), "there is none any more")
    archive.here.wait(lambda: archive.condition() == ("", ""), "nothing is said of it")
