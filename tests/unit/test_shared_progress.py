"""How far several pods together are: what is there, and what this one reads, by collections too."""

from datetime import UTC, datetime

from holdfast.domain.phases import CollectionPhase
from holdfast.ports import WHOLE, Advance, CollectionInfo
from holdfast.repository.manifest import CollectionRecord, ServerRecord
from holdfast.repository.shared_plan import PlannedCollection, SharedPlan
from holdfast.services.plan_together import layout_of
from holdfast.services.read_segment import Segment, Step
from holdfast.services.shared_progress import SharedProgress


class Told:
    """A Progress that keeps the newest report."""

    def __init__(self) -> None:
        self.last: Advance | None = None

    def phase(self, name: str, message: str = "") -> None: ...

    def warn(self, message: str) -> None: ...

    def advance(self, report: Advance) -> None:
        self.last = report


def collection(name: str, segments: int = 1, error: str | None = None) -> PlannedCollection:
    record = CollectionRecord(name=name, type="collection", options=b"", indexes=(), error=error)
    return PlannedCollection(record=record, documents=10 * segments, logical_bytes=2**30 * segments, segments=segments)


def test_each_collection_is_told_as_far_as_it_is_known() -> None:
    gone = collection("gone", 0, "No right.")
    plan = SharedPlan(
        number=1, token="a", backup_id="b", created=datetime(2026, 3, 1, tzinfo=UTC), database="shop",
        server=ServerRecord(version="8.0.0", topology="replicaSet"),
        collections=(collection("orders", 2), collection("users"), collection("later"), gone),
    )  # fmt: skip
    layout, told = layout_of(plan), Told()
    progress = SharedProgress(told, plan, layout)
    [first] = [number for number, portion in enumerate(layout.portions) if 0 in portion]
    progress.stands({first})
    info = CollectionInfo("users", "collection", b"", (), b"")
    users = layout.collections.index(1)
    progress.advanced(Segment(users, info, None, WHOLE, (), None), Step(3, 30, 0))
    assert told.last is not None
    assert {one.name: (one.phase, one.documents) for one in told.last.collections()} == {
        "orders": (CollectionPhase.RUNNING, 10 * len([n for n in layout.portions[first] if n < 2])),
        "users": (CollectionPhase.RUNNING, 3),
        "later": (CollectionPhase.PENDING, 0),
        "gone": (CollectionPhase.FAILED, 0),
    }
