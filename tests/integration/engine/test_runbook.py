"""Each command of the page on restores does what the page says, on a real database."""

from pathlib import Path
from typing import Any

from pymongo.database import Database

from tests.integration.engine.test_command_line import Command
from tests.support.compare import OWN_COLLECTIONS, differences, snapshot_of
from tests.support.mongod import Mongod
from tests.support.runbook import commands_of
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
