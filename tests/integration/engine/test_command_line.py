"""The `holdfast` command as a user runs it: what it prints, its exit codes, and how it ends when it is killed."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter
from pymongo.database import Database

from holdfast.cli.outputs import OUTPUTS
from tests.support.compare import OWN_COLLECTIONS, differences, snapshot_of
from tests.support.held import hold, is_held, release
from tests.support.mongod import Mongod
from tests.support.timetrack import generate

Db = Database[dict[str, Any]]
SCHEMAS = Path(__file__).parents[3] / "docs" / "schemas"


class Command:
    """Runs `holdfast` with a URI in MONGODB_URI."""

    def __init__(self, uri: str) -> None:
        self.environment = {**os.environ, "MONGODB_URI": uri}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "holdfast", *arguments]
        return subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Standard output, or what was said on standard error when an error is expected."""
        process = self.start(*arguments)
        output, said = process.communicate(timeout=60)
        assert process.returncode == code, said
        assert "Traceback" not in said
        return said if code in (1, 2, 75) else output

    def json(self, *arguments: str, code: int = 0) -> Any:
        """What a command prints with --json, proven to be what its schema in the documents says, and no more."""
        process = self.start(*arguments, "--json")
        printed, said = process.communicate(timeout=60)
        assert process.returncode == code, said
        schema = json.loads((SCHEMAS / f"{arguments[0]}.json").read_text(encoding="utf-8"))
        Draft202012Validator(schema).validate(json.loads(printed))
        # The schema allows for fields of a later release; the model behind it does not.
        TypeAdapter(OUTPUTS[arguments[0]]).validate_json(printed, strict=True)
        return json.loads(printed)


@pytest.fixture
def holdfast(mongod: Mongod, database: Db) -> Command:
    """A user who may read and write one database."""
    password = mongod.create_user(f"user-{database.name}", [{"role": "readWrite", "db": database.name}])
    return Command(mongod.uri_for(f"user-{database.name}", password, database=database.name))


@pytest.fixture
def root(mongod: Mongod, database: Db) -> Command:
    return Command(mongod.uri.replace("/?", f"/{database.name}?authSource=admin&"))


@pytest.fixture
def filled(database: Db) -> Db:
    generate(database, entries=300)
    return database


def test_a_backup_is_listed_shown_verified_and_restored(
    holdfast: Command, root: Command, filled: Db, restored: Db
) -> None:
    before = snapshot_of(filled)
    repository = ("--repository", "mongodb:")
    taken = holdfast.json("backup", *repository)
    assert [b["backupId"] for b in holdfast.json("list", *repository)] == [taken["backupId"]]
    assert holdfast.json("show", "latest", *repository) == taken
    assert holdfast.json("verify", taken["backupId"], "--read-data", *repository)["good"]
    elsewhere = ("--repository", f"mongodb:{filled.name}", "--database", restored.name)
    assert root.json("restore", "latest", *elsewhere)["verified"]
    assert differences(before, snapshot_of(restored)) == []


def test_json_has_the_names_of_a_backup_runs_status(holdfast: Command, filled: Db) -> None:
    report = holdfast.json("backup", "--repository", "mongodb:")
    assert set(report) >= {"backupId", "startTime", "completionTime", "phase", "documents", "logicalBytes",
                           "storedBytes", "newBytes", "consistency", "collections", "warnings"}  # fmt: skip
    assert report["consistency"]["level"] == "Snapshot"
    assert {c["name"] for c in report["collections"]} == set(filled.list_collection_names()) - {
        "backupdatas",
        "backupmetadatas",
    }


def test_backups_are_listed_newest_first(holdfast: Command, filled: Db) -> None:
    del filled
    ids = [holdfast.json("backup", "--repository", "mongodb:")["startTime"] for _ in range(2)]
    assert [b["startTime"] for b in holdfast.json("list", "--repository", "mongodb:")] == sorted(ids, reverse=True)


def test_a_user_with_readwrite_on_the_target_can_restore(mongod: Mongod, database: Db, restored: Db) -> None:
    database["c"].insert_many([{"_id": n} for n in range(10)])
    roles = [{"role": "readWrite", "db": name} for name in (database.name, restored.name)]
    password = mongod.create_user(f"both-{database.name}", roles)
    holdfast = Command(mongod.uri_for(f"both-{database.name}", password, database=database.name))
    holdfast("backup", "--repository", "mongodb:")
    assert holdfast.json("restore", "latest", "--repository", "mongodb:", "--database", restored.name)["verified"]


def test_a_user_without_rights_on_the_target_is_told_which_role_is_needed(
    holdfast: Command, filled: Db, restored: Db
) -> None:
    del filled
    holdfast("backup", "--repository", "mongodb:")
    said = holdfast("restore", "latest", "--repository", "mongodb:", "--database", restored.name, code=2)
    assert "`restore` on admin" in said


def test_a_backup_goes_out_as_an_archive_and_comes_in_again(
    holdfast: Command, root: Command, filled: Db, restored: Db, tmp_path: Path
) -> None:
    before = snapshot_of(filled, skip=OWN_COLLECTIONS)
    repository, other = ("--repository", "mongodb:"), ("--repository", f"file://{tmp_path / 'other'}")
    (tmp_path / "other").mkdir()
    taken = holdfast.json("backup", *repository)
    path = tmp_path / "timetrack.archive.gz"
    out = holdfast.json("export", "latest", *repository, "--format", "archive", "--gzip", "--output", str(path))
    assert (out["backupId"], out["documents"], out["output"]) == (taken["backupId"], taken["documents"], str(path))
    came = holdfast.json("import", str(path), *other)
    assert (came["documents"], came["consistency"]) == (taken["documents"], {"level": "None"})
    assert root.json("restore", came["backupId"], *other, "--database", restored.name)["verified"]
    assert differences(before, snapshot_of(restored)) == []


def test_an_export_to_standard_output_is_that_of_a_file(holdfast: Command, filled: Db, tmp_path: Path) -> None:
    repository = ("--repository", "mongodb:")
    holdfast.json("backup", *repository, "--collection", "users")
    holdfast("export", "latest", *repository, "--format", "json", "--output", str(tmp_path / "file"))
    assert holdfast("export", "latest", *repository, "--format", "json", "--output", "-") == (
        tmp_path / "file"
    ).read_text(encoding="utf-8")
    assert json.loads((tmp_path / "file").read_text(encoding="utf-8"))["database"] == filled.name


def test_the_json_file_is_named_for_the_database_and_the_day(
    holdfast: Command, filled: Db, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = ("--repository", "mongodb:")
    day = holdfast.json("backup", *repository, "--collection", "users")["startTime"][:10]
    monkeypatch.chdir(tmp_path)
    holdfast("export", "latest", *repository, "--format", "json")
    assert [path.name for path in tmp_path.iterdir()] == [f"{filled.name}-backup-{day}.json"]


@pytest.fixture
def partly(mongod: Mongod, filled: Db, tmp_path: Path) -> tuple[Command, tuple[str, str]]:
    """A repository with a backup by a user who may read one collection alone: all others failed."""
    name = f"partly-{filled.name}"
    privileges = [
        {"resource": {"db": filled.name, "collection": "users"}, "actions": ["find", "listIndexes", "collStats"]},
        {"resource": {"db": filled.name, "collection": ""}, "actions": ["listCollections"]},
    ]
    mongod.client[filled.name].command({"createRole": name, "privileges": privileges, "roles": []})
    password = mongod.create_user(name, [{"role": name, "db": filled.name}])
    holdfast = Command(mongod.uri_for(name, password, database=filled.name))
    (tmp_path / "store").mkdir()
    repository = ("--repository", f"file://{tmp_path / 'store'}")
    holdfast.json("backup", *repository, code=3)
    return holdfast, repository


def test_a_partial_backup_is_exported_with_exit_code_3(partly: tuple[Command, tuple[str, str]], tmp_path: Path) -> None:
    holdfast, repository = partly
    output = tmp_path / "out.json"
    said = holdfast("export", "latest", *repository, "--format", "json", "--output", str(output), code=3)
    assert "NOT exported: timeEntries" in said
    written = json.loads(output.read_text(encoding="utf-8"))["collections"]
    assert written["users"]["status"] == "success"
    assert written["timeEntries"]["status"] == "error"


def test_a_partial_backup_gives_its_good_collections_alone_and_says_loudly_what_it_lacks(
    partly: tuple[Command, tuple[str, str]], root: Command, filled: Db, restored: Db
) -> None:
    _, repository = partly
    names = sorted(filled.list_collection_names())
    into = ("--database", restored.name)
    process = root.start("restore", "latest", *repository, *into)
    printed, warned = process.communicate(timeout=60)
    assert process.returncode == 3, warned
    lacking = [name for name in names if name != "users"]
    for name in lacking:
        assert f"Collection {name!r} is not in the backup" in warned
        assert f"NOT restored: {name}: " in printed
    users = snapshot_of(filled, skip=lacking)
    assert differences(users, snapshot_of(restored)) == []
    told = root.json("restore", "latest", *repository, *into, "--existing", "drop", "--confirm", restored.name, code=3)
    assert ([one["name"] for one in told["collections"]], sorted(told["skipped"])) == (["users"], lacking)


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "latest", "--format", "directory", "--output", "-"),
        ("export", "latest", "--format", "archive"),
        ("export", "latest", "--format", "archive", "--output", "/nowhere/at/all"),
        ("export", "latest", "--format", "archive", "--output", "-", "--json"),
        ("import", "/nowhere/at/all"),
        ("import", "/etc", "--format", "archive"),
    ],
)
@pytest.mark.usefixtures("filled")
def test_an_export_or_import_without_a_place_is_wrong_use(holdfast: Command, arguments: tuple[str, ...]) -> None:
    holdfast.json("backup", "--repository", "mongodb:", "--collection", "users")
    assert holdfast(*arguments, "--repository", "mongodb:", code=2).startswith(("error:", "Running\nerror:"))


JSON_ARGUMENTS: dict[str, list[str]] = {
    "backup": [],
    "export": ["latest", "--format", "archive", "--output", "FOLDER/new.archive"],
    "import": ["FOLDER/dump.archive"],
    "list": [],
    "prune": ["--keep-last", "1"],
    "restore": ["latest", "--database", "COPY"],
    "show": ["latest"],
    "stats": [],
    "verify": ["--read-data"],
    "version": [],
}
"""How each command with --json is tried on a repository with two backups."""


@pytest.fixture(scope="module")
def stocked(mongod: Mongod, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Command, str, Path]]:
    """A repository with two backups, and an archive of one: the command, the name of the database, and a folder."""
    name = f"stocked_{uuid4().hex[:12]}"
    generate(mongod.client[name], entries=300)
    command = Command(mongod.uri.replace("/?", f"/{name}?authSource=admin&"))
    repository, folder = ("--repository", f"mongodb:{name}"), tmp_path_factory.mktemp("stocked")
    for _ in range(2):
        command("backup", *repository)
    command("export", "latest", "--format", "archive", "--output", str(folder / "dump.archive"), *repository)
    yield command, name, folder
    for one in (name, f"{name}_copy"):
        mongod.client.drop_database(one)


@pytest.mark.parametrize("command", OUTPUTS)
def test_each_command_prints_what_its_schema_says(command: str, stocked: tuple[Command, str, Path]) -> None:
    root, database, folder = stocked
    words = {"COPY": f"{database}_copy", "FOLDER": str(folder)}
    arguments = [re.sub("|".join(words), lambda found: words[found[0]], word) for word in JSON_ARGUMENTS[command]]
    repository = [] if command == "version" else ["--repository", f"mongodb:{database}"]
    assert root.json(command, *arguments, *repository)


def test_damage_is_printed_as_the_schema_says(mongod: Mongod, root: Command, filled: Db) -> None:
    repository = ("--repository", f"mongodb:{filled.name}")
    taken = root.json("backup", *repository)
    largest = max(mongod.client[filled.name]["backupdatas"].find(), key=lambda part: len(part["data"]))
    mongod.client[filled.name]["backupdatas"].delete_one({"_id": largest["_id"]})
    found = root.json("verify", *repository, code=1)
    assert found["good"] is False
    assert found["damage"][0]["backups"] == [taken["backupId"]]


def test_people_get_tables(holdfast: Command, filled: Db) -> None:
    del filled
    holdfast("backup", "--repository", "mongodb:")
    assert holdfast("list", "--repository", "mongodb:").startswith("BACKUP ")
    assert "timeEntries" in holdfast("show", "latest", "--repository", "mongodb:")


def test_an_encrypted_repository_needs_its_key(holdfast: Command, filled: Db, tmp_path: Path) -> None:
    del filled
    key = ("--key-file", str(tmp_path / "key"))
    holdfast("keygen", "--output", str(tmp_path / "key"))
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0
    holdfast("backup", "--repository", "mongodb:", *key)
    assert "is encrypted" in holdfast("list", "--repository", "mongodb:", code=2)
    assert len(holdfast.json("list", "--repository", "mongodb:", *key)) == 1


@pytest.mark.parametrize("mode", [("--plan",), ()])
def test_another_key_than_the_repositorys_restores_nothing(
    root: Command, filled: Db, restored: Db, tmp_path: Path, mode: tuple[str, ...]
) -> None:
    del filled
    for name in ("right", "wrong"):
        root("keygen", "--output", str(tmp_path / name))
    repository = ("--repository", "mongodb:")
    root("backup", *repository, "--collection", "users", "--key-file", str(tmp_path / "right"))
    restored["users"].insert_one({"_id": "mine"})
    over = ("--database", restored.name, "--existing", "drop", "--confirm", restored.name, *mode)
    said = root("restore", "latest", *repository, *over, "--key-file", str(tmp_path / "wrong"), code=2)
    assert "is not that of the repository" in said
    assert (tmp_path / "wrong").read_text().strip() not in said
    assert list(restored["users"].find()) == [{"_id": "mine"}]
    assert restored.list_collection_names() == ["users"]


def test_a_key_is_never_written_over_a_file(holdfast: Command, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("precious")
    assert "File exists" in holdfast("keygen", "--output", str(tmp_path / "key"), code=2)
    assert (tmp_path / "key").read_text() == "precious"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["show", "nothing"], 2, "No backup 'nothing'"),
        (["backup", "--collection", "nothing"], 2, "Nothing to back up"),
        (["backup", "--database", "admin"], 2, "belongs to the server"),
        (["restore", "latest"], 2, "Nothing was written"),
        (["restore", "latest", "--database", "bad name"], 2, "not a name"),
        (["list", "--uri-file", "/nowhere"], 2, "/nowhere"),
        (["list", "--bogus"], 2, "No such option"),
    ],
)
def test_wrong_use_ends_with_exit_code_2_and_says_what_is_wrong(
    holdfast: Command, filled: Db, arguments: list[str], code: int, said: str
) -> None:
    del filled
    holdfast("backup", "--repository", "mongodb:")
    assert said in holdfast(*arguments, "--repository", "mongodb:", code=code)


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("mongodb://user:hunter2@127.0.0.1:1/db?serverSelectionTimeoutMS=200", 75),
        ("mongodb://user:hunter2@@host/db", 2),
        ("mongodb://user:hunter2", 2),
        ("postgres://user:hunter2@host/db", 2),
    ],
)
def test_an_unusable_uri_is_never_quoted(uri: str, code: int) -> None:
    assert "hunter2" not in Command(uri)("backup", "--repository", "mongodb:", code=code)


def test_a_uri_on_the_command_line_is_refused_and_not_repeated(holdfast: Command) -> None:
    said = holdfast("list", "--repository", "mongodb://user:hunter2@host/db", code=2)
    assert "hunter2" not in said


def test_a_collection_that_may_not_be_read_makes_the_backup_partial(mongod: Mongod, filled: Db) -> None:
    names = [n for n in filled.list_collection_names() if n != "users"] + ["backupmetadatas", "backupdatas"]
    actions = ["find", "listIndexes", "insert", "update", "remove", "collStats"]
    role = f"role-{filled.name}"
    privileges = [
        {"resource": {"db": filled.name, "collection": ""}, "actions": ["listCollections", "dbStats"]},
        *({"resource": {"db": filled.name, "collection": name}, "actions": actions} for name in names),
    ]
    mongod.client["admin"].command({"createRole": role, "privileges": privileges, "roles": []})
    password = mongod.create_user(f"partial-{filled.name}", [{"role": role, "db": "admin"}])
    holdfast = Command(mongod.uri_for(f"partial-{filled.name}", password, database=filled.name))
    report = holdfast.json("backup", "--repository", "mongodb:", code=3)
    assert report["phase"] == "PartiallyFailed"
    assert [c["name"] for c in report["collections"] if c["phase"] == "Failed"] == ["users"]


# --- killed -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def held() -> Iterator[tuple[Mongod, Command]]:
    """A server that holds whoever reads collection z, and a command that has stored collection a and is held there."""
    with Mongod(parameters={"enableTestCommands": "1"}) as own:
        for name in ("a", "z"):
            own.client["db"][name].insert_many([{"_id": n, "text": f"{name}{n}" * 200} for n in range(2_000)])
        hold(own.client, "db.z")
        yield own, Command(own.uri.replace("/?", "/db?authSource=admin&"))
        release(own.client, "db.z")


def held_backup(own: Mongod, holdfast: Command) -> subprocess.Popen[str]:
    process = holdfast.start("backup", "--repository", "mongodb:")
    deadline = monotonic() + 30
    while not is_held(own.client, "db.z"):
        assert monotonic() < deadline
        assert process.poll() is None
    return process


def test_a_backup_killed_half_way_leaves_no_backup_and_the_next_one_uses_its_chunks(
    held: tuple[Mongod, Command],
) -> None:
    own, holdfast = held
    process = held_backup(own, holdfast)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    release(own.client, "db.z")
    assert holdfast.json("list", "--repository", "mongodb:") == []
    chunks = own.client["db"]["backupdatas"].count_documents({})
    assert chunks > 0
    report = holdfast.json("backup", "--repository", "mongodb:")
    assert 0 < report["newBytes"] < report["storedBytes"]
    assert holdfast.json("verify", "--read-data", "--repository", "mongodb:")["good"]


def test_a_backup_asked_to_stop_ends_with_exit_code_75_and_gives_its_lock_back(held: tuple[Mongod, Command]) -> None:
    own, holdfast = held
    process = held_backup(own, holdfast)
    process.send_signal(signal.SIGTERM)
    release(own.client, "db.z")
    _, said = process.communicate(timeout=30)
    assert process.returncode == 75, said
    assert "stop" in said
    assert own.client["db"]["backupmetadatas"].count_documents({"_id": {"$regex": "^locks/"}}) == 0


def test_a_stop_reaches_a_backup_that_waits_for_a_server_without_an_answer(held: tuple[Mongod, Command]) -> None:
    own, holdfast = held
    process = held_backup(own, holdfast)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=40)
    assert process.returncode == 75, said


WINDOW = "minSnapshotHistoryWindowInSeconds"


def window(own: Mongod) -> int:
    return int(own.client.admin.command({"getParameter": 1, WINDOW: 1})[WINDOW])


def test_a_backup_asked_to_stop_sets_the_snapshot_window_back(held: tuple[Mongod, Command]) -> None:
    own, holdfast = held
    own.client.admin.command({"setParameter": 1, WINDOW: 1})
    process = held_backup(own, holdfast)
    assert window(own) > 300
    process.send_signal(signal.SIGTERM)
    release(own.client, "db.z")
    process.communicate(timeout=30)
    assert window(own) == 1


def test_a_killed_backup_leaves_the_window_raised_and_the_next_one_works(held: tuple[Mongod, Command]) -> None:
    own, holdfast = held
    own.client.admin.command({"setParameter": 1, WINDOW: 1})
    process = held_backup(own, holdfast)
    process.kill()
    process.communicate()
    left = window(own)
    assert left > 300
    release(own.client, "db.z")
    holdfast("backup", "--repository", "mongodb:")
    assert window(own) == left, "nobody can tell whether the other one still runs"


def test_ps_shows_no_secret(held: tuple[Mongod, Command]) -> None:
    own, holdfast = held
    process = held_backup(own, holdfast)
    shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    process.kill()
    process.communicate()
    assert b"mongodb://" not in shown


@pytest.mark.usefixtures("filled")
def test_the_totals_of_a_repository_count_what_is_shared_once(holdfast: Command) -> None:
    first, second = (holdfast.json("backup", "--repository", "mongodb:") for _ in range(2))
    found = holdfast.json("stats", "--repository", "mongodb:")
    assert found["backups"] == 2
    assert found["logicalBytes"] == first["logicalBytes"] + second["logicalBytes"]
    assert found["storedBytes"] == first["storedBytes"] == second["storedBytes"]
    assert found["uniqueBytes"] == first["logicalBytes"]
    assert found["sharing"] == 2
    assert found["reuse"] == pytest.approx(2 * found["compression"], abs=0.02)
    assert "2 backups: " in holdfast("list", "--repository", "mongodb:").splitlines()[-1]
    assert "Sharing:     2.0 to 1" in holdfast("stats", "--repository", "mongodb:")


@pytest.mark.usefixtures("filled")
def test_a_prune_says_what_it_would_do_and_then_does_it(holdfast: Command) -> None:
    old, new = (holdfast.json("backup", "--repository", "mongodb:")["backupId"] for _ in range(2))
    rule = ("--keep-daily", "1", "--repository", "mongodb:")
    planned = holdfast.json("prune", "--dry-run", *rule)
    assert [backup["keep"] for backup in planned["backups"]].count(False) == 1
    assert len(holdfast.json("list", "--repository", "mongodb:")) == 2
    removed = holdfast.json("prune", *rule)["removed"]
    assert len(removed) == 1
    assert removed[0] in (old, new)
    assert holdfast.json("verify", "--read-data", "--repository", "mongodb:")["good"]


@pytest.mark.usefixtures("filled")
def test_a_prune_without_a_rule_is_refused(holdfast: Command) -> None:
    holdfast("backup", "--repository", "mongodb:")
    assert "No rule" in holdfast("prune", "--repository", "mongodb:", code=2)
    assert "not a duration" in holdfast("prune", "--keep-within", "soon", "--repository", "mongodb:", code=2)
    assert "not a time zone" in holdfast(
        "prune", "--keep-last", "1", "--time-zone", "Mars/Base", "--repository", "mongodb:", code=2
    )


@pytest.mark.usefixtures("filled")
def test_a_held_backup_is_never_pruned_until_it_is_released(holdfast: Command) -> None:
    for _ in range(2):
        holdfast("backup", "--repository", "mongodb:")
    prune = ("prune", "--keep-last", "1", "--repository", "mongodb:")
    (old,) = (one["backupId"] for one in holdfast.json(*prune, "--dry-run")["backups"] if not one["keep"])
    assert "is held" in holdfast("hold", old, "--reason", "the year's end", "--repository", "mongodb:")
    done = holdfast.json(*prune)
    assert done["removed"] == []
    assert {one["backupId"]: one["reasons"] for one in done["backups"]}[old] == ["held"]
    assert "may be pruned" in holdfast("hold", old, "--release", "--repository", "mongodb:")
    assert "is not held" in holdfast("hold", old, "--release", "--repository", "mongodb:", code=2)
    assert holdfast.json(*prune)["removed"] == [old]
