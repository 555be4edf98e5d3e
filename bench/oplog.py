"""Recovery to any second: how fast an oplog is archived and replayed, and what an archiver costs while it waits.

`python -m bench.oplog [--rounds N]`: measure, print the table, and write it into README.md.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

from pymongo import UpdateOne
from pymongo.collection import Collection

from bench.measure import BenchError, Cost, measured, settle
from bench.table import Row, write
from tests.support.mongod import Mongod

MIB = 2**20
DATABASE, COPY = "orders", "orders_then"
OPERATIONS = 500_000
_BATCH = 500
STEADY_PER_SECOND, STEADY_SECONDS, SETTLING_SECONDS = 1_000, 90, 15
HOLDFAST = Path(sys.executable).with_name("holdfast")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.oplog", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often an oplog is filled, archived and replayed")
    options = parser.parse_args()
    before = os.getloadavg()[0]
    try:
        table = rows(options.rounds)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    heading = (
        f"{os.cpu_count()} processors, Python {platform.python_version()}, MongoDB on the same machine; "
        f"{options.rounds} rounds of {OPERATIONS:,} operations each; load {before:.1f} before."
    )
    write(table, heading, "bench-oplog")
    print("\n".join(map(str, table)))
    return 0


class Site:
    """A replica set, a repository, and the commands that are measured."""

    def __init__(self, mongod: Mongod, folder: Path) -> None:
        self.mongod = mongod
        self.uri_file = folder / "uri"
        self.uri_file.write_text(mongod.uri)
        (folder / "repository").mkdir()
        self.repository = f"file://{folder}/repository"
        self.orders: Collection[dict[str, object]] = mongod.client[DATABASE]["orders"]

    def command(self, *arguments: str) -> list[str | Path]:
        return [HOLDFAST, *arguments, "--repository", self.repository, "--uri-file", self.uri_file]

    def archive(self) -> Cost:
        return measured(self.command("archive-oplog", "--database", DATABASE, "--once"))

    def slices(self) -> frozenset[Path]:
        """The files of all slices that are stored."""
        return frozenset(Path(self.repository.removeprefix("file://"), "oplog").rglob("*_*"))

    def write(self, count: int) -> None:
        """As many operations, half of them updates."""
        for begin in range(0, count // 2, _BATCH):
            keys = [f"{time.time_ns()}-{number}" for number in range(begin, min(begin + _BATCH, count // 2))]
            self.orders.insert_many([{"_id": key, "customer": 7, "state": "new", "note": "x" * 80} for key in keys])
            paid = {"$set": {"state": "paid"}, "$inc": {"customer": 1}}
            self.orders.bulk_write([UpdateOne({"_id": key}, paid) for key in keys])


def rows(rounds: int) -> Sequence[Row]:
    """Fill an oplog, measure, and give the rows of the table."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="holdfast-oplog-")))
        site = Site(stack.enter_context(Mongod(cache_gb=1, oplog_mb=4096)), folder)
        site.orders.insert_one({"_id": 0})
        site.archive()
        measured(site.command("backup", "--database", DATABASE))
        captured, replayed = [], []
        for number in range(rounds):
            print(f"An oplog, round {number + 1} of {rounds}", file=sys.stderr)
            site.archive()  # up to here: what a replay wrote is not to be measured
            site.write(OPERATIONS)
            settle(site.mongod.client)
            captured.append(OPERATIONS / site.archive().seconds)
            replayed.append(_replay(site, (number + 1) * OPERATIONS))
        memory, share = _steady(site)
    return [
        Row("archiving a full oplog, operations a second", captured, 100_000, unit="", at_least=True),
        Row("replaying simple operations, a second", replayed, 40_000, unit="", at_least=True,
            detail="with the restore of the backup, and with reading all beforehand"),
        Row("memory of an archiver at 1,000 operations a second, that cannot be given back", [memory], 64, unit="MiB"),
        Row("processor of an archiver at 1,000 operations a second", [share], 5, unit="%"),
    ]  # fmt: skip


def _replay(site: Site, operations: int) -> float:
    site.mongod.client.drop_database(COPY)
    seconds = site.mongod.client.admin.command("hello")["lastWrite"]["opTime"]["ts"]
    until = ("--point-in-time", f"{seconds.time}.{seconds.inc}", "--source", DATABASE, "--database", COPY)
    site.archive()
    return operations / measured(site.command("restore", *until)).seconds


def _steady(site: Site) -> tuple[float, float]:
    """What the process of an archiver holds and takes while a steady load goes on: MiB, and percent of a processor.

    It is that of a pod, with the client of Kubernetes in it; the cluster itself is played.
    """
    ended = Event()

    def load() -> None:
        while not ended.is_set():
            begin = time.monotonic()
            site.write(STEADY_PER_SECOND // 10)
            ended.wait(max(0.0, 0.1 - (time.monotonic() - begin)))

    writer, before = Thread(target=load), site.slices()
    command = [sys.executable, "-m", "bench.archiver", str(site.uri_file), site.repository, DATABASE]
    with subprocess.Popen(command, env={**os.environ, "MALLOC_ARENA_MAX": "2"}) as archiver:  # as in the image
        writer.start()
        try:
            time.sleep(SETTLING_SECONDS)
            begin, used = time.monotonic(), _processor(archiver.pid)
            memory = 0
            while time.monotonic() - begin < STEADY_SECONDS:
                if archiver.poll() is not None:
                    raise BenchError(f"The archiver ended with {archiver.returncode}.")
                memory = max(memory, _anonymous(archiver.pid))
                time.sleep(0.2)
            share = 100 * (_processor(archiver.pid) - used) / (time.monotonic() - begin)
        finally:
            ended.set()
            writer.join()
            archiver.terminate()
    if not site.slices() - before:
        raise BenchError("The archiver has archived nothing.")
    return memory / MIB, share


def _processor(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _anonymous(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


if __name__ == "__main__":
    sys.exit(main())
