"""Memory does not grow with the data: what a process used at its peak, as the kernel says."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bson import encode
from bson.raw_bson import RawBSONDocument
from pymongo.database import Database

from tests.support.mongod import Mongod

Db = Database[dict[str, Any]]
SMALL, LARGE = 64, 320
"""MiB. The pipeline itself holds 32 MiB and a reply of the server 16."""
TRIES = {SMALL: 1, LARGE: 3}
"""The least of these counts: chance moves a peak by a fifth, and what grows with the data is there each time."""


def fill(database: Db, mebibytes: int) -> None:
    text = "word " * 400
    for start in range(0, mebibytes * 512, 4096):
        documents = [RawBSONDocument(encode({"_id": n, "text": f"{n} {text}"})) for n in range(start, start + 4096)]
        database["c"].insert_many(documents)


# A child is charged with what its parent had in memory when it was started, so a small process stands in between.
MEASURE = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def peak(database: Db, mongod: Mongod, *arguments: str) -> int:
    """KiB that the command used at most."""
    uri = mongod.uri.replace("/?", f"/{database.name}?authSource=admin&")
    command = [sys.executable, "-c", MEASURE, sys.executable, "-m", "holdfast", *arguments]
    done = subprocess.run(
        command, env={**os.environ, "MONGODB_URI": uri}, check=True, stdout=subprocess.PIPE, text=True
    )
    return int(done.stdout)


def folder(parent: Path, name: str) -> str:
    """The address of a new repository."""
    (parent / name).mkdir()
    return f"file://{parent / name}"


def test_five_times_the_data_takes_about_the_same_memory(mongod: Mongod, database: Db, restored: Db) -> None:
    peaks: dict[str, list[int]] = {"backup": [], "restore": []}
    for size in (SMALL, LARGE):
        database["c"].drop()
        fill(database, size)
        repository = ("--repository", f"mongodb:{database.name}")
        peaks["backup"].append(peak(database, mongod, "backup", *repository, "--collection", "c"))
        tries = []
        for _ in range(TRIES[size]):
            restored.client.drop_database(restored.name)
            tries.append(peak(database, mongod, "restore", "latest", *repository, "--database", restored.name))
        peaks["restore"].append(min(tries))
    for used in peaks.values():
        assert used[1] < used[0] * 1.25, peaks
        assert used[1] < 256 * 1024, peaks


def test_five_times_the_data_takes_about_the_same_memory_out_and_in(
    mongod: Mongod, database: Db, tmp_path: Path
) -> None:
    peaks: dict[str, list[int]] = {"archive": [], "json": [], "import": []}
    for size in (SMALL, LARGE):
        database["c"].drop()
        fill(database, size)
        here = folder(tmp_path, f"here{size}")
        peak(database, mongod, "backup", "--repository", here, "--collection", "c")
        for form in ("archive", "json"):
            outputs = [f"{tmp_path}/{form}{size}-{number}" for number in range(TRIES[size])]
            words = ("export", "latest", "--repository", here, "--format", form, "--output")
            peaks[form].append(min(peak(database, mongod, *words, output) for output in outputs))
        there = [folder(tmp_path, f"there{size}-{number}") for number in range(TRIES[size])]
        archive = f"{tmp_path}/archive{size}-0"
        peaks["import"].append(min(peak(database, mongod, "import", archive, "--repository", one) for one in there))
    for used in peaks.values():
        assert used[1] < used[0] * 1.25, peaks
        assert used[1] < 256 * 1024, peaks
