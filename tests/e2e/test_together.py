"""Real Indexed Jobs: two pods back up, and two restore. One is killed each time, and all comes back exactly."""

import json
import os
import signal
from time import monotonic

from bson import encode
from bson.raw_bson import RawBSONDocument

from tests.e2e.site import Site
from tests.e2e.test_backups import holdfast
from tests.e2e.test_deaths import workers
from tests.support.compare import OWN_COLLECTIONS, differences, snapshot_of

DOCUMENTS = 60_000
"""Of about a KiB: a part for each of the pods."""
PATIENCE = 120.0


def fill(site: Site) -> None:
    site.fill()
    text = "word " * 200
    big = site.mongod.client[site.database]["big"]
    for first in range(0, DOCUMENTS, 10_000):
        numbers = range(first, first + 10_000)
        big.insert_many([RawBSONDocument(encode({"_id": n, "note": f"{n} {text}"})) for n in numbers])


def both_at_work(site: Site) -> None:
    """Wait until the pods of both indexes have a part that they read."""
    deadline = monotonic() + PATIENCE
    plans = {"_id": {"$regex": "^shared/.*/plans/"}}
    locks = {"_id": {"$regex": "^locks/shared/"}}
    objects = site.mongod.client[site.database]["backupmetadatas"]
    with objects.watch(max_await_time_ms=1_000) as changes:
        while not objects.count_documents(plans) or objects.count_documents(locks) < 2:
            assert monotonic() < deadline, "both pods were to hold the repository"
            changes.try_next()  # at the next one, or after a second


def first_seen(site: Site, *settings: str, kind: str) -> int:
    """Wait for a worker, and return its process."""
    deadline = monotonic() + PATIENCE
    while not (found := workers(site, *settings, kind=kind)):
        assert monotonic() < deadline, f"the pod of {', '.join(settings)} was to start"
    return found[0]


def test_a_pod_of_two_is_killed_and_the_backup_comes_back_exactly(site: Site) -> None:
    fill(site)
    then = f"{site.database}_then"
    site.secret(site.uri(*({"role": "readWrite", "db": name} for name in (site.database, then)),
                         *({"role": "dbAdmin", "db": name} for name in (site.database, then))))  # fmt: skip
    # Slow enough to be killed at work. Not held: the first pod has to read where the ranges begin.
    site.policy(job={"parallelism": 2, "backoffLimit": 2}, source={"maxBytesPerSecond": 2 * 2**20})
    site.kubectl.wait("backuppolicy/timetrack", "condition=Ready")
    database = site.mongod.client[site.database]
    content = snapshot_of(database, skip=OWN_COLLECTIONS)

    run = site.start()
    both_at_work(site)
    [victim] = workers(site, "JOB_COMPLETION_INDEX=1")
    os.kill(victim, signal.SIGKILL)
    site.kubectl.wait(f"job/{run}", "jsonpath={.status.failed}=1", 120)
    status = site.ended(run, seconds=240)
    assert status["consistency"]["level"] == "Snapshot"

    job = site.kubectl.get(f"job/{run}")
    assert (job["spec"]["completionMode"], job["spec"]["completions"]) == ("Indexed", 2)
    site.kubectl.wait(f"job/{run}", "condition=Complete", 120)
    assert json.loads(holdfast(site, "verify", "latest", "--read-data", "--json"))["good"]

    site.ask_to_restore("back", target={"database": then}, mode="Apply")
    os.kill(first_seen(site, "JOB_COMPLETION_INDEX=1", kind="restore"), signal.SIGKILL)
    status = site.restored("back", seconds=240)
    assert status["verification"]["result"] == "Equal"
    site.kubectl.wait("job/restore-back", "condition=Complete", 120)
    job = site.kubectl.get("job/restore-back")
    assert (job["spec"]["completionMode"], job["spec"]["completions"]) == ("Indexed", 2)
    assert job["status"]["failed"] == 1
    assert differences(content, snapshot_of(site.mongod.client[then], skip=OWN_COLLECTIONS)) == []
    site.mongod.client.drop_database(then)
    assert site.password not in site.everything_said()
