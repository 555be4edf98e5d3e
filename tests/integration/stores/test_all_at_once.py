"""Backups, prunes, restores and verifications in one repository at once, on each store, some of them killed.

Real processes that run the real commands. Whatever is listed afterwards is whole, and nobody who was reading a backup
found a part of it gone. Leases are of seconds here (:mod:`tests.support.impatient`), so that the locks of the dead end.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pymongo.database import Database

from holdfast.domain.retention import Rule
from holdfast.errors import RepositoryBusy
from holdfast.repository.locks import kept_for_reading
from holdfast.repository.repository import Repository
from holdfast.services.prune import PruneOutcome, prune
from holdfast.wiring.opening import now, open_store
from tests.support.compare import OWN_COLLECTIONS, differences, snapshot_of
from tests.support.mongod import Mongod

Db = Database[dict[str, Any]]
BUCKETS = {"s3": "s3", "gcs": "gs", "azure": "az"}
AT_WORK = ("backup", "backup", "prune", "prune", "restore", "restore", "verify")
KILLED = ("backup", "prune", "restore")
"""One of each."""
TURNS = 2
"""So often each kind comes to a good end, before the deaths and after them."""
PATIENCE = 60.0
"""Seconds until each kind has had its turn; some on a machine that is not busy."""
FINE = {
    "backup": {0, 75},
    "prune": {0, 2, 75},
    "verify": {0, 2, 75},
    "restore": {0, 2, 75},
}
"""How a turn may end. 2: there is no backup yet, or it went before we had begun; 1 is damage."""


class Site:
    """One repository, and who works in it."""

    def __init__(self, address: str, settings: Mapping[str, str], mongod: Mongod, database: Db) -> None:
        self.address, self.database = address, database
        uri = mongod.uri.replace("/?", f"/{database.name}?")
        self._environment = {**os.environ, **settings, "MONGODB_URI": uri}

    def command(self, name: str) -> list[str]:
        more = {
            "prune": ("--keep-last", "2"),
            "verify": ("--read-data",),
            "restore": ("OLDEST", "--database", f"{self.restored}_FRESH"),
        }
        return [name, *more.get(name, ()), "--repository", self.address]

    @property
    def restored(self) -> str:
        return f"{self.database.name}_restored"

    @contextmanager
    def working(self, *commands: Sequence[str]) -> Iterator["subprocess.Popen[str]"]:
        with subprocess.Popen(
            [sys.executable, "-m", "tests.support.impatient", json.dumps(commands)],
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                end(process)

    @contextmanager
    def repository(self) -> Iterator[Repository]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self._environment.items():
                patch.setenv(name, value)
            store = open_store(self.address, uri=self._environment["MONGODB_URI"], uri_origin="the test", database=None)
            with closing(Repository(store)) as repository:
                repository.open()
                yield repository

    def in_order(self, *commands: Sequence[str]) -> None:
        """One turn of each, all to a good end."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.impatient", json.dumps(commands), "once"],
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=90,
        )
        turns = [json.loads(line) for line in done.stdout.splitlines()]
        assert [turn["code"] for turn in turns] == [0] * len(commands), turns

    def change(self, chance: random.Random) -> None:
        """Data that comes and goes: chunks that a prune removes are needed again by the next backup."""
        name, version = f"c{chance.randrange(5)}", chance.randrange(3)
        documents = [{"_id": n, "text": f"{name} {version} {n} " * 20} for n in range(40)]
        self.database[name].delete_many({})
        self.database[name].insert_many(documents)

    def clear(self) -> None:
        client = self.database.client
        for name in client.list_database_names():
            if name.startswith(f"{self.database.name}_"):
                client.drop_database(name)


def end(process: "subprocess.Popen[str]") -> None:
    """Kill it, with all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


class Listener:
    """Hears what becomes of each turn."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout
        self._process, self._lines = process, process.stdout
        self.bad: list[str] = []
        self._good: Counter[str] = Counter()
        self._of_pid: dict[int, str] = {}
        self._deadline = time.monotonic() + PATIENCE
        self._thread = Thread(target=self._listen, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        end(self._process)
        self._thread.join()

    def one(self, command: str) -> int:
        """A process that is at it."""
        return next(pid for pid, its in self._of_pid.items() if its == command)

    def forget(self) -> None:
        self._good = Counter()

    def all_had_a_turn(self) -> bool:
        assert time.monotonic() < self._deadline, f"only {self._good} had a turn; {self.bad}"
        return all(self._good[command] >= TURNS for command in AT_WORK) or bool(self.bad)

    def _listen(self) -> None:
        for line in self._lines:
            turn = json.loads(line)
            if "command" in turn:
                self._of_pid[turn["pid"]] = turn["command"]
                continue
            command = self._of_pid[turn["pid"]]
            if turn["code"] == 0:
                self._good[command] += 1
            elif turn["code"] not in FINE[command]:
                self.bad.append(f"{command}: {turn}")


@pytest.fixture(params=["files", "mongodb", *BUCKETS])
def site(request: pytest.FixtureRequest, tmp_path: Path, mongod: Mongod, database: Db) -> Iterator[Site]:
    settings: Mapping[str, str] = {}
    if request.param == "files":
        address = f"file://{tmp_path}"
    elif request.param == "mongodb":
        address = f"mongodb:{database.name}_store"
    else:
        server = request.getfixturevalue(request.param)
        address, settings = f"{BUCKETS[request.param]}://{server.new_bucket()}/shop", server.settings
    site = Site(address, settings, mongod, database)
    yield site
    site.clear()


def test_a_backup_that_is_being_read_stays_until_that_has_ended(site: Site) -> None:
    site.change(random.Random(6))  # noqa: S311 (repeatable, not secret)
    site.in_order(site.command("backup"), site.command("backup"))
    with site.repository() as repository:
        both = repository.backup_ids()

        def prune_at_once() -> PruneOutcome:
            rule, zone = Rule(keep_last=1), ZoneInfo("Etc/UTC")
            return prune(repository, rule, now, zone, None, Event(), patience=timedelta())

        with kept_for_reading(repository.store, now, "a restore", Event(), pytest.fail):
            with pytest.raises(RepositoryBusy, match="a restore"):
                prune_at_once()
            assert repository.backup_ids() == both
        assert len(prune_at_once().removed) == 1


def test_whatever_is_listed_is_whole_and_what_is_read_stays(site: Site) -> None:
    chance = random.Random(6)  # noqa: S311 (repeatable, not secret)
    for _ in range(10):
        site.change(chance)
    with site.working(*map(site.command, AT_WORK)) as process, Listener(process) as listener:
        while not listener.all_had_a_turn():
            site.change(chance)
        for command in KILLED:
            os.kill(listener.one(command), signal.SIGKILL)
        listener.forget()
        # Nobody can start before the locks of the dead have ended; then each goes on.
        while not listener.all_had_a_turn():
            site.change(chance)
    assert listener.bad == []
    site.in_order(
        site.command("prune"),  # waits until the locks of the dead have ended
        site.command("verify"),
        site.command("backup"),
        # Two ids of one second do not tell which was first; the times in the manifests do.
        ["prune", "--keep-last", "1", "--repository", site.address],
        ["restore", "latest", "--database", site.restored, "--repository", site.address],
    )
    restored = site.database.client[site.restored]
    assert differences(snapshot_of(site.database, skip=OWN_COLLECTIONS), snapshot_of(restored)) == []
