"""What is kept of the writes during a backup, and what of them a restore repeats."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event
from typing import Any, cast

import pytest
from bson import Int64, decode, encode
from bson.timestamp import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.consistency import Consistency, ConsistencyLevel
from holdfast.domain.oplog import Kind, Operation
from holdfast.errors import CatalogueChanged, ConsistencyUnavailable, DamagedBackup, OplogGap, SourceUnavailable
from holdfast.ports import ClusterTime, ServerInfo, Source, Target
from holdfast.repository.changes import change_of, write_of
from holdfast.repository.collection_writer import CollectionWriter
from holdfast.repository.manifest import CollectionRecord, ConsistencyRecord, Manifest, ServerRecord
from holdfast.repository.repository import Repository
from holdfast.repository.segment_writer import SegmentWriter
from holdfast.services.backup_request import BackupRequest
from holdfast.services.capture_changes import Capture, Captured
from holdfast.services.catch_up import CatchUp
from holdfast.services.collection_records import filled
from holdfast.services.one_moment import OneMoment
from holdfast.stores.memory import MemoryStore
from tests.support.fake_oplog import FakeOplog, entry

MOMENT = datetime(2026, 11, 30, tzinfo=UTC)
BEFORE = entry(100)
"""The newest entry when a capture begins."""


@pytest.fixture
def repository() -> Repository:
    return new_repository()


def new_repository() -> Repository:
    made = Repository(MemoryStore())
    made.open(create=True)
    return made


def capture_of(
    entries: Iterable[bytes],
    repository: Repository,
    kept: Sequence[str] = ("a",),
    concerns: Callable[[str], bool] = lambda _: True,
) -> Captured:
    oplog = FakeOplog(BEFORE)
    capture = Capture(oplog, "shop", repository, Event())
    oplog.entries += entries
    return capture.finish(kept, concerns)


def stored(captured: Captured, repository: Repository) -> list[tuple[Kind, str, dict[str, Any]]]:
    data = b"".join(repository.read_chunk(ref.id) for ref in repository.chunk_refs(captured.changes))
    found = []
    while data:
        size = int.from_bytes(data[:4], "little")
        write = write_of(data[:size])[1]
        found.append((write.kind, write.collection, decode(write.body)))
        data = data[size:]
    return found


@pytest.mark.parametrize("write", [
    Operation("insert", "a", encode({"_id": 1})),
    Operation("delete", "system.buckets.ü", encode({"_id": 1})),
    Operation("update", "a.b", encode({"$v": 2, "diff": {"u": {"n": 1}}}), encode({"_id": 1})),
])  # fmt: skip
def test_a_write_is_read_back_as_it_was(write: Operation) -> None:
    assert write_of(change_of(ClusterTime(7, 3), write)) == (ClusterTime(7, 3), write)


def test_what_is_no_write_is_damage() -> None:
    with pytest.raises(DamagedBackup):
        write_of(encode({"c": "a", "op": "x", "ts": Timestamp(1, 1), "o": {}}))


def test_only_writes_to_what_the_backup_holds_are_kept_and_the_last_is_its_moment(repository: Repository) -> None:
    captured = capture_of(
        [entry(101), entry(102, ns="shop.b"), entry(103, ns="other.a"), entry(104, ns="shop.a")], repository
    )
    assert stored(captured, repository) == [("insert", "a", {"_id": 101}), ("insert", "a", {"_id": 104})]
    assert (captured.at, captured.changes.documents) == (ClusterTime(104, 1), 2)


def test_where_nothing_was_written_nothing_is_stored(repository: Repository) -> None:
    captured = capture_of([], repository)
    assert (captured.at, captured.changes.documents, captured.changes.chunk_lists) == (ClusterTime(100, 1), 0, ())


def session(before: int) -> dict[str, Any]:
    previous = {"ts": Timestamp(before, 1 if before else 0), "t": Int64(1 if before else -1)}
    return {"lsid": {"id": b"0" * 16}, "txnNumber": Int64(1), "prevOpTime": previous, "op": "c", "ns": "admin.$cmd"}


def within(number: int, **more: Any) -> dict[str, Any]:
    return {"applyOps": [{"op": "i", "ns": "shop.a", "o": {"_id": number}}], **more}


def test_a_transaction_counts_where_it_ends_and_not_at_all_if_it_is_taken_back(repository: Repository) -> None:
    begun = entry(101, **session(0), o=within(1, partialTxn=True))
    between, end = entry(102), entry(103, **session(101), o=within(2))
    prepared = entry(104, **session(0), o=within(3, prepare=True))
    abort = entry(105, **session(104), o={"abortTransaction": 1})
    captured = capture_of([begun, between, end, prepared, abort], repository)
    assert [one[2]["_id"] for one in stored(captured, repository)] == [102, 1, 2]


def test_a_transaction_that_began_before_cannot_be_told(repository: Repository) -> None:
    with pytest.raises(OplogGap, match=r"began at 90\.1"):
        capture_of([entry(103, **session(90), o=within(2))], repository)


@pytest.mark.parametrize("command", [
    {"create": "new"}, {"drop": "a"}, {"renameCollection": "shop.x", "to": "shop.new"}, {"collMod": "a"},
    {"dropDatabase": 1}, {"transmogrify": "a"},
])  # fmt: skip
def test_a_change_of_the_catalogue_is_told(repository: Repository, command: dict[str, Any]) -> None:
    with pytest.raises(CatalogueChanged):
        capture_of([entry(101, op="c", ns="shop.$cmd", o=command)], repository, concerns=lambda name: name != "x")


def test_a_change_of_what_is_left_out_is_none(repository: Repository) -> None:
    made = entry(101, op="c", ns="shop.$cmd", o={"create": "temporary"})
    assert capture_of([made], repository, concerns=lambda name: name == "a").at == ClusterTime(101, 1)


def test_an_election_meanwhile_ends_the_attempt(repository: Repository) -> None:
    with pytest.raises(SourceUnavailable, match="election"):
        capture_of([entry(101), entry(102, t=Int64(2))], repository)


def test_what_a_majority_never_gets_ends_the_attempt(repository: Repository) -> None:
    class Ahead(FakeOplog):
        def written(self) -> ClusterTime:
            return ClusterTime(999, 1)

    capture = Capture(Ahead(BEFORE), "shop", repository, Event())
    with pytest.raises(SourceUnavailable, match="majority"):
        capture.finish(["a"], lambda _: True)


# --- how an attempt comes to show one moment ------------------------------------------------------------------------


class FakeSource:
    """Of a replica set, with what a snapshot cannot show."""

    database = "shop"

    def __init__(self, oplog: FakeOplog) -> None:
        self._oplog = oplog

    def catalogue(self) -> list[Any]:
        return [CollectionRecord(name="a", type="collection", capped=True).info]

    def can_snapshot(self, collection: Any) -> bool:
        return not collection.capped

    def oplog(self) -> FakeOplog:
        return self._oplog


def moment_of(oplog: FakeOplog, consistency: Consistency, repository: Repository) -> OneMoment:
    request = BackupRequest("id", None, (), (), consistency, MOMENT)
    server = ServerInfo("6.0.5", "replicaSet", "rs0")
    return OneMoment(request, cast("Source", FakeSource(oplog)), server, repository, Event(), snapshots_lost=False)


@pytest.mark.parametrize("final", [False, True])
def test_a_changed_catalogue_has_the_last_attempt_alone_claim_nothing(repository: Repository, final: bool) -> None:
    oplog = FakeOplog(BEFORE)
    one_moment = moment_of(oplog, Consistency.PREFERRED, repository)
    oplog.entries.append(entry(101, op="c", ns="shop.$cmd", o={"create": "a2"}))
    if not final:
        with pytest.raises(CatalogueChanged):
            one_moment.finish((), final=False)
        return
    captured, [warning] = one_moment.finish((), final=True)
    assert captured is None
    assert "It does not show one moment. 'a2' was changed (create)" in warning


def test_a_policy_that_requires_one_moment_gets_none_over_a_gap(repository: Repository) -> None:
    oplog = FakeOplog(BEFORE)
    one_moment = moment_of(oplog, Consistency.REQUIRED, repository)
    oplog.entries = [entry(200)]
    with pytest.raises(ConsistencyUnavailable, match="no longer holds"):
        one_moment.finish((), final=True)


# --- what is repeated -------------------------------------------------------------------------------------------------

Documents = dict[int, dict[str, Any]]
COUNT = 4


@dataclass
class FakeTarget:
    """As the server repeats: an insert puts the document there whatever there was, an update needs it."""

    documents: Documents

    def repeat(self, writes: Sequence[Operation]) -> None:
        for one in writes:
            assert one.collection == "place"
            _apply(self.documents, one)


def _apply(documents: Documents, one: Operation) -> None:
    body = decode(one.body)
    if one.kind == "insert":
        documents[body["_id"]] = body
    elif one.kind == "delete":
        documents.pop(body["_id"], None)
    else:
        assert one.key is not None
        there = documents[decode(one.key)["_id"]]
        documents[there["_id"]] = {**there, **body["diff"]["u"]} if "diff" in body else body


def _write(documents: Documents, number: int, key: int, kind: str) -> Operation:
    """One that a server in this state writes."""
    if key not in documents:
        return Operation("insert", "a", encode({"_id": key, "born": number}))
    if kind == "delete":
        return Operation("delete", "a", encode({"_id": key}))
    new = {"$v": 2, "diff": {"u": {kind: number}}} if kind != "replace" else {"_id": key, "replaced": number}
    return Operation("update", "a", encode(new), encode({"_id": key}))


@given(
    st.lists(st.tuples(st.integers(0, COUNT - 1), st.sampled_from(["delete", "replace", "x", "y"])), max_size=25),
    st.data(),
)
def test_whenever_each_document_was_read_all_are_as_they_were_at_the_end(
    wanted: list[tuple[int, str]], data: st.DataObject
) -> None:
    """A cursor goes over the documents in order, and meanwhile they are written to."""
    states: list[Documents] = [{}]
    entries = []
    for number, (key, kind) in enumerate(wanted, 1):
        write = _write(states[-1], number, key, kind)
        states.append(dict(states[-1]))
        _apply(states[-1], write)
        o2: dict[str, Any] = {"o2": decode(write.key)} if write.key is not None else {}
        entries.append(entry(100 + number, op=write.kind[0], o=decode(write.body), **o2))
    reads = sorted(data.draw(st.integers(0, len(wanted))) for _ in range(COUNT))
    since = data.draw(st.integers(0, reads[0]))
    read = {key: states[time][key] for key, time in enumerate(reads) if key in states[time]}

    repository = new_repository()
    captured = capture_of(entries, repository)
    target = FakeTarget(read)
    catch_up = CatchUp(manifest_with(captured, since), frozenset({"a"}), repository, lambda: False)
    catch_up.repeat(cast("Target", target), {"a": "place"}, lambda: None)
    assert target.documents == states[-1]


def test_what_had_left_a_capped_collection_when_it_was_read_does_not_come_back(repository: Repository) -> None:
    captured = capture_of([entry(101), entry(102), entry(103), entry(104)], repository)
    documents = store(repository, [encode({"_id": 103})])
    ring = documents.model_copy(update={"name": "a", "capped": True, "read_after": "100.1"})
    manifest = manifest_with(captured, 0).model_copy(update={"collections": (ring,)})
    target = FakeTarget({103: {"_id": 103}})
    CatchUp(manifest, frozenset({"a"}), repository, lambda: False).repeat(
        cast("Target", target), {"a": "place"}, lambda: None
    )
    assert sorted(target.documents) == [103, 104]


def store(repository: Repository, documents: Sequence[bytes]) -> CollectionRecord:
    """The record of a collection that holds these."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        writer = SegmentWriter(repository, pool, namespace="shop.a", known={})
        writer.add(documents)
        segment = writer.finish()
    collection = CollectionWriter(repository, namespace="shop.a", counted=set())
    collection.take(segment)
    return filled(CollectionRecord(name="a", type="collection"), collection.finish())


def manifest_with(captured: Captured, since: int) -> Manifest:
    return Manifest(
        holdfast_version="0",
        backup_id="id",
        database="shop",
        server=ServerRecord(version="6.0.5", topology="replicaSet"),
        start_time=MOMENT,
        completion_time=MOMENT,
        consistency=ConsistencyRecord(level=ConsistencyLevel.POINT_IN_TIME, cluster_time=str(captured.at)),
        documents=0,
        logical_bytes=0,
        stored_bytes=0,
        new_bytes=0,
        collections=(CollectionRecord(name="a", type="collection", read_after=f"{100 + since}.1"),),
        changes=captured.changes,
    )
