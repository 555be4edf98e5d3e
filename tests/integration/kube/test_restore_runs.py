"""RestoreRuns on a real API server: what is refused and shown, and the operator and its worker on a real database."""

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from holdfast.domain.restoring import STATE
from tests.integration.kube.conftest import Namespace
from tests.integration.kube.shop import BY_RUN, LATEST, Shop, restore
from tests.integration.kube.test_operator import pod_of
from tests.integration.kube.test_resources import SAMPLES, policy
from tests.integration.kube.test_retention import keep
from tests.support.compare import OWN_COLLECTIONS, differences, snapshot_of
from tests.support.control_plane import ControlPlane
from tests.support.held import INSERTS, await_held, hold, is_held, release
from tests.support.mongod import Mongod
from tests.support.operator_process import OperatorProcess
from tests.support.pod_runner import RunningPod

# --- what the API server takes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (restore(source={}), "either backupRunRef or policyRef"),
        (restore(source={**BY_RUN, "policyRef": {"name": "shop"}}), "either backupRunRef or policyRef"),
        (restore(source={"policyRef": {"name": "shop"}}), "takes exactly one of latest: true"),
        (restore(source={"policyRef": {"name": "shop"}, "latest": False}), "takes exactly one of latest: true"),
        (restore(source={**LATEST, "backupId": "20260301T020000Z-0a"}), "takes exactly one of latest: true"),
        (restore(source={**BY_RUN, "latest": True}), "takes none of them"),
        (restore(source={"policyRef": {"name": "shop"}, "backupId": "latest"}), "backupId"),
        (restore(mode="Apply", existing="Drop"), "name the target database in confirm"),
        (restore(target={"database": "shop"}, confirm="ship"), "must be the name of the target database"),
        (restore(mode="Do"), 'supported values: "Plan", "Apply"'),
        (restore(existing="Overwrite"), 'supported values: "Fail", "Drop", "Merge"'),
        (restore(rename=[{"from": "a", "to": "b"}, {"from": "a", "to": "c"}]), "Duplicate value"),
        (restore(activeDeadlineSeconds=1), "greater than or equal to 60"),
        (restore(dropAll=True), 'unknown field "spec.dropAll"'),
    ],
)
def test_a_wrong_restore_is_refused_in_words(here: Namespace, body: dict[str, Any], said: str) -> None:
    assert said in here.kubectl("create", "-f", "-", stdin=json.dumps(body), check=False)


@pytest.mark.parametrize(
    "body",
    [
        restore(source=BY_RUN),
        restore(source={"policyRef": {"name": "shop"}, "latest": False, "backupId": "20260301T020000Z-0a"}),
        restore(existing="Drop"),
        restore(mode="Apply", existing="Drop", confirm="shop"),
        restore(target={"database": "shop"}, confirm="shop", existing="Drop", mode="Apply"),
        restore(target={"uriSecretRef": {"name": "other"}}, rename=[{"from": "a", "to": "b"}], existing="Merge"),
    ],
)
def test_a_right_restore_is_taken(here: Namespace, body: dict[str, Any]) -> None:
    here.apply(body)


def test_the_defaults_do_no_harm(here: Namespace) -> None:
    here.apply(restore())
    body = here.get("rr", "back")
    spec = body["spec"]
    assert (spec["mode"], spec["existing"], spec["strategy"], spec["preRestoreBackup"]) == (
        "Plan",
        "Fail",
        "Auto",
        True,
    )
    assert body["status"] == {"observedGeneration": -1}


@pytest.mark.parametrize(
    "change",
    [{"mode": "Apply"}, {"existing": "Merge"}, {"include": ["a"]}, {"source": {"latest": None, "backupId": "2026"}}],
)
def test_the_spec_stays(here: Namespace, change: dict[str, Any]) -> None:
    here.apply(restore())
    patch = json.dumps({"spec": change})
    assert "cannot be changed" in here.kubectl("patch", "rr/back", "--type=merge", f"--patch={patch}", check=False)


def test_applying_the_same_again_changes_nothing(here: Namespace) -> None:
    here.apply(restore())
    before = here.get("rr", "back")["metadata"]["generation"]
    here.apply(restore())
    assert here.get("rr", "back")["metadata"]["generation"] == before


def test_the_samples_are_taken_and_shown(here: Namespace) -> None:
    for name in ("restore-plan.yaml", "restore.yaml"):
        here.kubectl("create", "-f", str(SAMPLES / name))
    shown = here.kubectl("get", "rr")
    for column in ("BACKUP", "TARGET", "MODE", "PHASE", "PROGRESS", "DURATION", "AGE"):
        assert column in shown
    assert "MESSAGE" in here.kubectl("get", "rr", "--output=wide")


def test_every_field_is_explained(here: Namespace) -> None:
    assert "<no description>" not in here.kubectl("explain", "restoreruns", "--recursive")
    assert "change nothing" in here.kubectl("explain", "restoreruns.spec.mode")


# --- who may restore -----------------------------------------------------------------------------------------------


@pytest.fixture
def may(here: Namespace, control_plane: ControlPlane) -> Any:
    """Whether somebody with a role of the chart may do something here."""

    def ask(role: str, verb: str, resource: str) -> bool:
        here.kubectl(
            "create", "rolebinding", role, f"--clusterrole=default:holdfast:{role}", f"--user={role}", check=False
        )
        return "yes" in here.kubectl("auth", "can-i", verb, f"{resource}.holdfast.dev", f"--as={role}", check=False)

    del control_plane
    return ask


def test_only_the_role_restore_may_create_a_restore(may: Any) -> None:
    assert [role for role in ("view", "edit", "backup", "restore") if may(role, "create", "restoreruns")] == ["restore"]


def test_those_who_may_look_may_look_at_restores(may: Any) -> None:
    assert all(may(role, verb, "restoreruns") for role in ("view", "backup", "restore") for verb in ("get", "watch"))


def test_those_who_may_back_up_may_do_nothing_else(may: Any) -> None:
    allowed = {
        (verb, kind)
        for verb in ("create", "update", "patch", "delete")
        for kind in ("backuppolicies", "backupruns", "restoreruns")
        if may("backup", verb, kind)
    }
    assert allowed == {("create", "backupruns")}


# --- from a policy to a proven restore -----------------------------------------------------------------------------


def test_a_plan_says_what_would_happen_and_changes_nothing(shop: Shop) -> None:
    backup_id = shop.back_up()
    shop.damage()
    damaged = snapshot_of(shop.database)
    status = shop.restore(existing="Drop")
    assert (status["phase"], status["reason"], status["backupId"]) == ("Succeeded", "Planned", backup_id)
    assert status["database"] == shop.database.name
    actions = {one["name"]: one["action"] for one in status["plan"]["collections"]}
    assert (actions["feedback"], actions["timeEntries"]) == ("Create", "Replace")
    assert differences(damaged, snapshot_of(shop.database)) == []
    assert shop.here.kubectl("wait", "--for=condition=Complete", "rr/back", "--timeout=1s")


def test_a_damaged_database_is_replaced_by_its_backup_and_kept_aside(shop: Shop) -> None:
    shop.back_up()
    shop.damage()
    status = shop.restore(mode="Apply", existing="Drop", confirm=shop.database.name)
    assert (status["phase"], status["verification"]["result"]) == ("Succeeded", "Equal"), status["message"]
    assert shop.is_clean()
    before = shop.here.get("br", "before-back")
    assert before["spec"]["reason"] == "PreRestore"
    assert before["status"]["phase"] == "Succeeded"
    assert before["status"]["backupId"] == status["preRestoreBackupId"]
    # Their times are in whole seconds, so two may stand in either order.
    told = [reason for reason, _ in shop.events()]
    for reason in ("Planning", "Restoring", "Verifying", "Succeeded"):
        assert told.count(reason) == 1, told


def test_the_latest_backup_is_never_the_one_that_a_restore_took(shop: Shop) -> None:
    backup_id = shop.back_up()
    shop.damage()
    drop: dict[str, Any] = {"mode": "Apply", "existing": "Drop", "confirm": shop.database.name}
    assert shop.restore("one", **drop)["preRestoreBackupId"] > backup_id
    assert shop.restore("two", **drop)["backupId"] == backup_id
    assert shop.is_clean()


def test_what_was_replaced_can_be_had_back(shop: Shop) -> None:
    shop.back_up()
    shop.damage()
    damaged = snapshot_of(shop.database, skip=OWN_COLLECTIONS)
    drop: dict[str, Any] = {"mode": "Apply", "existing": "Drop", "confirm": shop.database.name, "exclude": ["feedback"]}
    shop.restore("one", **drop)
    status = shop.restore("two", **{**drop, "source": {"backupRunRef": {"name": "before-one"}}})
    assert status["phase"] == "Succeeded", status["message"]
    assert differences(damaged, snapshot_of(shop.database, skip=OWN_COLLECTIONS)) == []


def test_a_finished_restore_never_runs_again(shop: Shop) -> None:
    shop.back_up()
    shop.damage()
    spec: dict[str, Any] = {"mode": "Apply", "existing": "Drop", "confirm": shop.database.name}
    shop.restore(**spec)
    shop.damage()
    shop.here.kubectl("delete", "job/restore-back", "--cascade=foreground")
    shop.here.apply(restore(**spec))
    shop.here.kubectl("annotate", "rr/back", "touched=yes")
    # The operator takes its keys in order: when it has started a later run, it has looked at the finished one.
    shop.restore("later")
    assert not shop.here.get("job", "restore-back")
    assert not shop.is_clean()


@pytest.mark.parametrize(
    ("spec", "reason", "said"),
    [
        ({"mode": "Apply"}, "TargetNotEmpty", "Nothing was"),
        ({"source": {"policyRef": {"name": "shop"}, "backupId": "2001"}}, "BackupNotFound", "'2001'"),
        ({"target": {"uriSecretRef": {"name": "nobody"}}}, "SecretMissing", "Secret"),
        ({"target": {"uriSecretRef": {"name": "shop", "key": "OTHER"}}}, "SecretMissing", "OTHER"),
        ({"mode": "Apply", "existing": "Drop", "confirm": "ship"}, "InvalidSpec", "'ship'"),
    ],
)
def test_wrong_input_ends_the_run_with_a_reason_and_changes_nothing(
    shop: Shop, spec: dict[str, Any], reason: str, said: str
) -> None:
    shop.back_up()
    status = shop.restore(code=2, **spec)
    assert (status["phase"], status["reason"]) == ("Failed", reason), status["message"]
    assert said in status["message"]
    assert shop.is_clean()


def test_a_pruned_backup_is_said_and_changes_nothing(shop: Shop) -> None:
    keep(shop.here, 1)
    first = shop.back_up("first")
    shop.back_up("second")
    assert shop.here.wait(lambda: shop.here.get("br", "first")["status"].get("pruneTime"), "it is pruned")
    for name, source in (
        ("by-run", {"backupRunRef": {"name": "first"}}),
        ("by-id", {"policyRef": {"name": "shop"}, "backupId": first}),
    ):
        status = shop.restore(name, code=2, source=source, **over(shop))
        assert (status["phase"], status["reason"]) == ("Failed", "BackupNotFound"), status["message"]
        assert first in status["message"]
    assert shop.is_clean()


def test_a_user_without_rights_on_the_target_is_told_which_role_is_missing(shop: Shop) -> None:
    shop.back_up()
    status = shop.restore(code=2, mode="Apply", target={"database": f"{shop.database.name}_other"})
    assert (status["phase"], status["reason"]) == ("Failed", "NotAuthorized")
    assert "readWrite" in status["message"]


def test_a_policy_that_does_not_exist(here: Namespace, operator: OperatorProcess) -> None:
    del operator
    here.apply(restore(source={"policyRef": {"name": "nobody"}, "latest": True}))
    here.wait_for_status("rr", "back", phase="Pending", reason="PolicyNotFound")
    here.wait_for_status("rr", "back", phase="Failed", reason="PolicyNotFound")
    assert here.kubectl("wait", "--for=condition=Failed", "rr/back", "--timeout=1s")


def test_a_restore_that_is_deleted_takes_its_job_with_it(shop: Shop) -> None:
    shop.here.apply(restore())
    pod_of(shop.here, "restore-back")
    shop.here.kubectl("delete", "rr/back", "--timeout=10s")
    shop.here.wait(lambda: not shop.here.get("job", "restore-back"), "its Job is gone", 10)


def test_the_time_that_past_restores_took_is_the_estimate_of_the_next(shop: Shop) -> None:
    shop.back_up()
    spec: dict[str, Any] = {"mode": "Apply", "existing": "Drop", "confirm": shop.database.name}
    shop.restore("one", **spec)
    assert shop.restore("two", existing="Drop")["plan"]["estimatedSeconds"] >= 0


def test_after_the_loss_of_all_that_was_in_the_cluster_the_repository_is_enough(shop: Shop) -> None:
    backup_id = shop.back_up()
    lost = shop.here.get("bp", "shop")["metadata"]["uid"]
    shop.here.kubectl("delete", "bp/shop", "--timeout=30s")
    shop.here.wait(
        lambda: not shop.here.get("br", "by-hand") and not shop.here.get("cronjob", "shop"), "all is gone", 90
    )
    shop.damage()
    shop.here.apply(policy())
    shop.here.kubectl("wait", "--for=condition=Ready", "bp/shop", "--timeout=30s")
    assert shop.here.get("bp", "shop")["metadata"]["uid"] != lost
    status = shop.restore(mode="Apply", existing="Drop", confirm=shop.database.name)
    assert (status["phase"], status["backupId"]) == ("Succeeded", backup_id), status["message"]
    assert shop.is_clean()


# --- while one is at work ------------------------------------------------------------------------------------------


@pytest.fixture
def at_work(holding: tuple[Mongod, Shop]) -> Iterator[tuple[Shop, RunningPod, Callable[[], None]]]:
    """A restore that waits half-way, with the collection dropped and not filled again; and what lets it go on."""
    own, shop = holding
    namespace = f"{shop.database.name}.timeEntries"
    shop.back_up()
    shop.damage()
    hold(own.client, namespace, INSERTS)
    shop.here.apply(restore("one", **over(shop), strategy="Direct"))
    worker = shop.start("restore-one")
    await_held(own.client, namespace, INSERTS)

    def go_on() -> None:
        release(own.client, namespace, INSERTS)
        shop.here.wait(lambda: not is_held(own.client, namespace, INSERTS), "the server goes on")

    yield shop, worker, go_on
    worker.kill()


AtWork = tuple[Shop, RunningPod, Callable[[], None]]


def over(shop: Shop) -> dict[str, Any]:
    return {"mode": "Apply", "existing": "Drop", "confirm": shop.database.name}


def test_a_second_restore_into_one_target_waits_for_the_first(at_work: AtWork) -> None:
    shop, first, go_on = at_work
    shop.here.apply(restore("two", **over(shop)))
    waits = shop.here.wait_for_status("rr", "two", phase="Pending", reason="TargetBusy")
    assert "RestoreRun one restores into the same target" in waits["message"]
    assert not shop.here.get("job", "restore-two")
    go_on()
    assert first.end() == 0
    assert shop.restore("two", **over(shop))["phase"] == "Succeeded"
    assert shop.here.get("rr", "one")["status"]["phase"] == "Succeeded"
    assert shop.is_clean()


def test_a_second_restore_by_another_way_to_the_same_target_is_told_who_is_there(at_work: AtWork) -> None:
    shop, first, go_on = at_work
    uri = b64decode(shop.here.get("secret", "shop")["data"]["MONGODB_URI"]).decode()
    shop.here.kubectl("create", "secret", "generic", "other", f"--from-literal=MONGODB_URI={uri}")
    shop.here.apply(restore("two", **over(shop), target={"uriSecretRef": {"name": "other"}}))
    assert shop.start("restore-two").end() == 75
    told = shop.here.wait_for_status("rr", "two", reason="TargetBusy")["message"]
    assert "Another restore is at work on database 'shop'" in told
    assert "It will be tried again." in told
    go_on()
    assert first.end() == 0
    assert shop.is_clean()
    assert shop.start_pod(next_pod(shop, "restore-two")).end() == 0
    shop.here.wait_for_status("rr", "two", phase="Succeeded")
    assert shop.is_clean()


def test_what_a_killed_pod_has_left_is_finished_by_the_next(at_work: AtWork) -> None:
    shop, first, go_on = at_work
    first.kill()
    assert first.end() == 137
    go_on()
    assert not shop.is_clean()
    kept = shop.here.get("rr", "one")["status"]["preRestoreBackupId"]
    shop.database[STATE].delete_one({"_id": "lease"})  # it would be waited out: another test does that
    assert shop.start_pod(next_pod(shop, "restore-one")).end() == 0
    status = shop.here.wait_for_status("rr", "one", phase="Succeeded")
    assert (status["attempts"], status["verification"]["result"]) == (2, "Equal")
    assert status["preRestoreBackupId"] == kept, "half a restore is not what was replaced"
    assert shop.is_clean()
    assert STATE not in shop.database.list_collection_names()


def next_pod(shop: Shop, job: str) -> str:
    """The pod that a Job has made after one that failed."""

    def waiting() -> str | None:
        pods = json.loads(
            shop.here.kubectl("get", "pods", f"--selector=batch.kubernetes.io/job-name={job}", "--output=json")
        )
        names = [one["metadata"]["name"] for one in pods["items"] if one["status"].get("phase") == "Pending"]
        return names[0] if names else None

    return str(shop.here.wait(waiting, f"{job} is tried again", 60))
