"""``python -m tests.faults --minutes 15 --seed 1``: strike at random, then see that all is well. Exit code 1 if not."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

from tests import cluster
from tests.cluster.layout import layout
from tests.cluster.network import ensure_bridge
from tests.faults import checks
from tests.faults.cuts import Cuts
from tests.faults.ledger import Ledger
from tests.faults.plan import plan
from tests.faults.report import Result, markdown
from tests.faults.scene import DATABASE, DEADLINE_SECONDS, NAMESPACE, Scene, install
from tests.faults.storm import Storm
from tests.faults.targets import victims
from tests.support.compare import DatabaseImage, snapshot_of
from tests.support.kubectl import CommandFailed, Object
from tests.support.mongod import Mongod
from tests.support.s3 import S3
from tests.support.smtp_server import SmtpServer

POLL_SECONDS = 2.0
FIRST_BACKUP_SECONDS = 240.0
CALM_SECONDS = 600.0
"""The kubelet waits up to five minutes before it restarts an operator that was killed often."""
MAIL_SECONDS = 900.0
"""Until a mail is tried again that has failed five times."""


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def until(what: str, seconds: float, look: Callable[[], list[str]]) -> list[str]:
    """Wait until nothing is missing; returns what still is."""
    deadline = time.monotonic() + seconds
    missing: list[str] = []
    while True:
        try:
            missing = look()
        except CommandFailed as error:
            missing = [str(error)]
        if not missing or time.monotonic() > deadline:
            return [f"{what}: {one}" for one in missing]
        time.sleep(POLL_SECONDS)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=15.0, help="how long to strike (default: 15)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="makes the plan repeatable")
    parser.add_argument("--report", type=Path, help="write the result to this file, as Markdown")
    chosen = parser.parse_args()
    if os.environ.get("HOLDFAST_KUBECONFIG"):
        print("HOLDFAST_KUBECONFIG is set, and only a cluster that is made here may be struck.", file=sys.stderr)
        return 2
    result = run(chosen.minutes, chosen.seed)
    text = markdown(result)
    print(f"\n{text}")
    if chosen.report:
        chosen.report.write_text(text)
    return 1 if result.wrong else 0


def run(minutes: float, seed: int) -> Result:
    """The whole: set up, strike, wait for calm, check."""
    faults = plan(seed, minutes * 60)
    say(f"Seed {seed}, {minutes:g} minutes, {len(faults)} faults")
    with ExitStack() as stack:
        address = ensure_bridge()
        mongod = stack.enter_context(Mongod(bind=("127.0.0.1", address), advertise=address))
        s3 = stack.enter_context(S3(host=address))
        smtp = stack.enter_context(SmtpServer(host=address))
        kubernetes = cluster.up()
        scene = Scene(install(kubernetes), mongod, s3, smtp)
        scene.set_up()
        before = snapshot_of(mongod.client[DATABASE])
        ledger = stack.enter_context(Ledger(mongod.uri, DATABASE))
        result = Result(seed=seed, minutes=minutes)
        result.wrong += until("before any fault", FIRST_BACKUP_SECONDS, lambda: _without_success(scene, set()))
        if result.wrong:
            return result

        random = Random(seed)  # noqa: S311 (repeatable, not secret)
        cuts = Cuts()
        cuts.clear()
        every = victims(layout(), cuts, mongod, s3, smtp.port, random)
        storm = Storm(faults, every, layout(), say)
        storm.rage(minutes * 60)
        result.faults, result.missed, result.came_back = list(storm.struck), storm.missed, storm.came_back

        say("Calm. Each policy is to back up and prune by itself again.")
        cluster.up()
        begin = time.monotonic()
        seen = {checks.name_of(run) for run in _patiently(scene.runs)}
        result.wrong += until("after the faults", CALM_SECONDS, lambda: _without_success(scene, seen))
        result.calm_seconds = time.monotonic() - begin
        scene.suspend()
        limit = DEADLINE_SECONDS + checks.GRACE.total_seconds()
        result.wrong += until("stuck", limit, lambda: _still_open(scene))
        ledger.stop()
        say("All is quiet. The mail is awaited.")
        result.wrong += until("mail", MAIL_SECONDS, lambda: _untold(scene))
        result.wrong += _check(scene, ledger, before, storm, result)
        if not result.wrong:
            say("The namespace is deleted.")
            scene.kubectl("delete", "namespace", NAMESPACE, "--timeout=120s")
    return result


def _check(scene: Scene, ledger: Ledger, before: DatabaseImage, storm: Storm, result: Result) -> Iterator[str]:
    runs = scene.runs()
    result.runs, result.mails = runs, len(scene.smtp.received)
    result.doubled, result.entries = checks.doubled(_message_ids(scene)), ledger.written
    yield from checks.in_time(runs, storm.outages)
    yield from checks.explained(runs)
    for place in scene.places:
        yield from checks.clean(scene, place)
        yield from checks.swept(scene, place)
        stored = scene.holdfast(place, "list")
        yield from checks.kept(place, runs, stored)
        for backup in stored:
            say(f"Restoring {backup['backupId']} of {place.policy}")
            yield from checks.restorable(scene, place, backup, before, ledger)
            result.restored += 1


def _patiently(look: Callable[[], list[Object]]) -> list[Object]:
    """The API server has only just come back."""
    for _ in range(10):
        try:
            return look()
        except CommandFailed:
            time.sleep(POLL_SECONDS)
    return look()


def _without_success(scene: Scene, seen: set[str]) -> list[str]:
    """The policies without a run that succeeded and pruned, beside those seen before."""
    good = {
        run["spec"]["policyRef"]["name"]
        for run in scene.runs()
        if checks.has_pruned(run) and not checks.is_imported(run) and checks.name_of(run) not in seen
    }
    return [
        f"{place.policy} has no good backup with a prune behind it"
        for place in scene.places
        if place.policy not in good
    ]


def _still_open(scene: Scene) -> list[str]:
    jobs = scene.kubectl.list("jobs")
    pods = scene.kubectl.list("pods")
    busy = [f"Job {checks.name_of(job)} is active" for job in jobs if job.get("status", {}).get("active")]
    alive = [
        f"Pod {checks.name_of(pod)} is {pod['status']['phase']}"
        for pod in pods
        if pod["status"]["phase"] in ("Pending", "Running", "Unknown")
    ]
    return [*checks.open_runs(scene.runs()), *busy, *alive]


def _message_ids(scene: Scene) -> list[str]:
    return [str(message["Message-ID"]) for message in scene.smtp.received]


def _untold(scene: Scene) -> list[str]:
    return list(checks.told(scene.kubectl.list("backuppolicies"), scene.runs(), _message_ids(scene)))


if __name__ == "__main__":
    sys.exit(main())
