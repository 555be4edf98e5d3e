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


def test_five_times_the_data_takes_about_the_same_memory(mongod: Mongod, database: Db, restored: Db) -> None:
    peaks: dict[str, list[int]] = {"backup": [], "restore": []}
    for size in (SMALL, LARGE):
        database["c"].drop()
        restored.client.drop_database(restored.name)
        fill(database, size)
        repository = ("--repository", f"mongodb:{database.name}")
        peaks["backup"].append(peak(database, mongod, "backup", *repository, "--collection", "c"))
        peaks["restore"].append(peak(database, mongod, "restore", "latest", *repository, "--database", restored.name))
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
        here, there = tmp_path / f"here{size}", tmp_path / f"there{size}"
        here.mkdir()
        there.mkdir()
        repository = ("--repository", f"file://{here}")
        peak(database, mongod, "backup", *repository, "--collection", "c")
        for form in ("archive", "json"):
            output = ("--format", form, "--output", str(tmp_path / f"{form}{size}"))
            peaks[form].append(peak(database, mongod, "export", "latest", *repository, *output))
        archive = str(tmp_path / f"archive{size}")
        peaks["import"].append(peak(database, mongod, "import", archive, "--repository", f"file://{there}"))
    for used in peaks.values():
        assert used[1] < used[0] * 1.25, peaks
        assert used[1] < 256 * 1024, peaks
