"""The events of a run tell its history: what it waited for, each try, and its end."""

import pytest

from holdfast.domain.phases import Phase, RestorePhase
from holdfast.errors import CollectionFailed, SourceUnavailable
from holdfast.ports import BACKUP_RUN
from holdfast.repository.repository import Repository
from holdfast.resources.restore_run import RestoreRunStatus
from holdfast.resources.run import BackupRunStatus
from holdfast.services.reconcile_run import reconcile_run
from holdfast.specs import run_status
from holdfast.specs.run_events import backup_events, restore_events
from tests.support.kube_objects import IMAGE, NAMESPACE, run_body
from tests.unit.test_run_worker import FakeSource
from tests.unit.test_worker_prunes import Nights


@pytest.fixture
def pod() -> Nights:
    return Nights()


def history(pod: Nights) -> list[tuple[str, str]]:
    return [event for event in pod.cluster.recorded if not event[1].startswith("Prune")]


def look(pod: Nights, name: str = "by-hand") -> None:
    reconcile_run(pod.cluster, NAMESPACE, name, image=IMAGE, clock=pod.clock)


def test_a_backup_by_hand_is_told_from_the_wish_to_the_proof(pod: Nights) -> None:
    pod.cluster.put(BACKUP_RUN, run_body())
    look(pod)
    pod.work("by-hand", run="by-hand")
    assert history(pod) == [("Normal", one) for one in ("Pending", "Running", "Succeeded")]
    assert pod.cluster.notes[-1].startswith(f"Backup {pod.status('by-hand')['backupId']} is whole and verified: 6 doc")


def test_each_try_and_why_it_failed_is_told(pod: Nights) -> None:
    pod.opening = SourceUnavailable("The database does not answer.")
    pod.work()
    pod.opening = None
    pod.clock.advance(60)
    pod.work()
    assert history(pod) == [
        ("Normal", "Running"),
        ("Warning", "SourceUnavailable"),
        ("Normal", "Running"),
        ("Normal", "Succeeded"),
    ]
    assert "Attempt 1 failed. The database does not answer." in pod.cluster.notes[1]
    assert pod.cluster.notes[2] == "Attempt 2."


def test_another_try_is_told_though_nobody_saw_the_one_before_die(pod: Nights) -> None:
    running = BackupRunStatus(phase=Phase.RUNNING, reason="Running", attempts=1)
    again = run_status.started(running, now=pod.clock(), generation=1)
    assert [tuple(event) for event in backup_events(running, again)] == [
        ("Normal", "Running", "Attempt 2. The one before it ended without a word.")
    ]


def test_a_backup_that_is_good_in_part_ends_with_a_warning(pod: Nights) -> None:
    pod.source = FakeSource()
    pod.source.failing["orders"] = CollectionFailed("orders cannot be read.")
    pod.work()
    assert history(pod)[-1] == ("Warning", "PartiallyFailed")
    assert pod.cluster.notes[-1].startswith("CollectionsFailed: 1 of 2")


def test_what_a_run_waits_for_is_told_once(pod: Nights) -> None:
    pod.cluster.put(BACKUP_RUN, run_body(policy="nobody"))
    look(pod)
    look(pod)
    pod.clock.advance(15)
    look(pod)
    assert history(pod) == [("Warning", "PolicyNotFound"), ("Warning", "Failed")]


def test_a_cancelled_run_says_who_ended_it(pod: Nights) -> None:
    pod.cluster.put(BACKUP_RUN, run_body())
    look(pod)
    pod.cluster.patch(BACKUP_RUN, pod.run("by-hand"), {"spec": {"cancel": True}})
    look(pod)
    assert history(pod)[-1] == ("Warning", "Cancelled")
    assert pod.cluster.notes[-1].startswith("CancelRequested: ")


def test_a_run_whose_backup_goes_and_comes_back_tells_both(pod: Nights) -> None:
    (first,) = pod.nights(1)
    Repository(pod.store).remove(pod.status(first)["backupId"])
    pod.night()
    assert pod.cluster.recorded.count(("Normal", "BackupRemoved")) == 1
    before = BackupRunStatus.model_validate(pod.status(first))
    [found] = backup_events(before, before.model_copy(update={"prune_time": None}))
    assert found.reason == "BackupFound"


def test_progress_is_no_news() -> None:
    running = BackupRunStatus(phase=Phase.RUNNING, reason="Running", message="Reading collection a.", progress="3%")
    later = running.model_copy(update={"message": "Reading collection b.", "progress": "40%"})
    assert backup_events(running, later) == []


def test_a_restore_tells_why_a_try_failed_too() -> None:
    before = RestoreRunStatus(phase=RestorePhase.RESTORING, reason="Restoring")
    failed = before.model_copy(update={"reason": "TargetBusy", "message": "Another restore is at work."})
    assert [tuple(event) for event in restore_events(before, failed)] == [
        ("Warning", "TargetBusy", "Another restore is at work.")
    ]


@pytest.mark.parametrize(
    "phase", [RestorePhase.PENDING, RestorePhase.PLANNING, RestorePhase.RESTORING, RestorePhase.VERIFYING]
)
def test_each_step_of_a_restore_is_told_in_words(phase: RestorePhase) -> None:
    [event] = restore_events(RestoreRunStatus(), RestoreRunStatus(phase=phase, reason=phase))
    assert (event.type, event.reason) == ("Normal", phase)
    assert event.note.endswith(".")
    assert phase not in event.note
