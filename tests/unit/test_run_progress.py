"""Progress reaches the run, seldom enough, and never fails a backup."""

from dataclasses import replace
from typing import Any

import pytest

from holdfast.domain.phases import CollectionPhase, Phase
from holdfast.domain.run_end import RunEnd
from holdfast.errors import ClusterUnavailable
from holdfast.kube.run_progress import KubeProgress
from holdfast.ports import BACKUP_RUN, Advance, CollectionAdvance
from holdfast.resources.run import BackupRun
from holdfast.specs import run_status
from tests.support.fake_cluster import FakeClock, FakeCluster
from tests.support.kube_objects import NAMESPACE, run_body


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def cluster(clock: FakeClock) -> FakeCluster:
    cluster = FakeCluster(clock)
    cluster.put(BACKUP_RUN, run_body())
    return cluster


@pytest.fixture
def progress(cluster: FakeCluster, clock: FakeClock) -> KubeProgress:
    return KubeProgress(cluster, NAMESPACE, "by-hand", clock)


def status(cluster: FakeCluster) -> dict[str, Any]:
    body = cluster.get(BACKUP_RUN, NAMESPACE, "by-hand")
    assert body is not None
    result: dict[str, Any] = body["status"]
    return result


def advance(logical: int, total: int = 1000) -> Advance:
    return Advance(
        "users",
        documents=logical // 10,
        logical_bytes=logical,
        new_bytes=logical // 2,
        total_documents=100,
        total_bytes=total,
    )


def test_progress_is_shown(cluster: FakeCluster, progress: KubeProgress, clock: FakeClock) -> None:
    progress.phase("Running")
    clock.advance(2)
    progress.advance(advance(420))
    shown = status(cluster)
    assert (shown["phase"], shown["progress"], shown["documents"], shown["newBytes"]) == ("Running", "42%", 42, 210)
    assert shown["message"] == "Reading collection users."


def test_collections_are_shown_the_failed_ones_first_and_no_more_than_fit(
    cluster: FakeCluster, progress: KubeProgress
) -> None:
    many = [CollectionAdvance(f"done-{number:03}", CollectionPhase.SUCCEEDED) for number in range(200)]
    many += [
        CollectionAdvance("read", CollectionPhase.RUNNING, 7, 70),
        CollectionAdvance("gone", CollectionPhase.FAILED),
    ]
    progress.advance(replace(advance(420), collections=lambda: many))
    shown = status(cluster)
    assert [one["name"] for one in shown["collections"][:3]] == ["gone", "read", "done-000"]
    assert shown["collections"][1] == {"name": "read", "phase": "Running", "documents": 7, "bytes": 70}
    assert (len(shown["collections"]), shown["collectionsOmitted"]) == (100, 102)


def test_where_nothing_is_shown_nobody_asks_for_the_collections(progress: KubeProgress) -> None:
    asked = []

    def collections() -> tuple[CollectionAdvance, ...]:
        asked.append(True)
        return ()

    for _ in range(10):
        progress.advance(replace(advance(420), collections=collections))
    assert len(asked) == 1


def test_of_a_run_that_failed_only_collections_that_failed_are_left(
    cluster: FakeCluster, progress: KubeProgress
) -> None:
    some = (CollectionAdvance("read", CollectionPhase.SUCCEEDED, 7), CollectionAdvance("gone", CollectionPhase.FAILED))
    progress.advance(replace(advance(420), collections=lambda: some))
    run = BackupRun.model_validate(cluster.get(BACKUP_RUN, NAMESPACE, "by-hand"))
    end = RunEnd(Phase.FAILED, "DeadlineExceeded", "It took too long.")
    ended = run_status.ended(run.status, end, now=FakeClock()(), generation=1)
    assert [one.name for one in ended.collections] == ["gone"]


def test_there_is_one_write_each_two_seconds(cluster: FakeCluster, progress: KubeProgress, clock: FakeClock) -> None:
    for step in range(100):
        progress.advance(advance(step))
        clock.advance(0.1)
    assert len(cluster.writes) == 5


def test_what_came_in_between_is_in_the_next_write(
    cluster: FakeCluster, progress: KubeProgress, clock: FakeClock
) -> None:
    progress.phase("Running")
    progress.warn("One.")
    progress.phase("Verifying", "Looking.")
    clock.advance(2)
    progress.advance(advance(1000))
    shown = status(cluster)
    assert (shown["phase"], shown["message"], shown["warnings"]) == ("Verifying", "Looking.", ["One."])


def test_nothing_is_written_when_nothing_changed(
    cluster: FakeCluster, progress: KubeProgress, clock: FakeClock
) -> None:
    progress.advance(advance(10))
    cluster.writes.clear()
    clock.advance(5)
    progress.advance(advance(10))
    assert cluster.writes == []


def test_progress_is_never_all_before_the_end(progress: KubeProgress, cluster: FakeCluster) -> None:
    progress.advance(advance(2000))
    assert status(cluster)["progress"] == "99%"


def test_an_empty_database_has_progress_too(progress: KubeProgress, cluster: FakeCluster) -> None:
    progress.advance(advance(0, total=0))
    assert status(cluster)["progress"] == "0%"


def test_a_cluster_that_is_away_fails_nothing_and_is_asked_less_and_less(
    cluster: FakeCluster, progress: KubeProgress, clock: FakeClock
) -> None:
    asked = 0

    def away(verb: str, *_: Any) -> ClusterUnavailable:
        nonlocal asked
        asked += verb == "get"
        return ClusterUnavailable("away")

    cluster.failing = away
    for _ in range(600):
        progress.advance(advance(10))
        clock.advance(1)
    assert 5 < asked < 20
    cluster.failing = lambda *_: None
    clock.advance(60)
    progress.advance(advance(500))
    assert status(cluster)["progress"] == "50%"


def test_a_run_that_has_ended_is_not_brought_back(cluster: FakeCluster, progress: KubeProgress) -> None:
    body = cluster.get(BACKUP_RUN, NAMESPACE, "by-hand")
    assert body is not None
    cluster.patch_status(BACKUP_RUN, body, {"phase": "Failed"})
    progress.phase("Running")
    assert status(cluster)["phase"] == "Failed"


@pytest.mark.parametrize("name", ["Succeeded", "Failed", "Whatever"])
def test_progress_never_ends_a_run(cluster: FakeCluster, progress: KubeProgress, name: str) -> None:
    progress.phase(name)
    assert "phase" not in status(cluster)


def test_a_run_that_was_deleted_is_no_reason_to_stop(cluster: FakeCluster, progress: KubeProgress) -> None:
    body = cluster.get(BACKUP_RUN, NAMESPACE, "by-hand")
    assert body is not None
    cluster.delete(BACKUP_RUN, body)
    progress.advance(advance(10))
