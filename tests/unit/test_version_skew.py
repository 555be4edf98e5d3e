"""Operator and workers of different releases: what one has written in words that the other has not."""

from typing import Any

import pytest
from pydantic import ValidationError

from holdfast.domain.notifications import DeliveryPhase
from holdfast.domain.phases import Phase
from holdfast.domain.worker_message import parse_worker_message
from holdfast.errors import InvalidSpec
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, JOB, RESTORE_RUN, SECRET, Kind, KubeObject
from holdfast.resources.run import BackupRun, BackupRunStatus
from holdfast.services.outbox import change_delivery
from holdfast.services.post import place_of
from holdfast.services.reconcile_policy import reconcile_policy
from holdfast.services.reconcile_restore import reconcile_restore
from holdfast.services.reconcile_run import reconcile_run
from holdfast.services.understand import check_understood
from holdfast.services.write_status import change_run, parse_policy, parse_restore, parse_run
from holdfast.settings import RestoreSettings, WorkerSettings
from holdfast.specs.run_status import with_facts
from holdfast.version import VERSION
from tests.support.fake_cluster import FakeClock, FakeCluster
from tests.support.kube_objects import IMAGE, NAMESPACE, policy_body, restore_body, run_body, secret_body
from tests.support.notify_site import Site

NEWER: dict[str, Any] = {
    "phase": "Succeeded",
    "completionTime": "2026-03-01T12:00:00Z",
    "documents": 7,
    "consistency": {"level": "Causal", "clusterTime": "1.1"},
    "collections": [
        {"name": "a", "phase": "Succeeded", "documents": 7, "shards": 3},
        {"name": "b", "phase": "Sampled"},
    ],
    "energy": {"joules": 12},
}
"""A status in words of a release to come: fields, and values of fields that are known."""


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster(FakeClock())


def status_of(cluster: FakeCluster, kind: Kind, name: str) -> dict[str, Any]:
    body = cluster.get(kind, NAMESPACE, name)
    assert body is not None
    status: dict[str, Any] = body.get("status") or {}
    return status


def newer_run(**changes: Any) -> KubeObject:
    return {**run_body("by-hand"), "status": {**NEWER, **changes}}


# --- an operator that reads what a newer worker has reported ----------------------------------------------------------


def test_what_is_known_of_a_newer_report_counts() -> None:
    run = parse_run(newer_run())
    assert (run.status.phase, run.status.documents, run.status.terminal) == (Phase.SUCCEEDED, 7, True)
    assert [one.name for one in run.status.collections] == ["a"]
    assert run.status.consistency is None
    assert set(run.unread) == {
        "status.consistency.level",
        "status.consistency",
        "status.collections.1.phase",
        "status.collections.1",
    }


def test_what_is_wrong_in_any_other_way_is_an_error_as_before() -> None:
    with pytest.raises(ValidationError):
        parse_run(newer_run(documents="many"))


def test_a_phase_that_is_not_known_is_over_when_the_run_says_that_it_has_ended() -> None:
    assert parse_run(newer_run(phase="Archived")).status.terminal
    assert not parse_run(newer_run(phase="Thawing", completionTime=None)).status.terminal


def test_nothing_is_started_or_written_for_a_run_that_ended_in_a_way_that_is_not_known(cluster: FakeCluster) -> None:
    cluster.put(BACKUP_POLICY, policy_body())
    cluster.put(BACKUP_RUN, newer_run(phase="Archived"))
    assert reconcile_run(cluster, NAMESPACE, "by-hand", image=IMAGE, clock=FakeClock()) is None
    assert not cluster.writes


def test_who_writes_a_status_leaves_what_it_does_not_know(cluster: FakeCluster) -> None:
    cluster.put(BACKUP_RUN, newer_run(phase="Running", completionTime=None))
    change_run(
        cluster, NAMESPACE, "by-hand", lambda run: run.status.model_copy(update={"documents": 8, "progress": "9%"})
    )
    status = status_of(cluster, BACKUP_RUN, "by-hand")
    assert (status["documents"], status["progress"]) == (8, "9%")
    for name in ("energy", "consistency", "collections"):
        assert status[name] == NEWER[name]


def test_the_status_of_a_policy_is_read_and_written_the_same_way(cluster: FakeCluster) -> None:
    health = {"verdict": "Thriving", "since": "2026-03-01T12:00:00Z", "message": "M."}
    newer = {"health": health, "observedGeneration": 0, "tides": {"next": "high"}}
    cluster.put(SECRET, secret_body())
    cluster.put(BACKUP_POLICY, {**policy_body(), "status": newer})
    reconcile_policy(cluster, NAMESPACE, "shop", image=IMAGE, clock=FakeClock())
    status = status_of(cluster, BACKUP_POLICY, "shop")
    assert [one["status"] for one in status["conditions"] if one["type"] == "Ready"] == ["True"]
    assert status["tides"] == {"next": "high"}


def test_one_run_in_newer_words_does_not_keep_the_others_from_being_told_of() -> None:
    site = Site()
    site.settle()
    site.cluster.put(BACKUP_RUN, newer_run(phase="Archived", notifications={"deliveries": []}))
    site.cluster.put(
        RESTORE_RUN, {**restore_body(), "status": {"phase": "Rehearsed", "completionTime": "2026-03-01T12:00:00Z"}}
    )
    site.ends("a")
    site.settle()
    assert site.sent() == [("backup_failure", "a")]


def test_what_only_a_newer_release_can_tell_stays_owed() -> None:
    site = Site()
    site.settle()
    site.ends("a")
    foreign = {"to": "admin@example.com", "event": "BackupAdmired", "phase": "Owed"}
    own = {"to": "admin@example.com", "event": "BackupFailed", "phase": "Owed"}
    body = site.cluster.get(BACKUP_RUN, NAMESPACE, "a")
    assert body is not None
    site.cluster.patch_status(BACKUP_RUN, body, {"notifications": {"deliveries": [foreign, own]}})
    place = place_of(BACKUP_RUN, body)
    sent = change_delivery(
        site.cluster, place, own["to"], own["event"], lambda one: one.model_copy(update={"phase": DeliveryPhase.SENT})
    )
    assert sent
    assert foreign in site.deliveries("a")
    assert {**own, "phase": "Sent"}.items() <= next(one for one in site.deliveries("a") if one != foreign).items()


def test_the_last_words_of_a_newer_worker_count_as_far_as_they_are_known() -> None:
    words = parse_worker_message('{"reason": "Archived", "message": "M.", "phase": "Archived", "joules": 3}')
    assert words is not None
    assert (words.reason, words.message, words.phase) == ("Archived", "M.", None)
    facts = {"backupId": "b", "documents": 3, "consistency": {"level": "Causal"}, "joules": 3}
    status = with_facts(BackupRunStatus(phase=Phase.RUNNING), facts)
    assert (status.backup_id, status.documents, status.consistency) == ("b", 3, None)


# --- a spec for a newer release ---------------------------------------------------------------------------------------


def test_a_run_that_asks_for_what_is_not_known_is_refused_in_clear_words(cluster: FakeCluster) -> None:
    cluster.put(BACKUP_POLICY, policy_body())
    body = run_body("by-hand")
    body["spec"]["sample"] = {"percent": 3}
    cluster.put(BACKUP_RUN, body)
    reconcile_run(cluster, NAMESPACE, "by-hand", image=IMAGE, clock=FakeClock())
    status = status_of(cluster, BACKUP_RUN, "by-hand")
    assert (status["phase"], status["reason"]) == ("Failed", "InvalidSpec")
    assert f"spec.sample of BackupRun by-hand is not known to Holdfast {VERSION}" in status["message"]
    assert not cluster.list(JOB, NAMESPACE)


def test_a_restore_that_asks_for_what_is_not_known_touches_nothing(cluster: FakeCluster) -> None:
    cluster.put(BACKUP_POLICY, policy_body())
    cluster.put(RESTORE_RUN, restore_body(mode="Apply", existing="Rehearse"))
    reconcile_restore(cluster, NAMESPACE, "back", image=IMAGE, clock=FakeClock())
    status = status_of(cluster, RESTORE_RUN, "back")
    assert (status["phase"], status["reason"]) == ("Failed", "InvalidSpec")
    assert "spec.existing of RestoreRun back is not known" in status["message"]
    assert not cluster.list(JOB, NAMESPACE)


def test_a_run_that_has_ended_is_read_whatever_it_asked_for() -> None:
    body = newer_run()
    body["spec"] |= {"reason": "Rehearsal", "hold": True}
    run = parse_run(body)
    assert (run.held, run.status.terminal) == (True, True)
    with pytest.raises(InvalidSpec, match=r"spec\.reason"):
        check_understood(run)
    check_understood(parse_run(newer_run()))


def test_a_policy_that_asks_for_what_is_not_known_is_refused_by_name() -> None:
    body = policy_body(tides={"wait": True})
    with pytest.raises(InvalidSpec) as caught:
        parse_policy(body)
    assert str(caught.value).startswith(f"spec.tides is not known to Holdfast {VERSION}.")
    assert "upgrade Holdfast" in str(caught.value)


def test_what_was_not_read_is_nobodys_word() -> None:
    run = parse_run(newer_run())
    assert "unread" not in run.to_wire()
    assert "unread" not in str(BackupRun.model_json_schema(mode="serialization")["properties"].get("spec"))
    assert parse_restore(restore_body()).unread == ()


# --- a worker that a newer or an older operator has started -----------------------------------------------------------

WORKER = {"HOLDFAST_NAMESPACE": "default", "HOLDFAST_POLICY": "shop", "HOLDFAST_JOB": "j", "HOLDFAST_JOB_UID": "u"}


def test_variables_of_a_newer_operator_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**WORKER, "HOLDFAST_TIDES": "high"}.items():
        monkeypatch.setenv(name, value)
    assert WorkerSettings().policy == "shop"


def test_what_an_older_operator_does_not_say_has_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    restore = {"HOLDFAST_RESTORE": "back", "HOLDFAST_RESTORE_UID": "r"}
    for name, value in {**WORKER, **restore}.items():
        monkeypatch.setenv(name, value)
    assert RestoreSettings().parallelism == 1
