"""What the pages about restores show, from the objects of the cluster."""

from datetime import UTC, datetime
from typing import Any

import pytest

from holdfast.domain.restoring import Existing
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.restore_run import RestoreRun
from holdfast.resources.run import BackupRun
from holdfast.web.dashboard.views.moments import WIDTH, moments
from holdfast.web.dashboard.views.restore import restore_view
from holdfast.web.dashboard.views.restore_form import LATEST, restore_form
from holdfast.web.dashboard.views.run import Place
from tests.support.kube_objects import policy_body, run_body

PLAN = {"collections": [{"name": "users", "action": "Create"}]}


def policy(**status: Any) -> BackupPolicy:
    return BackupPolicy.model_validate({**policy_body(), "status": status})


def stored(name: str, **status: Any) -> BackupRun:
    body = run_body(name)
    return BackupRun.model_validate({**body, "status": {"phase": "Succeeded", "backupId": f"2026-{name}", **status}})


def restore(phase: str | None, mode: str = "Apply", plan: Any = PLAN, **spec: Any) -> RestoreRun:
    source = {"policyRef": {"name": "shop"}, "latest": True}
    body = {
        "metadata": {"name": "back", "namespace": "shop"},
        "spec": {"source": source, "mode": mode, **spec},
        "status": {"phase": phase, "plan": plan},
    }
    return RestoreRun.model_validate(body)


@pytest.mark.parametrize(
    ("phase", "words", "here"),
    [
        (None, ["Asked for", "Pending", "Planning", "Restoring", "Verifying", "Succeeded"], "Pending"),
        ("Restoring", ["Asked for", "Planning", "Restoring", "Verifying", "Succeeded"], "Restoring"),
        ("Succeeded", ["Asked for", "Planning", "Restoring", "Verifying", "Succeeded"], "Succeeded"),
        ("Failed", ["Asked for", "Failed"], "Failed"),
    ],
)
def test_the_phases_of_a_restore_are_in_their_order(phase: str | None, words: list[str], here: str) -> None:
    steps = restore_view(restore(phase)).steps
    assert [one.mark.word for one in steps] == words
    assert [one.mark.word for one in steps if one.place is Place.HERE] == [here]


def test_a_plan_ends_where_a_restore_would_begin() -> None:
    steps = restore_view(restore("Succeeded", mode="Plan")).steps
    assert [one.mark.word for one in steps] == ["Asked for", "Planning", "Succeeded"]


def test_only_of_a_plan_something_can_be_in_the_way() -> None:
    plan = {**PLAN, "conflicts": ["Users are there already."]}
    assert restore_view(restore("Succeeded", "Plan", plan)).in_the_way == ("Users are there already.",)
    assert restore_view(restore("Restoring", "Apply", plan)).in_the_way == ()


def test_names_and_problems_have_a_column_where_there_are_some() -> None:
    assert not restore_view(restore("Succeeded")).renamed
    renamed = {"collections": [{"name": "users", "target": "people", "action": "Create", "problem": "No right."}]}
    view = restore_view(restore("Succeeded", plan=renamed))
    assert (view.renamed, view.troubled, view.planned[0].target) == (True, True, "people")


def test_the_form_begins_with_what_does_no_harm() -> None:
    view = restore_form(policy(), [stored("b", database="shop"), stored("a")], {})
    assert (view.chosen, view.existing, view.database) == (LATEST, Existing.FAIL, "shop")
    assert [one.backup_id for one in view.backups] == ["2026-b", "2026-a"]


def test_the_form_is_about_the_backup_of_a_run() -> None:
    assert restore_form(policy(), [stored("b"), stored("a")], {"run": "a"}).chosen == "2026-a"


@pytest.mark.parametrize(
    "given", [{"exclude": "logs"}, {"rename": "a=b"}, {"strategy": "Swap"}, {"uri_secret": "other"}]
)
def test_what_was_filled_in_beyond_the_usual_is_seen_at_once(given: dict[str, str]) -> None:
    assert not restore_form(policy(), [], {"database": "copy", "existing": "Drop", "strategy": "Auto"}).detailed
    assert restore_form(policy(), [], given).detailed


def test_only_backups_that_are_there_are_offered() -> None:
    gone = stored("gone", pruneTime="2026-03-01T02:00:00Z")
    working = BackupRun.model_validate({**run_body("working"), "status": {"phase": "Running"}})
    assert restore_form(policy(), [working, gone], {}).backups == ()


def test_what_cannot_be_restored_is_a_hole_in_the_line() -> None:
    ends = {"from": "2026-03-01T00:00:00Z", "to": "2026-03-01T10:00:00Z"}
    gaps = [
        {"from": "2026-03-01T02:00:00Z", "to": "2026-03-01T04:00:00Z", "message": "It was overwritten."},
        {"from": "2026-03-01T09:00:00Z"},
    ]
    line = moments(policy(pointInTime={**ends, "gaps": gaps}))
    assert line is not None
    assert [(one.x, one.width) for one in line.holes] == [(0.2 * WIDTH, 0.2 * WIDTH), (0.9 * WIDTH, 0.1 * WIDTH)]
    assert "It was overwritten." in line.holes[0].text
    assert line.seconds[1] - line.seconds[0] == 36_000
    assert line.first == datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("ends", [{}, {"to": "2026-03-01T00:00:00Z"}, {"from": "2026-03-01T00:00:00Z"}])
def test_without_two_ends_there_is_no_line(ends: dict[str, str]) -> None:
    assert moments(policy(pointInTime=ends)) is None
