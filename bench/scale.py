"""`python -m bench.scale`: how the operator bears many policies, on a control plane of its own.

No pod runs; what a pod would do is written in its place. The table goes into README.md.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count, getloadavg

from bench import table
from bench.cluster_site import NAMESPACES, READS, WRITES, Site, count, cpu_seconds, memory_mib, open_site
from bench.crowd import watched
from bench.measure import BenchError
from bench.table import Row
from holdfast.domain.phases import Phase
from holdfast.domain.worker_message import WorkerMessage
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, JOB, POD, KubeObject
from tests.support.mongod import Mongod
from tests.support.operator_process import OperatorProcess

AT_ONCE = 50
LIMIT = 10
NEW_POLICIES = 100
IDLE_SECONDS = 180
MIB_LIMIT = 300


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--policies", type=int, default=500)
    parser.add_argument("--runs", type=int, default=10, help="past runs of each policy")
    options = parser.parse_args()
    try:
        with Mongod() as mongod, open_site(mongod.uri.replace("/?", "/timetrack?")) as site:
            rows = measure(site, options.policies, options.runs)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    heading = (
        f"{cpu_count()} processors, shared by the API server, etcd, MongoDB and the operator; "
        f"{options.policies} policies with {options.runs} runs each, in {NAMESPACES} namespaces."
    )
    table.write(rows, heading, "scale")
    print("\n".join(map(str, rows)))
    return 0


def measure(site: Site, policies: int, runs: int) -> list[Row]:
    say(f"{policies} policies with {runs} runs each")
    site.fill(policies, runs)
    rows, peaks = [], []

    def note(row: Row) -> None:
        say(str(row))
        rows.append(row)

    operator = site.operator("first")
    note(first_start(site, operator, policies))
    settle(site)
    peaks.append(stop(operator))

    operator = site.operator("second")
    note(start_again(site, operator))
    settle(site)
    for row in idle(site, operator):
        note(row)
    note(new_policies(site, operator, policies))
    settle(site)
    peaks.append(stop(operator))

    operator = site.operator("third", resync_seconds=3600)
    note(runs_at_once(site, operator, policies))
    peaks.append(stop(operator))
    operator = site.operator("fourth", resync_seconds=3600, max_concurrent_runs=LIMIT)
    note(runs_in_turn(site, operator, policies))
    peaks.append(stop(operator))
    note(Row("peak memory of the operator, in all of this", peaks, MIB_LIMIT, "MiB"))
    return rows


def first_start(site: Site, operator: OperatorProcess, policies: int) -> Row:
    """All policies are new: each wants its account, its rights and its CronJob."""
    operator.start()
    healthy = site.wait(operator.healthy, "the operator is healthy", 120)
    all_ready = healthy + site.wait(lambda: pause() and site.ready() >= policies, "all policies are Ready", 1200)
    created = count(site.requests(), WRITES).total()
    detail = f"its probe answers after {healthy:.1f} s; {created} writes, {spent(operator)}; {load()}"
    return Row("an operator that finds all policies new has them all Ready after", [all_ready], 60, "s", detail=detail)


def start_again(site: Site, operator: OperatorProcess) -> Row:
    """What changed while it was away is put right."""
    policy = site.cluster.list(BACKUP_POLICY)[-1]
    site.cluster.patch(BACKUP_POLICY, policy, {"spec": {"schedule": {"suspend": True}}})
    operator.start()
    healthy = site.wait(operator.healthy, "the operator is healthy", 120)
    right = healthy + site.wait(lambda: site.is_suspended(policy), "what was changed meanwhile is put right", 300)
    detail = f"its probe answers after {healthy:.1f} s; {spent(operator)}; {load()}"
    return Row(
        "an operator that starts again has put right what changed meanwhile after", [right], 60, "s", detail=detail
    )


def idle(site: Site, operator: OperatorProcess) -> list[Row]:
    before, cpu = len(site.requests()), cpu_seconds(operator.pid)
    time.sleep(IDLE_SECONDS)
    requests = site.requests()[before:]
    share = (cpu_seconds(operator.pid) - cpu) / IDLE_SECONDS
    writes, reads = count(requests, WRITES), count(requests, READS)
    minutes = IDLE_SECONDS / 60
    detail = (
        f"in {minutes:g} minutes; {reads.total() / minutes:.0f} reads a minute, {share:.0%} of one processor; {load()}"
    )
    say(f"idle: {dict(writes)} {dict(reads)}")
    memory = memory_mib(operator.pid)
    return [
        Row("writes to the API server while nothing changes", [writes.total()], 0, "", detail=detail),
        Row("memory of the operator while nothing changes", [memory], MIB_LIMIT, "MiB"),
    ]


def new_policies(site: Site, operator: OperatorProcess, policies: int) -> Row:
    """One after the other, so that they meet every moment between two surveys."""
    took = []
    for number in range(policies, policies + NEW_POLICIES):
        body = site.policy(number)
        took.append(site.wait(lambda body=body: site.has_cron_job(body), "a new policy has its CronJob", 60))  # type: ignore[misc]
        time.sleep(0.7)
    ordered = sorted(took)
    p99 = ordered[int(len(ordered) * 0.99) - 1]
    middle, worst = ordered[len(ordered) // 2], ordered[-1]
    detail = f"{NEW_POLICIES} of them; median {middle:.2f} s, worst {worst:.2f} s; {memory_mib(operator.pid):.0f} MiB"
    return Row("a new policy has its CronJob after (p99)", [p99], 5, "s", detail=detail)


def runs_at_once(site: Site, operator: OperatorProcess, policies: int) -> Row:
    """Only events tell the operator of them: its next survey is an hour away."""
    operator.start()
    site.wait(operator.healthy, "the operator is healthy", 120)
    settle(site)
    names = start_runs(site, policies, "now")
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: finish(site, name), names))
    site.wait(lambda: pause() and not unfinished(site, names), f"{AT_ONCE} runs have ended", 300)
    took = time.monotonic() - began
    told = site.wait(lambda: pause() and not unseen(site, names), "their policies show them", 120)
    detail = f"all by events alone; their policies show it {told:.0f} s later; {load()}"
    return Row(f"{AT_ONCE} runs at once: from their start to the end of the last", [took], 60, "s", detail=detail)


def runs_in_turn(site: Site, operator: OperatorProcess, policies: int) -> Row:
    """The same, where no more than so many may run at once."""
    operator.start()
    site.wait(operator.healthy, "the operator is healthy", 120)
    settle(site)
    with watched(site.connection) as crowd:
        names = start_runs(site, policies, "turn")
        began, left = time.monotonic(), set(names)
        while left:
            if time.monotonic() - began > 600:
                raise BenchError(f"{len(left)} of {AT_ONCE} runs never had their turn")
            at_work = [name for name in left if job_of(site, name) is not None]
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda name: finish(site, name), at_work))
            left -= set(at_work) - set(unfinished(site, at_work))
        took = time.monotonic() - began
        site.wait(lambda: pause() and crowd.seen >= AT_ONCE, "the watch has shown all turns", 30)
    detail = f"no more than {crowd.most} at work at any moment, by the API server's order of events; {load()}"
    if crowd.trouble or crowd.most > LIMIT:
        raise BenchError(crowd.trouble or f"{crowd.most} runs were at work at once, and {LIMIT} may be")
    return Row(f"the same with maxConcurrentRuns: {LIMIT}", [took], 120, "s", detail=detail)


Run = tuple[str, str]
"""Namespace and name."""


def start_runs(site: Site, policies: int, prefix: str) -> list[Run]:
    numbers = range(0, policies, max(1, policies // AT_ONCE))[:AT_ONCE]
    runs = [(site.namespaces[number % NAMESPACES], f"{prefix}-{number:04}") for number in numbers]

    def start(run: Run) -> None:
        namespace, name = run
        spec = {"policyRef": {"name": f"policy-{name.rpartition('-')[2]}"}}
        site.cluster.create(BACKUP_RUN, {"metadata": {"namespace": namespace, "name": name}, "spec": spec})

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(start, runs))
    return runs


def job_of(site: Site, run: Run) -> KubeObject | None:
    return site.cluster.get(JOB, *run)


def finish(site: Site, run: Run) -> None:
    """Do what the kubelet and the worker do: the pod ends well, and its last words tell of a backup."""
    namespace, name = run
    labels = {"batch.kubernetes.io/job-name": name}
    site.wait(lambda: site.cluster.list(POD, namespace, labels), f"Job {name} has a pod", 120)
    words = WorkerMessage("Succeeded", "", Phase.SUCCEEDED, {"backupId": name, "documents": 1}).encode()
    terminated = {"exitCode": 0, "message": words}
    container = {"name": "worker", "state": {"terminated": terminated}, "ready": False, "restartCount": 0}
    status = {"phase": "Succeeded", "containerStatuses": [{**container, "image": "x", "imageID": ""}]}
    for _ in range(10):
        [pod] = site.cluster.list(POD, namespace, labels)
        if site.cluster.patch_status(POD, pod, status) is not None:
            return
    raise BenchError(f"pod of {name} cannot be told that it has ended")


def unfinished(site: Site, runs: Sequence[Run]) -> list[Run]:
    def ended(run: Run) -> bool:
        body = site.cluster.get(BACKUP_RUN, *run) or {}
        return (body.get("status") or {}).get("phase") == "Succeeded"

    return [run for run in runs if not ended(run)]


def unseen(site: Site, runs: Sequence[Run]) -> list[Run]:
    def seen(run: Run) -> bool:
        namespace, name = run
        body = site.cluster.get(BACKUP_POLICY, namespace, f"policy-{name.rpartition('-')[2]}") or {}
        last = (body.get("status") or {}).get("lastRun", {})
        return (last.get("name"), last.get("phase")) == (name, "Succeeded")

    return [run for run in runs if not seen(run)]


def settle(site: Site) -> None:
    """Wait until the operator has written nothing for half a minute."""

    def quiet() -> bool:
        before = count(site.requests(), WRITES).total()
        time.sleep(30)
        return count(site.requests(), WRITES).total() == before

    site.wait(quiet, "the operator comes to rest", 600)


def stop(operator: OperatorProcess) -> float:
    """End it; the most memory that it ever held, in MiB."""
    peak = memory_mib(operator.pid, "VmHWM")
    operator.stop()
    if "Traceback" in (log := operator.log.read_text()):
        raise BenchError(f"the operator had trouble:\n{log[-2000:]}")
    say(f"peak {peak:.0f} MiB")
    return peak


def pause() -> bool:
    """Ask seldom: who is measured shares the API server with us."""
    time.sleep(0.5)
    return True


def spent(operator: OperatorProcess) -> str:
    """What of a time was its own work: the rest it waited, for others or for a processor."""
    return f"{cpu_seconds(operator.pid):.0f} s of processor time"


def load() -> str:
    return f"load {getloadavg()[0]:.1f}"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
