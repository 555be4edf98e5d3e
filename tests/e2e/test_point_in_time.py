"""A real archiver in the cluster, an accident, and the moment before it."""

from datetime import UTC, datetime
from time import monotonic

from tests.e2e.site import Site
from tests.support.compare import OWN_COLLECTIONS, differences, snapshot_of
from tests.support.kubectl import Object

PATIENCE = 60.0


def archived(site: Site) -> None:
    """Wait until all that is written now can be restored."""
    admin = site.mongod.client["admin"]
    seconds = admin.command("hello")["lastWrite"]["opTime"]["ts"].time
    second = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    deadline = monotonic() + PATIENCE
    while told(site).get("to", "") < second:
        assert monotonic() < deadline, told(site)


def told(site: Site) -> Object:
    status: Object = site.kubectl.get("backuppolicy/timetrack")["status"].get("pointInTime", {})
    return status


def test_the_moment_before_a_drop_comes_back_exactly_though_the_archiver_was_killed(site: Site) -> None:
    site.fill()
    then = f"{site.database}_then"
    users = [{"role": role, "db": name} for role in ("readWrite", "dbAdmin") for name in (site.database, then)]
    site.secret(site.uri(*users, *({"role": role, "db": "admin"} for role in ("backup", "restore"))))
    site.policy(pointInTime={"enabled": True, "sliceSeconds": 1})
    site.kubectl.wait("backuppolicy/timetrack", "condition=PointInTime", 180)
    [first] = site.kubectl.list("backupruns")
    assert (first["spec"]["reason"], first["status"]["phase"]) == ("Oplog", "Succeeded")

    database = site.mongod.client[site.database]
    database["feedback"].update_many({}, {"$set": {"seen": True}})
    site.kubectl("delete", "pod", "--selector=holdfast.dev/archiver", "--force", "--grace-period=0")
    database["users"].update_many({}, {"$inc": {"visits": 1}})
    database["late"].insert_one({"_id": 1})
    content = snapshot_of(database, skip=OWN_COLLECTIONS)
    database["users"].drop()
    archived(site)
    assert told(site)["gaps"] == []

    accident: Object = {"namespace": "users", "operation": "drop"}
    wish: Object = {
        "source": {"policyRef": {"name": "timetrack"}, "before": accident},
        "target": {"database": then},
        "mode": "Apply",
    }
    status = site.restore("back", **wish)
    assert status["verification"]["result"] == "Replayed"
    assert status["backupId"] == first["status"]["backupId"]
    assert differences(content, snapshot_of(site.mongod.client[then], skip=OWN_COLLECTIONS)) == []
    site.mongod.client.drop_database(then)
    assert site.password not in site.everything_said()
