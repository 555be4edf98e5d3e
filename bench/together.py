"""One pod against two, for a backup and a restore: each pod is a process that uses one processor, beside the server.

`python -m bench.together [ROUNDS]`. Within a round all are measured one after another; the ratios are those of a round.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from multiprocessing import get_context
from os import getloadavg, urandom
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from threading import Event
from time import monotonic
from typing import Any

from bson import encode
from bson.raw_bson import RawBSONDocument

from bench.measure import BenchError
from bench.table import Row, write
from holdfast.cli.console import PlainProgress
from holdfast.domain.consistency import Consistency
from holdfast.domain.teamwork import ALONE, Patience, Seat
from holdfast.ports import Member, Source
from holdfast.repository.repository import Repository, new_backup_id
from holdfast.services.back_up import back_up
from holdfast.services.back_up_together import back_up_together
from holdfast.services.backup_request import BackupRequest
from holdfast.services.restore import restore
from holdfast.services.restore_request import RestoreRequest
from holdfast.services.restore_share import Team
from holdfast.services.restore_together import forget, restore_together
from holdfast.stores.files import FileStore
from holdfast.wiring.opening import now, open_source, open_target
from tests.support.mongod import Mongod

DOCUMENTS = 300_000
"""Of about a KiB, half of which compresses."""
ORIGIN, DATABASE, COPY = "the benchmark", "large", "copy"
PATIENCE = Patience(look=timedelta(seconds=0.2))
FORK = get_context("fork")


class Pods:
    """What the pods of one Job do: a backup into a new directory, and a restore of it."""

    def __init__(self, uri: str, directory: Path) -> None:
        self.uri, self.directory = uri, directory
        self.request = BackupRequest(new_backup_id(now(), token_hex(8)), None, (), (), Consistency.REQUIRED, now())
        self.ended = FORK.Event()

    def back_up(self, seat: Seat) -> bool:
        repository, progress, stop = Repository(FileStore(self.directory)), PlainProgress(), Event()
        if seat == ALONE:
            with self._source(None) as (source, _):
                back_up(self.request, source, repository, progress, now, stop)
            return True
        outcome = back_up_together(
            *(self.request, seat, self._source, repository, progress, now, stop), patience=PATIENCE
        )
        return outcome is not None

    def restore(self, seat: Seat) -> bool:
        repository, progress, stop = Repository(FileStore(self.directory)), PlainProgress(), Event()
        repository.open()
        manifest, request = repository.resolve(self.request.backup_id), RestoreRequest(token=self.request.backup_id)
        with closing(open_target(self.uri, COPY, origin=ORIGIN)) as target:
            parts = (request, manifest, repository, target)
            if seat == ALONE:
                outcome = restore(*parts, progress, now, stop)
            else:
                team = Team(seat, now, self.ended.is_set, PATIENCE)
                led = restore_together(
                    *(*parts, team, None, stop), lambda: restore(*parts, progress, now, stop, team=team)
                )
                if led is None:
                    return False
                outcome = led
            if outcome.problems:
                raise BenchError(f"What was restored differs: {outcome.problems[:3]}")
            self.ended.set()
            forget(request, manifest, target, stop)
        return True

    @contextmanager
    def _source(self, member: Member | None) -> Iterator[tuple[Source, None]]:
        with closing(open_source(self.uri, DATABASE, origin=ORIGIN, member=member)) as source:
            yield source, None


def seconds(work: Callable[[Seat], bool], pods: int) -> float:
    """How long so many pods take until one of them has ended it."""

    def run(seat: Seat, told: Any) -> None:
        if work(seat):
            told.put(monotonic())

    told = FORK.Queue()
    begin = monotonic()
    processes = [FORK.Process(target=run, args=(Seat(index, pods), told)) for index in range(pods)]
    for process in processes:
        process.start()
    end: float = told.get(timeout=300)
    for process in processes:
        process.join(60)
        if process.exitcode != 0:
            raise BenchError(f"A pod ended with {process.exitcode}.")
    return end - begin


def rows(rounds: int) -> list[Row]:
    measured: dict[str, list[float]] = {"backup": [], "restore": []}
    with Mongod() as mongod, TemporaryDirectory() as folder:
        fill(mongod)
        for number in range(rounds):
            taken: dict[tuple[str, int], float] = {}
            for pods in (1, 2):
                place = Path(folder) / f"{number}-{pods}"
                place.mkdir()
                job = Pods(mongod.uri, place)
                taken["backup", pods] = seconds(job.back_up, pods)
                taken["restore", pods] = seconds(job.restore, pods)
                mongod.client.drop_database(COPY)
            for what, ratios in measured.items():
                ratios.append(taken[what, 1] / taken[what, 2])
            print({f"{what}, {pods} pods": round(took, 1) for (what, pods), took in taken.items()}, flush=True)
    return [
        Row(f"{what}: one pod against two", ratios, 1.0, at_least=True, detail="the server shares the processors")
        for what, ratios in measured.items()
    ]


def fill(mongod: Mongod) -> None:
    into, text = mongod.client[DATABASE]["c"], "word " * 100
    for first in range(0, DOCUMENTS, 5_000):
        numbers = range(first, first + 5_000)
        into.insert_many([RawBSONDocument(encode({"_id": n, "text": text, "noise": urandom(500)})) for n in numbers])


if __name__ == "__main__":
    table = rows(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
    write(table, f"{DOCUMENTS:,} documents of a KiB; load {getloadavg()[0]:.1f} on two processors.", "together")
    print("\n".join(map(str, table)))
