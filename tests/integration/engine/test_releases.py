"""Repositories that earlier releases have written are read, proven, restored and added to."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from tests.integration.engine.test_command_line import Command
from tests.support.mongod import Mongod
from tests.support.release import Release, facts_of, releases

Db = Database[dict[str, Any]]


@pytest.mark.parametrize("name", ["repository", "sealed"])
@pytest.mark.parametrize("release", releases(), ids=lambda release: str(release.folder.name))
def test_each_backup_of_that_release_is_restored_exactly(
    release: Release, name: str, mongod: Mongod, restored: Db, tmp_path: Path
) -> None:
    # A copy: reading takes a lock there.
    where = shutil.copytree(release.folder / name, tmp_path / name)
    options = ["--repository", f"file://{where}"]
    if name == "sealed":
        options += ["--key-file", str(release.folder / "sealed.key")]
    holdfast = Command(mongod.uri.replace("/?", f"/{restored.name}?"))
    expected = json.loads(release.expected.read_text(encoding="utf-8"))[name]
    assert {one["backupId"] for one in holdfast.json("list", *options)} == set(expected)
    assert holdfast.json("verify", "--read-data", *options)["good"]
    for backup, facts in expected.items():
        mongod.client.drop_database(restored.name)
        holdfast("restore", backup, "--database", restored.name, *options)
        assert facts_of(restored) == facts
    newest = holdfast.json("backup", *options)
    assert newest["newBytes"] < newest["storedBytes"], "nothing of what was there before is used again"
    # Of each database the newest stays, and the new backup is one of another.
    assert len(holdfast.json("prune", "--keep-last", "1", *options)["removed"]) == len(expected) - 1
    assert holdfast.json("verify", "--read-data", *options)["good"]
