"""A restore that somebody asks for: a plan first, then what was planned, once, with the database's name."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from holdfast.domain.restoring import Existing
from holdfast.errors import InvalidSpec, NotAuthorized, RunNotFound
from holdfast.ports import BACKUP_RUN, RESTORE_RUN, Kind, Viewer
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.restore_run import RestoreRun
from holdfast.services.ask_restore import RestoreWish, ask_plan, ask_restore, restore_name
from holdfast.services.hold import set_hold
from tests.support.fake_cluster import FakeCluster
from tests.support.kube_objects import NAMESPACE, policy_body, run_body

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANN = Viewer("ann")
POLICY = BackupPolicy.model_validate(policy_body())
LATEST = {"policyRef": {"name": "shop"}, "latest": True}
BACKUP_ID = "20260301T020000Z-0a"


class Rights:
    """A Reviewer that allows what is named to it."""

    def __init__(self, *allowed: str) -> None:
        self._allowed = allowed

    def identify(self, token: str) -> Viewer | None:
        raise AssertionError(token)

    def allows(self, viewer: Viewer, verb: str, kind: Kind, namespace: str | None) -> bool:
        return viewer == ANN and namespace == NAMESPACE and f"{verb} {kind.plural}" in self._allowed


MAY = Rights("create restoreruns")


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


def planned(source: Any = LATEST, mode: str = "Plan", **status: Any) -> RestoreRun:
    done = {"phase": "Succeeded", "policy": "shop", "backupId": BACKUP_ID, "database": "shop", "plan": {}}
    return RestoreRun.model_validate(
        {
            "metadata": {"name": "plan", "namespace": NAMESPACE},
            "spec": {"source": source, "mode": mode, "include": ["users"], "existing": "Fail"},
            "status": {**done, **status},
        }
    )


def spec_of(cluster: FakeCluster, name: str) -> dict[str, Any]:
    body = cluster.get(RESTORE_RUN, NAMESPACE, name)
    assert body is not None
    result: dict[str, Any] = body["spec"]
    return result


def test_a_wish_becomes_a_plan_and_a_word_on_who_asked(cluster: FakeCluster) -> None:
    wish = RestoreWish("copy", existing=Existing.DROP, include=("users",))
    name = ask_plan(cluster, MAY, ANN, POLICY, wish, NOW)
    assert spec_of(cluster, name) == {
        "source": LATEST, "target": {"database": "copy"}, "include": ["users"], "mode": "Plan", "existing": "Drop",
        "confirm": "copy",
    }  # fmt: skip
    assert cluster.notes == ["ann asked for this plan over HTTP."]


def test_the_same_wish_twice_is_one_plan_and_another_is_another(cluster: FakeCluster) -> None:
    wishes = (RestoreWish("copy"), RestoreWish("copy"), RestoreWish("other"))
    names = [ask_plan(cluster, MAY, ANN, POLICY, wish, NOW) for wish in wishes]
    assert names[0] == names[1] != names[2]
    assert ask_plan(cluster, MAY, ANN, POLICY, wishes[0], NOW + timedelta(seconds=1)) not in names
    assert len(cluster.list(RESTORE_RUN)) == 3


def test_a_second_goes_before_a_backup(cluster: FakeCluster) -> None:
    name = ask_plan(cluster, MAY, ANN, POLICY, RestoreWish("copy", backup_id=BACKUP_ID, moment=NOW), NOW)
    assert spec_of(cluster, name)["source"] == {"policyRef": {"name": "shop"}, "pointInTime": "2026-03-01T12:00:00Z"}


def test_the_backup_of_the_plan_is_restored_and_not_a_newer_one(cluster: FakeCluster) -> None:
    name = ask_restore(cluster, MAY, ANN, planned(), "shop")
    spec = spec_of(cluster, name)
    assert spec["source"] == {"policyRef": {"name": "shop"}, "backupId": BACKUP_ID}
    assert (spec["mode"], spec["target"], spec["confirm"]) == ("Apply", {"database": "shop"}, "shop")
    assert spec["include"] == ["users"]


def test_of_a_plan_of_a_second_the_second_is_restored(cluster: FakeCluster) -> None:
    source = {"policyRef": {"name": "shop"}, "pointInTime": "2026-03-01T02:30:00Z"}
    assert spec_of(cluster, ask_restore(cluster, MAY, ANN, planned(source), "shop"))["source"] == source


def test_a_plan_is_done_once_however_often_it_is_asked_for(cluster: FakeCluster) -> None:
    assert {ask_restore(cluster, MAY, ANN, planned(), "shop") for _ in range(3)} == {restore_name(planned())}
    assert len(cluster.list(RESTORE_RUN)) == len(cluster.notes) == 1


def test_another_plan_of_the_same_name_leads_to_a_restore_of_its_own(cluster: FakeCluster) -> None:
    plans = [planned(), planned()]
    plans[1] = plans[1].model_copy(update={"metadata": plans[1].metadata.model_copy(update={"uid": "another"})})
    assert len({ask_restore(cluster, MAY, ANN, plan, "shop") for plan in plans}) == 2


@pytest.mark.parametrize("confirmed", ["", "shopp", "SHOP", "copy"])
def test_without_the_databases_name_nothing_is_done(cluster: FakeCluster, confirmed: str) -> None:
    with pytest.raises(InvalidSpec, match="not 'shop'"):
        ask_restore(cluster, MAY, ANN, planned(), confirmed)
    assert cluster.writes == []


@pytest.mark.parametrize(
    "plan",
    [
        planned(phase="Planning"),
        planned(phase="Failed"),
        planned(plan=None),
        planned(plan={"conflicts": ["Users are there already."]}),
        planned(mode="Apply"),
    ],
)
def test_what_is_no_plan_that_could_be_done_is_not_done(cluster: FakeCluster, plan: RestoreRun) -> None:
    with pytest.raises(InvalidSpec, match="no plan that could be done"):
        ask_restore(cluster, MAY, ANN, plan, "shop")
    assert cluster.writes == []


@pytest.mark.parametrize("database", ["", "a/b", "admin"])
def test_a_database_that_cannot_be_is_refused(cluster: FakeCluster, database: str) -> None:
    with pytest.raises(InvalidSpec):
        ask_plan(cluster, MAY, ANN, POLICY, RestoreWish(database), NOW)


def test_who_may_not_is_refused_before_anything_else(cluster: FakeCluster) -> None:
    rights = Rights("get restoreruns", "create backupruns")
    with pytest.raises(NotAuthorized, match=r"ann may not create restoreruns"):
        ask_plan(cluster, rights, ANN, POLICY, RestoreWish(""), NOW)
    with pytest.raises(NotAuthorized, match=r"ann may not create restoreruns"):
        ask_restore(cluster, rights, ANN, planned(phase="Failed"), "")
    assert cluster.writes == []


def test_to_let_go_takes_the_annotation_too(cluster: FakeCluster) -> None:
    body = run_body("kept")
    body["metadata"]["annotations"] = {"holdfast.dev/hold": "true"}
    cluster.put(BACKUP_RUN, body)
    assert set_hold(cluster, NAMESPACE, "kept", hold=True)["spec"]["hold"] is True
    released = set_hold(cluster, NAMESPACE, "kept", hold=False)
    assert (released["spec"]["hold"], released["metadata"]["annotations"]) == (False, {})


def test_a_run_that_is_not_there_is_not_held(cluster: FakeCluster) -> None:
    with pytest.raises(RunNotFound):
        set_hold(cluster, NAMESPACE, "nobody", hold=True)
