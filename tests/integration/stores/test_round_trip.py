"""`holdfast` takes a backup into each kind of place that an address can name, proves it there, and brings it back."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from tests.support.compare import differences, snapshot_of
from tests.support.mongod import Mongod
from tests.support.timetrack import generate

Db = Database[dict[str, Any]]
KINDS = {"s3": "s3", "gcs": "gs", "azure": "az"}


@pytest.fixture(params=["files", *KINDS])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Mapping[str, str]]:
    """An address, and the variables that lead there."""
    if request.param == "files":
        return f"file://{tmp_path}", {}
    server = request.getfixturevalue(request.param)
    return f"{KINDS[request.param]}://{server.new_bucket()}/team/timetrack", server.settings


@pytest.fixture
def restored(mongod: Mongod, database: Db) -> Iterator[Db]:
    name = f"{database.name}_restored"
    yield mongod.client[name]
    mongod.client.drop_database(name)


def test_a_backup_comes_back(place: tuple[str, Mapping[str, str]], mongod: Mongod, database: Db, restored: Db) -> None:
    address, settings = place
    environment = {**os.environ, **settings, "MONGODB_URI": mongod.uri}

    def holdfast(*arguments: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "holdfast", *arguments, "--repository", address, "--json"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    generate(database, entries=300)
    before = snapshot_of(database)
    first = holdfast("backup", "--database", database.name)
    second = holdfast("backup", "--database", database.name)
    assert second["newBytes"] == 0
    assert [backup["backupId"] for backup in holdfast("list")] == [second["backupId"], first["backupId"]]
    assert holdfast("verify", "--read-data")["good"]
    assert holdfast("restore", "latest", "--database", restored.name)["verified"]
    assert differences(before, snapshot_of(restored)) == []
