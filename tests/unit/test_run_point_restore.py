"""The worker's chain of a RestoreRun to a moment: every attempt goes to the same one, and the status says which."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest

from holdfast.errors import SourceUnavailable
from holdfast.ports import ClusterTime
from holdfast.repository.slices import SliceName, Slices
from holdfast.resources.base import format_time
from tests.support.fake_cluster import START
from tests.support.fake_oplog import entry
from tests.support.kube_objects import NAMESPACE
from tests.unit.test_run_restore import APPLY, OUTCOME, Pod

BASE = START - timedelta(days=1)
OF_SHOP = {"policyRef": {"name": "shop"}}


def seconds(moment: datetime) -> int:
    return int(moment.timestamp())


class PointPod(Pod):
    """With a backup of yesterday, and an oplog of two hours behind it in which a collection is dropped twice."""

    def __init__(self) -> None:
        super().__init__()
        self.base = self.backup(1)
        self.slices = Slices(self.stored, "rs0", "shop", f"{NAMESPACE}/shop")
        self.archive(-60, 7200, [entry(seconds(BASE) + 100), self.drop(1000), self.drop(2000)])

    def drop(self, at: int) -> bytes:
        return entry(seconds(BASE) + at, 4, op="c", ns="shop.$cmd", o={"drop": "orders"})

    def archive(self, after: int, until: int, entries: Iterable[bytes]) -> None:
        name = SliceName("a", ClusterTime(seconds(BASE) + after, 0), ClusterTime(seconds(BASE) + until, 0))
        self.slices.write(name, 1, entries, START)


@pytest.fixture
def pod() -> PointPod:
    return PointPod()


def test_a_second_is_gone_to_and_told(pod: PointPod) -> None:
    second = format_time(BASE + timedelta(minutes=5))
    pod.wish(source={**OF_SHOP, "pointInTime": second}, **APPLY)
    assert pod.work().exit_code == 0
    status = pod.status()
    assert (status["phase"], status["backupId"]) == ("Succeeded", pod.base)
    assert status["pointInTime"] == {
        "time": second,
        "clusterTime": f"{seconds(BASE) + 300}.4294967295",
        "lastChange": "1772000000.3",
        "operations": 5,
    }
    assert status["verification"] == {"result": "Replayed", "collections": 2, "differences": []}
    assert (status["documents"], status["warnings"]) == (7, ["'x' is not restored."])
    assert f"as 'shop' was at {second}" in status["message"]
    assert [one["name"] for one in status["collections"]] == ["orders", "people"]


def test_a_plan_changes_nothing(pod: PointPod) -> None:
    pod.wish(source={**OF_SHOP, "pointInTime": format_time(BASE + timedelta(minutes=5))})
    assert pod.work().exit_code == 0
    assert (pod.points, pod.status()["reason"]) == ([], "Planned")
    assert "the 5 changes behind it" in pod.status()["message"]
    assert pod.status()["pointInTime"]["operations"] == 5


def test_just_ahead_of_the_last_drop(pod: PointPod) -> None:
    pod.wish(source={**OF_SHOP, "before": {"namespace": "orders", "operation": "drop"}}, **APPLY)
    pod.work()
    assert pod.points[0].until == ClusterTime(seconds(BASE) + 2000, 3)


def test_the_next_attempt_goes_to_the_same_moment_though_it_happened_again(pod: PointPod) -> None:
    pod.wish(source={**OF_SHOP, "before": {"namespace": "orders", "operation": "drop"}}, **APPLY)
    pod.outcome = SourceUnavailable("The server is gone.")
    assert pod.work().exit_code == 75
    pod.archive(7200, 9000, [pod.drop(8000)])
    pod.backup(0)
    pod.outcome = OUTCOME
    assert pod.work().exit_code == 0
    assert {one.until for one in pod.points} == {ClusterTime(seconds(BASE) + 2000, 3)}
    assert {one.manifest.backup_id for one in pod.points} == {pod.base}


def test_a_moment_in_a_gap_is_refused_with_the_nearest_on_both_sides(pod: PointPod) -> None:
    pod.backup(0)
    name = SliceName("b", ClusterTime(seconds(START) - 60, 0), ClusterTime(seconds(START) + 60, 0))
    pod.slices.write(name, 1, [], START, gap="It rolled over.")
    pod.wish(source={**OF_SHOP, "pointInTime": format_time(BASE + timedelta(hours=5))}, **APPLY)
    assert pod.work().exit_code == 2
    status = pod.status()
    assert (status["phase"], status["reason"], pod.points) == ("Failed", "TimeNotReachable", [])
    assert f"before it {format_time(BASE + timedelta(seconds=7199))}" in status["message"]
    assert f"after it {format_time(START)}" in status["message"]


def test_an_accident_that_never_was_is_told(pod: PointPod) -> None:
    pod.wish(source={**OF_SHOP, "before": {"namespace": "users", "operation": "drop"}}, **APPLY)
    assert pod.work().exit_code == 2
    assert "No drop of 'users'" in pod.status()["message"]


def test_a_backup_of_another_policy_is_nothing_to_begin_from(pod: PointPod) -> None:
    """Whatever its database and its replica set are called: they may be another one's."""
    pod.stored.remove(pod.base)
    pod.backup(1, policy="theirs")
    pod.wish(source={**OF_SHOP, "pointInTime": format_time(BASE + timedelta(minutes=5))}, **APPLY)
    assert pod.work().exit_code == 2
    assert pod.points == []
