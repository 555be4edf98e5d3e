"""The bytes of a dump: blocks, checksums, file names, and the order of keys in metadata."""

import io
import json
import tempfile
from base64 import urlsafe_b64encode
from hashlib import sha1
from pathlib import Path
from struct import unpack_from
from typing import Any

import bson
import pytest
from fastcrc.crc64 import xz as crc64
from hypothesis import given
from hypothesis import strategies as st

from holdfast.dump.archive import ArchiveReader, ArchiveWriter, signed
from holdfast.dump.directory import DirectoryReader, DirectoryWriter
from holdfast.dump.draft import draft_of_directory, draft_of_file
from holdfast.dump.dump import DumpReader
from holdfast.dump.metadata import data_name, file_name, read_metadata, write_metadata
from holdfast.errors import DamagedDump
from holdfast.ports import CollectionInfo

ID_INDEX = bson.encode({"v": 2, "key": {"_id": 1}, "name": "_id_"})
USERS = CollectionInfo("users", "collection", b"\5\0\0\0\0", (ID_INDEX,), uuid=bytes(range(16)))
SERIES = CollectionInfo("s", "timeseries", bson.encode({"timeseries": {"timeField": "t"}}), (), uuid=None)
VIEW = CollectionInfo("v", "view", bson.encode({"viewOn": "users", "pipeline": []}), (), uuid=None)


def nothing_lost(what: str) -> None:
    raise AssertionError(what)


def archive_of(contents: dict[CollectionInfo, list[bytes]], version: str = "6.0.5-rc1") -> bytes:
    stream = io.BytesIO()
    writer = ArchiveWriter(stream, "db", version, list(contents), nothing_lost)
    for info, chunks in contents.items():
        writer.begin(info, 0)
        for chunk in chunks:
            writer.write(chunk)
        writer.end()
    writer.finish()
    return stream.getvalue()


def parsed(data: bytes) -> list[dict[str, Any] | None]:
    """The documents of an archive behind its magic number, with None for a terminator."""
    found: list[dict[str, Any] | None] = []
    position = 4
    while position < len(data):
        size = unpack_from("<i", data, position)[0]
        found.append(None if size == -1 else bson.decode(data[position : position + size]))
        position += 4 if size == -1 else size
    return found


def contents(reader: DumpReader) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for batch in reader.batches():
        found.setdefault(batch.collection.info.name, []).extend(batch.documents)
    return found


def test_an_archive_is_a_prelude_and_blocks() -> None:
    one, two = bson.encode({"_id": 1}), bson.encode({"_id": 2})
    data = archive_of({USERS: [one, two], VIEW: [], SERIES: [one]})
    assert data[:4] == bytes.fromhex("6de29981")
    header, users, view, series, end, *blocks = parsed(data)
    assert header is not None
    assert list(header) == ["concurrent_collections", "version", "server_version", "tool_version"]
    assert (header["version"], header["server_version"]) == ("0.1", "6.0.5")
    assert users is not None
    assert list(users) == ["db", "collection", "metadata", "size", "type"]
    assert [meta and (meta["collection"], meta["type"]) for meta in (users, view, series)] == [
        ("users", "collection"), ("v", "view"), ("s", "timeseries")]  # fmt: skip
    assert end is None
    data_block = {"db": "db", "EOF": False, "CRC": 0}
    last = [block for block in blocks if block and block.get("EOF")]
    assert blocks[:6] == [
        {**data_block, "collection": "users"}, {"_id": 1}, None,
        {**data_block, "collection": "users"}, {"_id": 2}, None,
    ]  # fmt: skip
    assert [block["collection"] for block in last] == ["users", "v", "system.buckets.s"]
    assert last[1]["CRC"] == 0
    assert isinstance(last[0]["CRC"], bson.Int64)


def test_the_checksum_is_crc_64_xz_as_a_signed_number() -> None:
    # The check value of the catalogue of parametrised CRC algorithms, for "123456789".
    assert signed(crc64(b"6789", crc64(b"12345"))) == 0x995DC9BBDF1939FA - 2**64
    assert signed(5) == 5


@given(st.lists(st.integers(0, 50), max_size=6), st.integers(1, 2**31 - 1))
def test_an_archive_reads_back(sizes: list[int], start: int) -> None:
    chunks = [b"".join(bson.encode({"_id": start, "n": n}) for n in range(size)) for size in sizes]
    data = archive_of({USERS: chunks, VIEW: []})
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        reader = ArchiveReader(Path(file.name))
        assert b"".join(contents(reader)["users"]) == b"".join(chunks)
        assert [c.info for c in reader.prelude.collections] == [USERS, VIEW]
        reader.close()


def test_an_archive_with_a_document_after_the_end_of_its_collection_is_refused(tmp_path: Path) -> None:
    data = archive_of({USERS: []})
    block = data[data.rindex(b"\x02db\0") - 4 :]
    (tmp_path / "a").write_bytes(data + block)
    with pytest.raises(DamagedDump, match="after its end"):
        contents(ArchiveReader(tmp_path / "a"))


@pytest.mark.parametrize(("name", "escaped"), [
    ("users", "users"), ("a b", "a+b"), ("a/b%.c-_~", "a%2Fb%25.c-_~"), ("ö", "%C3%B6"), ("x*!'()", "x%2A%21%27%28%29"),
])  # fmt: skip
def test_names_are_escaped_as_go_does(name: str, escaped: str) -> None:
    assert file_name(name) == escaped


def test_names_of_more_than_238_bytes_are_cut_and_end_in_a_hash() -> None:
    assert file_name("n" * 238) == "n" * 238
    name = "n" * 239
    digest = urlsafe_b64encode(sha1(name.encode(), usedforsecurity=False).digest()).decode().rstrip("=")
    assert file_name(name) == "n" * 208 + "%24" + digest
    assert len(file_name("ö" * 120)) <= 238


def test_the_keys_of_metadata_stand_in_the_order_of_mongodump() -> None:
    capped = CollectionInfo("c", "collection", bson.encode({"capped": True, "size": 4096}), (ID_INDEX,), bytes(16))
    assert write_metadata(capped, nothing_lost) == (
        '{"options":{"capped":true,"size":{"$numberInt":"4096"}},'
        '"indexes":[{"v":{"$numberInt":"2"},"key":{"_id":{"$numberInt":"1"}},"name":"_id_"}],'
        f'"uuid":"{"0" * 32}","collectionName":"c","type":"collection"}}'
    )
    assert list(json.loads(write_metadata(USERS, nothing_lost))) == ["indexes", "uuid", "collectionName", "type"]
    assert list(json.loads(write_metadata(VIEW, nothing_lost))) == ["options", "indexes", "collectionName", "type"]


@pytest.mark.parametrize("info", [USERS, SERIES, VIEW], ids=lambda info: info.type)
def test_metadata_reads_back(info: CollectionInfo) -> None:
    assert read_metadata(write_metadata(info, nothing_lost), "another") == info


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"type":"queue"}', '{"uuid":"x"}', '{"indexes":{"a":1}}', '{"options":[1]}']
)
def test_metadata_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(DamagedDump, match="users"):
        read_metadata(text, "users")


def test_metadata_of_old_tools_says_neither_name_nor_type() -> None:
    info = read_metadata('{"options":{"viewOn":"a","pipeline":[]},"indexes":[]}', "v")
    assert (info.name, info.type) == ("v", "view")


@pytest.mark.parametrize("compressed", [False, True])
def test_a_directory_reads_back(tmp_path: Path, compressed: bool) -> None:
    documents = [bson.encode({"_id": n}) for n in range(5)]
    writer = DirectoryWriter(tmp_path, "db", "6.0.5", [USERS, SERIES, VIEW], nothing_lost, gzip=compressed)
    for info in (USERS, SERIES, VIEW):
        writer.begin(info, 5)
        if info is not VIEW:
            writer.write(b"".join(documents))
        writer.end()
    writer.finish()
    ending = ".gz" if compressed else ""
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")} == {
        f"{name}{ending}" for name in (
            "prelude.json", "db/users.bson", "db/users.metadata.json", "db/system.buckets.s.bson",
            "db/s.metadata.json", "db/v.metadata.json")
    }  # fmt: skip
    reader = DirectoryReader(tmp_path)
    assert (reader.prelude.server_version, {c.database for c in reader.prelude.collections}) == ("6.0.5", {"db"})
    assert contents(reader) == {"users": documents, "s": documents, "v": []}
    assert data_name(SERIES) == "system.buckets.s"


def test_output_gets_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    with draft_of_file(tmp_path / "a") as file, draft_of_directory(tmp_path / "d"):
        file.write(b"x")
        assert all(path.name.startswith(".") for path in tmp_path.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "d"]
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600, "it holds data that was under lock and key"


def test_output_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with draft_of_file(tmp_path / "a"), draft_of_directory(tmp_path / "d"):
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert list(tmp_path.iterdir()) == []
