"""The engine: backup, restore and verification of a TimeTrack database, beside what the machine and other tools do."""

import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench.latency import p99_while
from bench.measure import Cost, measured, settle
from bench.table import Row
from tests.support.mongo_tools import mongodump, mongorestore
from tests.support.mongod import Mongod
from tests.support.s3 import S3
from tests.support.timetrack import a_day_of_use, generate

MIB = 2**20
LARGE, SMALL = 1_500_000, 150_000
_IDLE_SECONDS = 5.0
DATABASE = "timetrack"
HOLDFAST = Path(sys.executable).with_name("holdfast")


class Engine:
    """A mongod with data, and the commands that are measured."""

    def __init__(self, mongod: Mongod, folder: Path, s3: S3) -> None:
        self.mongod, self.folder, self.s3 = mongod, folder, s3
        self.uri_file = folder / "uri"
        self.uri_file.write_text(mongod.uri)
        self.client = mongod.client
        self.raw_bytes = sum(
            int(self.client[DATABASE].command("collStats", name)["size"])
            for name in self.client[DATABASE].list_collection_names()
        )

    def repository(self, name: str) -> str:
        """A new empty directory as a repository."""
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        return f"file://{path}"

    def holdfast(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Cost:
        return measured([HOLDFAST, *arguments, "--uri-file", self.uri_file], environment)

    def backup(self, repository: str, *more: str, database: str = DATABASE, **options: Any) -> tuple[Cost, Any]:
        cost = self.holdfast("backup", "--repository", repository, "--database", database, "--json", *more, **options)
        return cost, json.loads(cost.output[cost.output.index("{") :])

    def restore(self, repository: str, *more: str) -> Cost:
        self.begin_anew()
        return self.holdfast("restore", "latest", "--repository", repository, "--database", "copy", "--json", *more)

    def begin_anew(self) -> None:
        """Without what was restored."""
        self.client.drop_database("copy")
        settle(self.client)

    def baseline(self, *arguments: str | Path) -> Cost:
        return measured([sys.executable, "-m", "bench.baseline", *arguments])

    def dump(self, archive: Path) -> Cost:
        return measured([mongodump(), f"--uri={self.mongod.uri}", f"--db={DATABASE}", "--gzip", f"--archive={archive}"])

    def undump(self, archive: Path) -> Cost:
        self.begin_anew()
        return measured(
            [mongorestore(), f"--uri={self.mongod.uri}", f"--nsFrom={DATABASE}.*", "--nsTo=copy.*", "--gzip",
             f"--archive={archive}"]
        )  # fmt: skip


def rows(rounds: int) -> Sequence[Row]:
    """Fill a database, measure, and give the rows of the table."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="holdfast-bench-")))
        mongod = stack.enter_context(Mongod(cache_gb=4, oplog_mb=4096))
        s3 = stack.enter_context(S3())
        say("Filling a database of 1.5 million documents")
        start = datetime(2026, 6, 1, 20, tzinfo=UTC)
        generate(mongod.client[DATABASE], entries=LARGE, now=start)
        generate(mongod.client["small"], entries=SMALL, now=start)
        engine = Engine(mongod, folder, s3)
        say(f"{engine.raw_bytes / MIB:.0f} MiB of documents")
        return [
            *_backups(engine, rounds),
            *_memory(engine),
            *_latency(engine, rounds),
            *_days(engine, start),
            *_restores(engine, rounds),
        ]


def _backups(engine: Engine, rounds: int) -> list[Row]:
    files = engine.folder / "documents"
    files.mkdir()
    engine.baseline("save", engine.uri_file, DATABASE, files)
    key = engine.folder / "key"
    measured([HOLDFAST, "keygen", "--output", key])
    bucket = engine.s3.new_bucket()
    machine, gzip, second, sealed, remote, verified, size = ([] for _ in range(7))
    fractions: list[float] = []
    detail: dict[str, list[float]] = {name: [] for name in ("read", "compress", "first", "second", "dump")}
    for number in range(rounds):
        say(f"Backups, round {number + 1} of {rounds}")
        read = engine.baseline("read", engine.uri_file, DATABASE)
        compress = engine.baseline("compress", files, "3")
        repository = engine.repository("plain")
        first, report = engine.backup(repository)
        again, unchanged = engine.backup(repository)
        proof = engine.holdfast("verify", "latest", "--read-data", "--repository", repository)
        archive = engine.folder / "archive.gz"
        dump = engine.dump(archive)
        encrypted, _ = engine.backup(engine.repository("sealed"), "--key-file", str(key))
        plain, _ = engine.backup(engine.repository("plain again"))
        s3, _ = engine.backup(f"s3://{bucket}/{number}", environment=engine.s3.settings)
        machine.append(first.seconds / max(read.seconds, compress.seconds))
        gzip.append(dump.seconds / first.seconds)
        size.append(report["storedBytes"] / archive.stat().st_size)
        second.append(again.seconds / read.seconds)
        fractions.append(100 * unchanged["newBytes"] / report["storedBytes"])
        beside = min(first.seconds, plain.seconds)
        sealed.append(encrypted.seconds / beside)
        remote.append(s3.seconds / beside)
        verified.append(engine.raw_bytes / 1e6 / proof.seconds)
        for name, cost in zip(detail, (read, compress, first, again, dump), strict=True):
            detail[name].append(cost.seconds)
    told = ", ".join(f"{name} {median(values):.1f} s" for name, values in detail.items())
    return [
        Row("first backup : slower of raw read and compression alone", machine, 1.3, detail=told),
        Row("first backup, times as fast as `mongodump --gzip --archive`", gzip, 2.5, at_least=True),
        Row("its bytes : those of `mongodump --gzip --archive`", size, 0.85),
        Row("second backup, nothing changed : raw read", second, 1.15),
        Row("new bytes of the second backup", fractions, 0.5, unit="%"),
        Row("encrypted : clear", sealed, 1.1),
        Row("S3 : files", remote, 1.15),
        Row("verify --read-data, raw data a second", verified, 300, unit="MB/s", at_least=True),
    ]


def _memory(engine: Engine) -> list[Row]:
    say("Memory")
    peaks: dict[str, list[float]] = {"backup": [], "restore": []}
    for database in ("small", DATABASE):
        repository = engine.repository(f"memory-{database}")
        peaks["backup"].append(engine.backup(repository, database=database)[0].peak_bytes / MIB)
        peaks["restore"].append(engine.restore(repository).peak_bytes / MIB)
    found = []
    for what, (small, large) in peaks.items():
        found += [
            Row(f"peak memory of a {what}", [large], 256, unit="MiB"),
            Row(f"peak memory of a {what}, 700 MB : 70 MB", [large / small], 1.15),
        ]
    return found


def _latency(engine: Engine, rounds: int) -> list[Row]:
    dumped, braked, waits = [], [], []
    uri = engine.mongod.uri
    for number in range(rounds):
        say(f"Latency of writes, round {number + 1} of {rounds}")

        def backing_up(*arguments: str, database: str = DATABASE) -> None:
            engine.backup(engine.repository("latency"), *arguments, database=database)

        start = time.perf_counter()
        full = p99_while(uri, "bench", backing_up)
        tenth = int(engine.raw_bytes / (time.perf_counter() - start) / 10)
        dump = p99_while(uri, "bench", lambda: engine.dump(engine.folder / "archive.gz"))
        brake = ("--max-bytes-per-second", str(tenth))
        slow = p99_while(uri, "bench", lambda: backing_up(*brake))  # noqa: B023 (called at once)
        idle = p99_while(uri, "bench", lambda: time.sleep(_IDLE_SECONDS))
        dumped.append(full / dump)
        braked.append(slow / idle)
        waits.append(full * 1000)
    detail = f"p99 during a backup {median(waits):.1f} ms"
    return [
        Row("p99 of an application's writes : during `mongodump --gzip`", dumped, 1.0, detail=detail),
        Row("the same with the brake at a tenth : without a backup", braked, 1.3),
    ]


def _days(engine: Engine, start: datetime) -> list[Row]:
    repository = engine.repository("days")
    _, first = engine.backup(repository)
    fractions = []
    for day in range(1, 8):
        say(f"Day {day} of 7")
        a_day_of_use(engine.client[DATABASE], seed=day, now=start + timedelta(days=day))
        _, report = engine.backup(repository)
        fractions.append(100 * report["newBytes"] / report["storedBytes"])
    stored = sum(path.stat().st_size for path in (engine.folder / "days" / "chunks").rglob("*") if path.is_file())
    return [
        Row("new bytes after a day of use", fractions, 12, unit="%"),
        Row("eight daily backups : one", [stored / first["storedBytes"]], 2),
    ]


def _restores(engine: Engine, rounds: int) -> list[Row]:
    for name in engine.client[DATABASE].list_collection_names():
        engine.client[DATABASE][name].drop_indexes()
    bare, plain = engine.repository("bare"), engine.folder / "bare.gz"
    engine.backup(bare)
    engine.dump(plain)
    entries = engine.client[DATABASE].timeEntries
    for keys in ([("userId", 1)], [("userId", 1), ("startedAt", -1)], [("updatedAt", 1)], [("minutes", 1)],
                 [("project.client", 1)]):  # fmt: skip
        entries.create_index(keys)
    indexed, indexed_dump = engine.repository("indexed"), engine.folder / "indexed.gz"
    engine.backup(indexed)
    engine.dump(indexed_dump)
    without, with_five, proof = [], [], []
    for number in range(rounds):
        say(f"Restores, round {number + 1} of {rounds}")
        reference, cost = engine.undump(plain), engine.restore(bare)
        proving = json.loads(cost.output[cost.output.index("{") :])["proofSeconds"]
        without.append(reference.seconds / cost.seconds)
        proof.append(100 * proving / (cost.seconds - proving))
        with_five.append(engine.undump(indexed_dump).seconds / engine.restore(indexed).seconds)
    return [
        Row("restore and its proof, times as fast as `mongorestore`", without, 1.8, at_least=True),
        Row("what the proof adds to a restore", proof, 25, unit="%"),
        Row(
            "a restore with five secondary indexes on the largest collection, times as fast",
            with_five,
            1.3,
            at_least=True,
        ),
    ]


def say(text: str) -> None:
    print(f"== {text}", flush=True)
