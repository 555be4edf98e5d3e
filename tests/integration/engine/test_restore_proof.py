"""A restore whose data is not what was backed up fails, and names every difference: here somebody meddles with it
between the last write and the comparison."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from pymongo.collection import Collection
from pymongo.database import Database

from holdfast.domain.restoring import STATE, Existing, Strategy, is_own
from holdfast.errors import CollectionFailed
from holdfast.ports import Target
from holdfast.services.restore import restore
from holdfast.services.restore_outcome import RestoreOutcome, require_equal
from holdfast.services.restore_request import RestoreRequest
from holdfast.wiring.opening import now, open_target
from tests.support.compare import differences, snapshot_of
from tests.support.engine import ORIGIN, Engine

Db = Database[dict[str, Any]]
Act = Callable[[Collection[dict[str, Any]]], object]


class Meddled:
    """A target with which something happens before the first document is read again."""

    def __init__(self, real: Target, act: Callable[[], object]) -> None:
        self._real, self._act, self._done = real, act, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def sweep(self, *arguments: Any, **options: Any) -> Any:
        if not self._done:
            self._done = True
            self._act()
        return self._real.sweep(*arguments, **options)


@pytest.fixture
def shop(database: Db) -> Db:
    database["orders"].insert_many([{"_id": n, "text": f"original {n}"} for n in range(50)])
    return database


def restored_into(place: Db, shop: Db, engine: Engine, act: Act, **wish: Any) -> RestoreOutcome:
    outcome = engine.back_up(shop.name)
    target = open_target(engine.uri, place.name, origin=ORIGIN)

    def meddle() -> None:
        names = [name for name in place.list_collection_names() if name != STATE]
        # What is being restored: in a swap that is what was made ready aside.
        act(place[next((name for name in names if is_own(name)), "orders")])

    meddled = cast("Target", Meddled(target, meddle))
    try:
        return restore(
            RestoreRequest(**wish), outcome.manifest, engine.repository, meddled, engine.recorder, now, engine.stop
        )
    finally:
        target.close()


MEDDLING: dict[str, tuple[Act, str]] = {
    "a document is changed": (lambda c: c.update_one({"_id": 7}, {"$set": {"text": "new"}}), "has other documents"),
    "one is added": (lambda c: c.insert_one({"_id": 50}), "has 51 documents; the backup has 50"),
    "one is removed": (lambda c: c.delete_one({"_id": 7}), "has 49 documents; the backup has 50"),
    "an index is added": (lambda c: c.create_index("other"), "has other indexes"),
    "an option is changed": (
        lambda c: c.database.command("collMod", c.name, validator={"text": {"$type": "string"}}),
        "has other options",
    ),
}


@pytest.mark.parametrize(("act", "said"), MEDDLING.values(), ids=MEDDLING)
def test_written_where_it_belongs_the_difference_is_named(
    engine: Engine, shop: Db, restored: Db, act: Act, said: str
) -> None:
    outcome = restored_into(restored, shop, engine, act)
    assert said in outcome.problems[0]
    assert "'orders'" in outcome.problems[0]
    with pytest.raises(CollectionFailed, match="'orders'"):
        require_equal(outcome)


@pytest.mark.parametrize(("act", "said"), MEDDLING.values(), ids=MEDDLING)
def test_made_ready_aside_it_never_gets_into_its_place(
    engine: Engine, shop: Db, restored: Db, act: Act, said: str
) -> None:
    restored["orders"].insert_one({"_id": "theirs"})
    before = snapshot_of(restored)
    with pytest.raises(CollectionFailed, match=rf"'orders' {said}.*The target is as it was"):
        restored_into(restored, shop, engine, act, existing=Existing.DROP, confirm=restored.name)
    assert differences(before, snapshot_of(restored)) == []


def test_what_is_gone_again_is_told(engine: Engine, shop: Db, restored: Db) -> None:
    outcome = restored_into(restored, shop, engine, lambda c: c.rename("elsewhere"), strategy=Strategy.DIRECT)
    assert "Collection 'orders' has 0 documents; the backup has 50." in outcome.problems
    assert "Collection 'orders' is not in the target after the restore." in outcome.problems
