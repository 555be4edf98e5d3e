"""`python -m bench.web`: how the HTTP API bears many at once, on a control plane of its own, as the chart installs it.

Who asks is another process (`bench/web_load.py`) on the same processors. The table goes into README.md.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from os import cpu_count
from pathlib import Path
from secrets import token_hex
from threading import Event
from typing import Any

from bench import table
from bench.cluster_site import NAMESPACES, Site, cpu_seconds, memory_mib, open_site
from bench.measure import BenchError
from bench.scale import load, say
from bench.table import Row
from holdfast.domain.consistency import Consistency
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN
from holdfast.repository.manifest import PolicyIdentity
from holdfast.repository.repository import Repository, new_backup_id
from holdfast.resources.base import format_time
from holdfast.services.back_up import back_up
from holdfast.services.backup_request import BackupRequest
from holdfast.stores.mongodb import MongoStore
from holdfast.wiring.opening import now, open_source
from tests.support.engine import Recorder
from tests.support.mongod import Mongod
from tests.support.timetrack import generate
from tests.support.web_process import AUDIENCE, WebProcess

DATABASE = "timetrack"
ENTRIES = 1_500_000
PEOPLE = 20
"""So many tokens; one may have a hundred streams open."""
RATE, WARM_SECONDS, SECONDS = 200, 15, 60
STREAMS = 1000
MIB = 2**20
_STATUS = "/api/admin/backup-status?namespace={}&policy={}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.web", description=__doc__)
    parser.add_argument("--policies", type=int, default=100)
    parser.add_argument("--runs", type=int, default=30, help="past runs of each policy")
    parser.add_argument("--entries", type=int, default=ENTRIES, help="time entries in the backup that is downloaded")
    options = parser.parse_args()
    try:
        with Mongod(cache_gb=1) as mongod, open_site(mongod.uri.replace("/?", f"/{DATABASE}?")) as site:
            raw_bytes = fill(site, mongod, options.policies, options.runs, options.entries)
            rows = measure(site, options.policies, raw_bytes)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    heading = (
        f"{cpu_count()} processors, shared by the API server, etcd, MongoDB, the web process and who asks it; "
        f"{options.policies} policies with {options.runs} runs each, in {NAMESPACES} namespaces; {PEOPLE} people."
    )
    table.write(rows, heading, "web-bench")
    print("\n".join(map(str, rows)))
    return 0


def fill(site: Site, mongod: Mongod, policies: int, runs: int, entries: int) -> int:
    """The cluster, and a backup of the first policy. How many bytes of documents are in it."""
    say(f"{policies} policies with {runs} runs each")
    site.fill(policies, runs)
    with ThreadPoolExecutor(8) as pool:
        done = pool.map(
            lambda body: site.cluster.patch_status(BACKUP_POLICY, body, healthy()), site.cluster.list(BACKUP_POLICY)
        )
        if None in done:
            raise BenchError("a policy cannot be told how it does")
    say(f"A backup of {entries} time entries")
    generate(mongod.client[DATABASE], entries=entries)
    source = open_source(mongod.uri, DATABASE, origin="the bench")
    repository = Repository(MongoStore(mongod.client, DATABASE, origin="the bench"))
    started = now()
    request = BackupRequest(
        backup_id=new_backup_id(started, token_hex(8)),
        policy=PolicyIdentity(namespace=site.namespaces[0], name="policy-0000"),
        include=(),
        exclude=(),
        consistency=Consistency.PREFERRED,
        started=started,
    )
    try:
        outcome = back_up(request, source, repository, Recorder(), now, Event())
    finally:
        source.close()
    return outcome.manifest.logical_bytes


def healthy() -> dict[str, Any]:
    """As the operator would say it."""
    since = format_time(datetime.now(UTC) - timedelta(days=3))
    names = ("DatabaseConnection", "RecentBackup", "BackupIntegrity", "RetentionCompliance", "CronSchedule")
    said = "All is as it should be, as far as the newest look at it tells."
    checks = [{"name": name, "status": "Healthy", "message": said, "since": since} for name in names]
    ready = {"type": "Ready", "status": "True", "reason": "Ready", "message": "", "lastTransitionTime": since}
    return {
        "observedGeneration": 1,
        "health": {"verdict": "Healthy", "since": since, "message": said, "checks": checks},
        "statistics": {"runs": 30, "succeeded": 30, "partiallyFailed": 0, "failed": 0, "successPercent": 100},
        "retention": {"kept": 30, "expired": 0, "overdue": 0, "lastPruneTime": since},
        "conditions": [ready],
    }


def measure(site: Site, policies: int, raw_bytes: int) -> list[Row]:
    tokens = people(site)
    rows: list[Row] = []
    for part in (
        partial(statuses, site, tokens, policies),
        partial(streams, site, tokens),
        partial(download, site, tokens, "json", raw_bytes),
        partial(download, site, tokens, "archive", raw_bytes),
    ):
        with web_process(site) as web:
            for row in part(web):
                say(str(row))
                rows.append(row)
    return rows


@contextmanager
def web_process(site: Site) -> Iterator[WebProcess]:
    """A fresh one: its peak is that of one measure."""
    folder = site.folder / f"web-{token_hex(4)}"
    folder.mkdir()
    web = WebProcess(site.plane, folder, download="RBAC")
    web.start()
    try:
        yield web
    except BenchError as error:
        raise BenchError(f"{error}\n{web.log.read_text()[-2000:]}") from error
    finally:
        web.stop()


def people(site: Site) -> list[str]:
    """Tokens of accounts that may look into one namespace each, and download there."""
    tokens = []
    for number in range(PEOPLE):
        place, name = site.namespaces[number % NAMESPACES], f"person-{number}"
        site.plane.kubectl("-n", place, "create", "serviceaccount", name)
        for role in ("view", "download"):
            who = (f"--clusterrole=default:holdfast:{role}", f"--serviceaccount={place}:{name}")
            site.plane.kubectl("-n", place, "create", "rolebinding", f"{name}-{role}", *who)
        token = site.plane.kubectl("-n", place, "create", "token", name, f"--audience={AUDIENCE}", "--duration=2h")
        tokens.append(token.strip())
    return tokens


class Load:
    """`bench.web_load`, at work on a web process."""

    def __init__(self, site: Site, web: WebProcess, what: str, pairs: Sequence[tuple[str, str]], *numbers: int) -> None:
        file = site.folder / f"pairs-{what}.json"
        file.write_text(json.dumps(pairs))
        words = [sys.executable, "-m", "bench.web_load", what, str(web.port), str(file), *map(str, numbers)]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """What its next line tells. BenchError if it ends without one."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise BenchError(f"who asks gave up with {self._process.wait()}")
        told: dict[str, Any] = json.loads(line)
        return told


def statuses(site: Site, tokens: Sequence[str], policies: int, web: WebProcess) -> Iterator[Row]:
    """Everybody asks for the policies of their own namespace."""
    pairs = [
        (tokens[person], _STATUS.format(site.namespaces[number % NAMESPACES], f"policy-{number:04}"))
        for number in range(policies)
        for person in range(number % NAMESPACES, PEOPLE, NAMESPACES)
    ]
    Load(site, web, "requests", pairs, RATE, WARM_SECONDS).hear()
    before, idle = cpu_seconds(web.pid), idle_seconds()
    told = Load(site, web, "requests", pairs, RATE, SECONDS).hear()
    if told["refused"]:
        raise BenchError(f"requests were refused: {told['refused']}")
    took = told["seconds"]
    machine = took * (cpu_count() or 1)
    shares = {
        "the web process": (cpu_seconds(web.pid) - before) / machine,
        "who asked": told["cpu_seconds"] / machine,
        "nobody": (idle_seconds() - idle) / machine,
    }
    spent = ", ".join(f"{who} {share:.0%}" for who, share in shares.items())
    detail = (
        f"{told['answers'] / took:.0f} a second for {took:.0f} s, a round is ten of them; of all: median "
        f"{told['p50'] * 1000:.1f} ms, p99 {told['p99'] * 1000:.0f} ms, worst {told['worst'] * 1000:.0f} ms; of all "
        f"processors took {spent}; {load()}"
    )
    rounds = [one * 1000 for one in told["rounds"]]
    yield Row(f"{RATE} status requests a second: p99", rounds, 50, "ms", detail=detail)


def idle_seconds() -> float:
    """Of all processors together, since the machine was started."""
    return int(Path("/proc/stat").read_text().split(maxsplit=6)[4]) / 100


def streams(site: Site, tokens: Sequence[str], web: WebProcess) -> Iterator[Row]:
    """All stay open until each has told of a run that begins where its reader looks."""
    before = memory_mib(web.pid, "VmHWM")
    pairs = [(token, f"/api/events?namespace={site.namespaces[n % NAMESPACES]}") for n, token in enumerate(tokens)]
    asking = Load(site, web, "streams", pairs, STREAMS)
    count = asking.hear()["open"]
    asking.say("changed")
    began = time.monotonic()
    for place in site.namespaces:
        spec = {"policyRef": {"name": "any"}}
        site.cluster.create(BACKUP_RUN, {"metadata": {"namespace": place, "name": "changed"}, "spec": spec})
    told = asking.hear()
    if told["told"] != STREAMS:
        raise BenchError(f"{told['told']} of {STREAMS} streams told of the change")
    peak = memory_mib(web.pid, "VmHWM")
    detail = (
        f"{before:.0f} MiB before; each of the {count} told of a change, the first {told['first'] - began:.2f} s and "
        f"the last {told['last'] - began:.2f} s after it was asked for; {load()}"
    )
    yield Row(f"{STREAMS:,} open streams of events: peak memory", [peak], 256, "MiB", detail=detail)


def download(site: Site, tokens: Sequence[str], form: str, raw_bytes: int, web: WebProcess) -> Iterator[Row]:
    before = memory_mib(web.pid, "VmHWM")
    path = f"/api/admin/backup?namespace={site.namespaces[0]}&policy=policy-0000&format={form}"
    told = Load(site, web, "download", [(tokens[0], path)]).hear()
    peak = memory_mib(web.pid, "VmHWM")
    detail = (
        f"{before:.0f} MiB before; {told['bytes'] / 1e6:.0f} MB in {told['seconds']:.0f} s, of "
        f"{raw_bytes / 1e6:.0f} MB of documents; {load()}"
    )
    yield Row(f"a download as {form}: peak memory", [peak], 200, "MiB", detail=detail)


if __name__ == "__main__":
    sys.exit(main())
