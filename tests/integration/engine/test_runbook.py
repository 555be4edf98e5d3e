"""Each command of a page that needs no cluster does what the page says, on a real database."""

import functools
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pymongo.database import Database

from tests.integration.engine.test_command_line import Command
from tests.support import mongo_tools
from tests.support.compare import OWN_COLLECTIONS, differences, snapshot_of
from tests.support.mongod import Mongod
from tests.support.runbook import commands_of, lines_of
from tests.support.timetrack import generate

Db = Database[dict[str, Any]]


def test_the_runbook_of_the_command_line_mends_a_damaged_database(mongod: Mongod, database: Db, restored: Db) -> None:
    generate(database, entries=300)
    holdfast = Command(mongod.uri.replace("/?", f"/{database.name}?authSource=admin&"))
    good = holdfast.json("backup", "--repository", f"mongodb:{database.name}")["backupId"]
    before = snapshot_of(database, skip=OWN_COLLECTIONS)
    database["feedback"].drop()
    database["timeEntries"].update_many({}, {"$set": {"note": "overwritten"}})
    said = []
    for _, *words in commands_of("restore.md", "holdfast", "With the command line"):
        names = {"timetrack_restored": restored.name, "BACKUP": good}
        said.append([names.get(word, word.replace("timetrack", database.name)) for word in words])
        holdfast(*said[-1])
    assert len(said) == 8, said
    assert differences(before, snapshot_of(restored)) == []
    assert differences(before, snapshot_of(database, skip=[*OWN_COLLECTIONS, "users_before"])) == []
    assert database["users_before"].count_documents({}) == database["users"].count_documents({})


def test_the_commands_of_the_page_of_runbooks_do_what_it_says(
    mongod: Mongod, database: Db, restored: Db, tmp_path: Path
) -> None:
    generate(database, entries=100)
    store = f"file://{tmp_path}/store"
    (tmp_path / "store").mkdir()
    holdfast = Command(mongod.uri.replace("/?", f"/{database.name}?authSource=admin&"))
    holdfast("backup", "--repository", store)
    names = {"s3://acme-backups/team/shop": store, "timetrack": restored.name, "key": str(tmp_path / "key")}
    commands = [[names.get(word, word) for word in words] for _, *words in commands_of("runbooks.md", "holdfast")]
    said = {words[0]: holdfast(*words) for words in commands}
    assert set(said) == {"list", "restore", "backup", "keygen", "stats", "prune"}
    assert differences(snapshot_of(database), snapshot_of(restored)) == []
    assert len(holdfast.json("list", "--repository", store)) == 2


def typed(lines: list[str], folder: Path, uri: str, names: Mapping[str, str]) -> None:
    """By somebody in that folder, to the letter but for the names."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for line in lines:
        said = functools.reduce(lambda text, name: text.replace(name, names[name]), names, line)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", said],
            cwd=folder,
            env={**os.environ, "PATH": path, "MONGODB_URI": uri},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"


def test_the_commands_of_readme_do_without_kubernetes(
    mongod: Mongod, database: Db, restored: Db, tmp_path: Path
) -> None:
    generate(database, entries=100)
    uri = mongod.uri.replace("/?", f"/{database.name}?authSource=admin&")
    (tmp_path / "backups").mkdir()
    names = {"timetrack_restored": restored.name, "file:///backups": f"file://{tmp_path}/backups"}
    *lines, imports = [line for line in lines_of("README.md", "Without Kubernetes") if line.startswith("holdfast ")]
    typed(lines, tmp_path, uri, names)
    typed(
        ["holdfast export latest --repository mongodb: --format directory --output dump", imports], tmp_path, uri, names
    )
    assert differences(snapshot_of(database, skip=OWN_COLLECTIONS), snapshot_of(restored)) == []
    there = Command(uri)
    assert len(there.json("list", "--repository", names["file:///backups"])) == 1


def test_the_commands_of_the_page_on_exports_lead_out_and_back(mongod: Mongod, database: Db, tmp_path: Path) -> None:
    generate(database, entries=100)
    before = snapshot_of(database)
    (tmp_path / "store").mkdir()
    uri = mongod.uri.replace("/?", f"/{database.name}?authSource=admin&")
    names = {
        "REPO": f"file://{tmp_path}/store",
        "mongorestore ": f"{mongo_tools.mongorestore()} --drop --uri='{mongod.uri}' ",
    }
    typed(["holdfast backup --repository REPO", *lines_of("export.md")], tmp_path, uri, names)
    assert differences(before, snapshot_of(database)) == []
    assert len(Command(uri).json("list", "--repository", names["REPO"])) == 2


def test_the_commands_of_other_pages_are_taken(mongod: Mongod, database: Db, tmp_path: Path) -> None:
    generate(database, entries=100)
    (tmp_path / "store").mkdir()
    uri = mongod.uri.replace("/?", f"/{database.name}?authSource=admin&")
    store = f"file://{tmp_path}/store"
    made = ("backup", f"export latest --format directory --output {tmp_path}/dump")
    typed([f"holdfast {words} --repository {store}" for words in made], tmp_path, uri, {})
    backup_id = Command(uri).json("list", "--repository", store)[0]["backupId"]
    (tmp_path / "sealed").mkdir()
    names = {
        "s3://acme-backups/team/shop-sealed": f"file://{tmp_path}/sealed",
        "s3://acme-backups/team/shop": store,
        "s3://backups/timetrack": store,
        "20261123T020000Z-1a2b3c4d": backup_id,
    }
    pages = ("migrating.md", "retention.md", "encryption.md")
    lines = [line for page in pages for line in lines_of(page) if line.startswith("holdfast ")]
    begin = next(number for number, line in enumerate(lines) if line.startswith("holdfast keygen"))
    sealed = f"holdfast backup --key-file key --repository {names['s3://acme-backups/team/shop-sealed']}"
    lines.insert(begin + 1, sealed)  # as the policy on that page does
    typed(lines, tmp_path, uri, names)
    there = Command(uri).json("list", "--repository", store)
    assert len(list((tmp_path / "store" / "holds").iterdir())) == 1
    assert len(there) == 2
