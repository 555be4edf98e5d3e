"""Exports are taken by the real mongorestore, and what the real mongodump writes is imported exactly."""

import gzip
import json
import os
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bson
import pytest
from pymongo.database import Database

from holdfast.dump.extended_json import to_json
from holdfast.dump.extended_json_reader import parse, to_bson
from holdfast.dump.opening import DumpFormat, open_dump, written_at
from holdfast.errors import BackupNotFound, DamagedBackup, DamagedDump, Interrupted, InvalidSpec
from holdfast.repository.documents import id_bytes, split
from holdfast.repository.manifest import CollectionRecord, Manifest
from holdfast.repository.repository import Repository
from holdfast.services.backup_request import BackupOutcome
from holdfast.services.export import ExportFormat, ExportOutcome, ExportRequest, export
from holdfast.services.import_dump import ImportRequest, import_dump
from holdfast.stores.memory import MemoryStore
from holdfast.wiring.opening import now
from tests.support import corpus, mongo_tools, raw_reader
from tests.support.compare import DatabaseImage, differences, snapshot_of
from tests.support.engine import Engine
from tests.support.mongod import Mongod
from tests.support.server_programs import npm_script
from tests.support.timetrack import generate

Db = Database[dict[str, Any]]
LONG = "l" + "ö" * 60 + "/" * 20
"""Its escaped form has more than 238 bytes."""


def fill(database: Db) -> None:
    """Collections of every kind, with what dumps get wrong."""
    generate(database, entries=300)
    database.create_collection("capped log", capped=True, size=2**20)
    database["capped log"].insert_many([{"_id": n % 7 * 100 + n, "n": n} for n in range(50)])
    database.create_collection("clustered", clusteredIndex={"key": {"_id": 1}, "unique": True, "name": "by id"})
    database["clustered"].insert_many([{"_id": n} for n in range(10)])
    database.create_collection("collated", collation={"locale": "fr", "strength": 1})
    database["collated"].create_index("name", collation={"locale": "simple"}, name="simple")
    database["collated"].create_index("other", name="inherited")
    database["collated"].insert_many([{"name": "é"}, {"name": "e", "other": "E"}])
    database.create_collection("validated", validator={"name": {"$regex": "^a", "$options": "i"}})
    database["validated"].create_index(
        [("name", 1), ("n", -1)], partialFilterExpression={"n": {"$gt": 5}}, name="partial"
    )
    database["validated"].insert_one({"name": "Anna", "n": 2**40})
    database.create_collection("weather", timeseries={"timeField": "at", "metaField": "place"})
    database["weather"].insert_many(
        [{"at": datetime(2026, 11, day, tzinfo=UTC), "place": "x", "c": day} for day in range(1, 29)]
    )
    database.create_collection("weather view", viewOn="weather", pipeline=[{"$match": {"c": {"$gt": 3}}}])
    database.create_collection(LONG)
    database[LONG].insert_one({"_id": 1})
    database.create_collection("empty/%2F")
    database["system.js"].insert_one({"_id": "f", "value": "function (x) { return x }"})
    corpus.insert(database, "values", corpus.documents())


def run(tool: Path, mongod: Mongod, *arguments: str | Path) -> str:
    command = [tool, f"--uri={mongod.uri}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stderr


def renamed(database: Db, restored: Db) -> Sequence[str]:
    return (f"--nsFrom={database.name}.*", f"--nsTo={restored.name}.*")


def exported(engine: Engine, manifest: Manifest, form: ExportFormat, path: Path, **options: Any) -> ExportOutcome:
    request = ExportRequest(form, path, **options)
    return export(request, manifest, engine.repository, engine.recorder, engine.stop)


def imported(engine: Engine, path: Path, form: DumpFormat, database: str | None = None) -> Manifest:
    dump = open_dump(path, form)
    try:
        request = ImportRequest(form.value, written_at(path), database)
        return import_dump(request, dump, engine.repository, engine.recorder, now, engine.stop)
    finally:
        dump.close()


def dumped(mongod: Mongod, database: Db, path: Path, form: DumpFormat, *more: str) -> Path:
    place = f"--archive={path}" if form is DumpFormat.ARCHIVE else f"--out={path}"
    run(mongo_tools.mongodump(), mongod, f"--db={database.name}", place, *more)
    return path


# --- out ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("form", [ExportFormat.ARCHIVE, ExportFormat.DIRECTORY])
def test_mongorestore_takes_an_export_with_nothing_lost(
    mongod: Mongod, engine: Engine, database: Db, restored: Db, tmp_path: Path, form: ExportFormat, compressed: bool
) -> None:
    fill(database)
    manifest = engine.back_up(database.name).manifest
    path = tmp_path / "out"
    outcome = exported(engine, manifest, form, path, gzip=compressed)
    assert outcome.warnings == ()
    place = [f"--archive={path}"] if form is ExportFormat.ARCHIVE else [str(path)]
    said = run(
        mongo_tools.mongorestore(),
        mongod,
        *renamed(database, restored),
        *(["--gzip"] if compressed else []),
        *["--bypassDocumentValidation", "--maintainInsertionOrder"],
        *place,
    )
    assert " 0 document(s) failed to restore" in said
    assert differences(snapshot_of(database), snapshot_of(restored)) == []


def without_options(path: Path) -> tuple[list[str], Any]:
    """The names of the fields in their order, and all but the options, in whose fields mongodump 100.6 has no order."""
    fields = json.loads(path.read_text())
    return list(fields), json.dumps({name: value for name, value in fields.items() if name != "options"})


def test_an_export_is_the_dump_that_mongodump_writes(
    mongod: Mongod, engine: Engine, database: Db, tmp_path: Path
) -> None:
    fill(database)
    theirs = dumped(mongod, database, tmp_path / "theirs", DumpFormat.DIRECTORY) / database.name
    exported(engine, engine.back_up(database.name).manifest, ExportFormat.DIRECTORY, tmp_path / "ours")
    ours = tmp_path / "ours" / database.name
    assert sorted(path.name for path in ours.iterdir()) == sorted(path.name for path in theirs.iterdir())
    for path in theirs.glob("*.bson"):  # they are in natural order, ours by _id
        assert sorted(split(path.read_bytes())) == sorted(split((ours / path.name).read_bytes())), path.name
    for path in theirs.glob("*.json"):
        assert without_options(path) == without_options(ours / path.name)
        assert json.loads(path.read_text()) == json.loads((ours / path.name).read_text())


def test_the_same_backup_gives_the_same_bytes(engine: Engine, database: Db, tmp_path: Path) -> None:
    fill(database)
    manifest = engine.back_up(database.name).manifest
    for name in ("one", "two"):
        exported(engine, manifest, ExportFormat.ARCHIVE, tmp_path / name, gzip=True)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("form", list(ExportFormat))
def test_nothing_is_written_over(engine: Engine, database: Db, tmp_path: Path, form: ExportFormat) -> None:
    database["c"].insert_one({})
    manifest = engine.back_up(database.name).manifest
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InvalidSpec, match="there already"):
        exported(engine, manifest, form, tmp_path / "out")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("out", "mine")]


@pytest.mark.parametrize("form", list(ExportFormat))
def test_a_damaged_chunk_leaves_nothing_that_looks_whole(
    mongod: Mongod, database: Db, tmp_path: Path, form: ExportFormat
) -> None:
    store = MemoryStore()
    engine = Engine(mongod.uri, Repository(store))
    database["c"].insert_many([{"n": n} for n in range(100)])
    manifest = engine.back_up(database.name).manifest
    (ref,) = engine.repository.chunk_refs(manifest.collections[0])
    key = f"chunks/{ref.id.hex()[:2]}/{ref.id.hex()}"
    stored = bytearray(store.read(key) or b"")
    stored[-3] ^= 1
    store.delete(key)
    store.create(key, bytes(stored))
    with pytest.raises(DamagedBackup):
        exported(engine, manifest, form, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_export_leaves_nothing(engine: Engine, database: Db, tmp_path: Path) -> None:
    database["c"].insert_one({})
    manifest = engine.back_up(database.name).manifest
    engine.stop.set()
    with pytest.raises(Interrupted):
        exported(engine, manifest, ExportFormat.ARCHIVE, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_some_collections_can_be_chosen(engine: Engine, database: Db, tmp_path: Path) -> None:
    for name in ("a", "ab", "b"):
        database[name].insert_one({})
    manifest = engine.back_up(database.name).manifest
    outcome = exported(engine, manifest, ExportFormat.DIRECTORY, tmp_path / "out", include=("a*",), exclude=("ab",))
    assert [c.name for c in outcome.collections] == ["a"]
    assert not list(tmp_path.rglob("b.*"))
    with pytest.raises(BackupNotFound):
        exported(engine, manifest, ExportFormat.DIRECTORY, tmp_path / "none", include=("x",))


def partial(manifest: Manifest, name: str) -> Manifest:
    """The same backup, had one collection not been readable."""
    collections = tuple(
        CollectionRecord(name=c.name, type=c.type, error="not readable") if c.name == name else c
        for c in manifest.collections
    )
    return manifest.model_copy(update={"collections": collections})


def test_a_partial_backup_gives_its_good_collections_and_a_warning(
    engine: Engine, database: Db, tmp_path: Path
) -> None:
    for name in ("good", "lost"):
        database[name].insert_one({})
    manifest = partial(engine.back_up(database.name).manifest, "lost")
    outcome = exported(engine, manifest, ExportFormat.JSON, tmp_path / "out")
    assert outcome.skipped == ("lost",)
    assert "'lost'" in engine.recorder.warnings[0]
    written = json.loads((tmp_path / "out").read_text())["collections"]
    assert written["lost"] == {"status": "error", "error": "not readable"}
    assert (written["good"]["status"], written["good"]["count"]) == ("success", 1)


def loose(image: DatabaseImage) -> DatabaseImage:
    """Without the order of fields in options, which mongodump 100.6 does not keep."""

    def in_order(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: in_order(value[name]) for name in sorted(value)}
        return [in_order(each) for each in value] if isinstance(value, list) else value

    return replace(
        image,
        collections={
            name: replace(each, options=bson.encode(in_order(bson.decode(each.options))) if each.options else b"")
            for name, each in image.collections.items()
        },
    )


# --- in -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("form", list(DumpFormat))
def test_what_mongodump_wrote_comes_back_exactly(
    mongod: Mongod, engine: Engine, database: Db, restored: Db, tmp_path: Path, form: DumpFormat, compressed: bool
) -> None:
    fill(database)
    path = dumped(mongod, database, tmp_path / "dump", form, *(["--gzip"] if compressed else []))
    manifest = imported(engine, path, form)
    assert (manifest.database, manifest.consistency.level.value) == (database.name, "None")
    if form is DumpFormat.ARCHIVE:
        assert manifest.server.version.startswith("6.0.")
    outcome = engine.restore(BackupOutcome(manifest, 0, ()), restored.name)
    assert outcome.problems == ()
    assert differences(loose(snapshot_of(database)), loose(snapshot_of(restored))) == []


def test_an_export_of_ours_comes_back_exactly(engine: Engine, database: Db, restored: Db, tmp_path: Path) -> None:
    fill(database)
    taken = engine.back_up(database.name).manifest
    exported(engine, taken, ExportFormat.ARCHIVE, tmp_path / "out")
    manifest = imported(engine, tmp_path / "out", DumpFormat.ARCHIVE)
    assert [c.document_hash for c in manifest.collections] == [c.document_hash for c in taken.collections]
    assert manifest.new_bytes == 0, "the chunks are cut as those of the backup"
    assert engine.restore(BackupOutcome(manifest, 0, ()), restored.name).problems == ()
    assert differences(snapshot_of(database), snapshot_of(restored)) == []


def test_a_dump_that_is_imported_twice_is_one_backup(
    mongod: Mongod, engine: Engine, database: Db, tmp_path: Path
) -> None:
    generate(database, entries=300)
    path = dumped(mongod, database, tmp_path / "dump", DumpFormat.ARCHIVE)
    first = imported(engine, path, DumpFormat.ARCHIVE)
    assert imported(engine, path, DumpFormat.ARCHIVE) == first
    assert engine.repository.backup_ids() == [first.backup_id]


def test_an_import_bears_the_time_of_the_file_and_says_what_it_is(
    mongod: Mongod, engine: Engine, database: Db, tmp_path: Path
) -> None:
    database["c"].insert_one({})
    path = dumped(mongod, database, tmp_path / "dump", DumpFormat.ARCHIVE)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    manifest = imported(engine, path, DumpFormat.ARCHIVE)
    assert manifest.start_time == datetime.fromtimestamp(1_700_000_000, UTC)
    assert manifest.backup_id.startswith("20231114T221320Z-")
    assert manifest.imported is not None
    assert (manifest.imported.format, manifest.imported.tool_version) == ("archive", mongo_tools.VERSION)


def test_a_dump_of_several_databases_needs_a_name(
    mongod: Mongod, engine: Engine, database: Db, restored: Db, tmp_path: Path
) -> None:
    database["c"].insert_one({"of": "one"})
    restored["c"].insert_one({"of": "the other"})
    run(mongo_tools.mongodump(), mongod, f"--archive={tmp_path / 'all'}")
    with pytest.raises(InvalidSpec, match=restored.name):
        imported(engine, tmp_path / "all", DumpFormat.ARCHIVE)
    with pytest.raises(InvalidSpec, match="does not hold"):
        imported(engine, tmp_path / "all", DumpFormat.ARCHIVE, "nowhere")
    manifest = imported(engine, tmp_path / "all", DumpFormat.ARCHIVE, database.name)
    assert [(c.name, c.documents) for c in manifest.collections] == [("c", 1)]
    assert "admin" in manifest.warnings[0]


def test_an_oplog_in_a_dump_is_told_and_left_alone(
    mongod: Mongod, engine: Engine, database: Db, tmp_path: Path
) -> None:
    database["c"].insert_one({})
    for form in DumpFormat:
        path = tmp_path / form.value
        place = f"--archive={path}" if form is DumpFormat.ARCHIVE else f"--out={path}"
        run(mongo_tools.mongodump(), mongod, "--oplog", place)
        manifest = imported(engine, path, form, database.name)
        assert any("oplog" in warning for warning in manifest.warnings)
        assert [c.name for c in manifest.collections] == ["c"]


def broken_archives(whole: bytes) -> dict[str, bytes]:
    middle = whole.index(b"needle")
    return {
        "a changed document": whole[:middle] + b"noodle" + whole[middle + 6 :],
        "cut in a document": whole[: middle + 3],
        "cut before its last block": whole[: whole.rindex(b"EOF") - 60],
        "another version": whole.replace(b"version\0\x04\0\0\x000.1\0", b"version\0\x04\0\0\x000.9\0", 1),
        "no archive": b"PK" + whole,
        "nothing": b"",
        "compressed and cut": gzip.compress(whole)[:-20],
        "compressed and changed": gzip.compress(whole)[:-6] + b"abcdef",
        "a length out of bounds": whole[: middle - 30] + b"\xff\xff\xff\x7f" * 4 + whole[middle - 14 :],
    }


@pytest.mark.parametrize("damage", list(broken_archives(b"needle EOF")))
def test_a_damaged_archive_is_refused_and_nothing_committed(
    mongod: Mongod, engine: Engine, database: Db, tmp_path: Path, damage: str
) -> None:
    database["c"].insert_many([{"text": "needle"}, {"text": "hay"}])
    path = dumped(mongod, database, tmp_path / "dump", DumpFormat.ARCHIVE)
    path.write_bytes(broken_archives(path.read_bytes())[damage])
    with pytest.raises(DamagedDump):
        imported(engine, path, DumpFormat.ARCHIVE)
    assert engine.repository.backup_ids() == []


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def spoil(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"\x02text\0", b"\x55text\0"))


DIRECTORY_DAMAGE: dict[str, tuple[str, Callable[[Path], None]]] = {
    "cut in a document": ("c.bson", cut),
    "not BSON": ("c.bson", spoil),
    "no documents": ("c.bson", Path.unlink),
    "no metadata": ("c.metadata.json", Path.unlink),
    "metadata cut": ("c.metadata.json", cut),
}


@pytest.mark.parametrize("damage", list(DIRECTORY_DAMAGE))
def test_a_damaged_directory_is_refused_and_nothing_committed(
    mongod: Mongod, engine: Engine, database: Db, tmp_path: Path, damage: str
) -> None:
    database["c"].insert_many([{"text": "needle"}, {"text": "hay"}])
    database["d"].insert_one({})
    path = dumped(mongod, database, tmp_path / "dump", DumpFormat.DIRECTORY)
    name, break_it = DIRECTORY_DAMAGE[damage]
    break_it(path / database.name / name)
    with pytest.raises(DamagedDump, match=r"c\b"):
        imported(engine, path, DumpFormat.DIRECTORY)
    assert engine.repository.backup_ids() == []


def test_the_directory_of_one_database_can_be_named_itself(
    mongod: Mongod, engine: Engine, database: Db, tmp_path: Path
) -> None:
    database["c"].insert_one({})
    path = dumped(mongod, database, tmp_path / "dump", DumpFormat.DIRECTORY)
    assert imported(engine, path / database.name, DumpFormat.DIRECTORY).database == database.name


def test_collections_that_come_interleaved_are_told_apart(
    mongod: Mongod, engine: Engine, database: Db, restored: Db, tmp_path: Path
) -> None:
    for name in "abcdef":
        database[name].insert_many([{"in": name, "n": n, "x": "x" * 500} for n in range(8_000)])
    path = dumped(mongod, database, tmp_path / "dump", DumpFormat.ARCHIVE, "--numParallelCollections=4")
    manifest = imported(engine, path, DumpFormat.ARCHIVE)
    assert engine.restore(BackupOutcome(manifest, 0, ()), restored.name).problems == ()
    assert differences(snapshot_of(database), snapshot_of(restored)) == []


# --- JSON and Node.js ---------------------------------------------------------------------------------------------


def script_in_the_documents() -> str:
    text = (Path(__file__).parents[3] / "docs" / "export.md").read_text(encoding="utf-8")
    found = re.search(r"```js\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


def typed() -> dict[str, Any]:
    """What JavaScript has no type of its own for."""
    return {
        "long": bson.Int64(5), "large": bson.Int64(2**62 + 1), "int": 5, "double": 5.0, "zero": -0.0,
        "decimal": bson.Decimal128("1.10"), "binary": b"\0\xff", "uuid": bson.Binary(bytes(16), 4),
        "date": datetime(1950, 1, 1, tzinfo=UTC), "stamp": bson.Timestamp(7, 8), "min": bson.MinKey(),
        "max": bson.MaxKey(), "infinity": float("-inf"), "code": bson.Code("f()"), "regex": bson.Regex("^a", "i"),
        "text": "ä\u2028\"\\\0</script>",
    }  # fmt: skip


def test_the_script_in_the_documents_restores_a_json_file(
    mongod: Mongod, engine: Engine, database: Db, restored: Db, tmp_path: Path
) -> None:
    generate(database, entries=300)
    database["typed"].insert_one(typed())
    path = tmp_path / "backup.json"
    outcome = exported(engine, engine.back_up(database.name).manifest, ExportFormat.JSON, path)
    (tmp_path / "restore.js").write_text(script_in_the_documents())
    modules = npm_script("nodedriver", "mongodb").parent
    uri = mongod.uri.replace("/?", f"/{restored.name}?")
    done = subprocess.run(
        ["node", tmp_path / "restore.js", path],
        env={**os.environ, "NODE_PATH": str(modules), "MONGODB_URI": uri},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    before, after = snapshot_of(database).collections, snapshot_of(restored).collections
    for collection in outcome.collections:
        name = collection.name
        if collection.documents:
            assert before[name].unordered == after[name].unordered, name
    assert not any("cannot carry" in warning for warning in outcome.warnings)


def test_the_json_file_reads_back_to_the_same_bytes(engine: Engine, database: Db, tmp_path: Path) -> None:
    """Also what the driver's own reader would take for something else."""
    corpus.insert(database, "values", corpus.documents())
    outcome = exported(engine, engine.back_up(database.name).manifest, ExportFormat.JSON, tmp_path / "out")
    written = parse((tmp_path / "out").read_text())
    documents = dict(dict(dict(written)["collections"])["values"])["documents"]
    again = {id_bytes(raw): raw for raw in map(to_bson, documents)}
    raw = {id_bytes(each): each for each in raw_reader.documents(database, "values")}
    changed = [each for key, each in raw.items() if again.get(key) != each]
    told = " ".join(outcome.warnings)
    assert "twice in one document" in told
    assert "NaN" in told
    assert len(raw) == len(again)
    for each in changed:
        lost: list[str] = []
        to_json(each, lost.append)
        assert lost, f"changed, and nothing was said: {each.hex()[:200]}"
