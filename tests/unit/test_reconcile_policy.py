"""A policy becomes rights and a CronJob, says how it stands, and is silent when nothing changed."""

from base64 import b64encode
from typing import Any

import pytest

from holdfast.errors import ClusterUnavailable, HoldfastError
from holdfast.ports import (
    BACKUP_POLICY,
    BACKUP_RUN,
    CRON_JOB,
    ROLE,
    ROLE_BINDING,
    SECRET,
    SERVICE_ACCOUNT,
    VOLUME_CLAIM,
    Kind,
    KubeObject,
)
from holdfast.services.reconcile_policy import LOOK_AGAIN, covers, reconcile_policy
from holdfast.specs.names import policy_labels
from tests.support.fake_cluster import FakeClock, FakeCluster
from tests.support.kube_objects import IMAGE, NAMESPACE, forbid_all_secrets, policy_body, run_body, secret_body

OWNED = (
    (SERVICE_ACCOUNT, "holdfast-shop"),
    (ROLE, "holdfast-shop"),
    (ROLE_BINDING, "holdfast-shop"),
    (CRON_JOB, "shop"),
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def cluster(clock: FakeClock) -> FakeCluster:
    cluster = FakeCluster(clock)
    cluster.put(SECRET, secret_body())
    return cluster


def reconcile(cluster: FakeCluster, clock: FakeClock, name: str = "shop") -> float | None:
    return reconcile_policy(cluster, NAMESPACE, name, image=IMAGE, clock=clock)


def status_of(cluster: FakeCluster, name: str = "shop") -> dict[str, Any]:
    body = cluster.get(BACKUP_POLICY, NAMESPACE, name)
    assert body is not None
    status: dict[str, Any] = body["status"]
    forbid_all_secrets(status)
    return status


def ready(cluster: FakeCluster) -> tuple[str, str, str]:
    conditions = {condition["type"]: condition for condition in status_of(cluster)["conditions"]}
    return conditions["Ready"]["status"], conditions["Ready"]["reason"], conditions["Ready"]["message"]


def change_spec(cluster: FakeCluster, **spec: Any) -> None:
    body = cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
    assert body is not None
    cluster.patch(BACKUP_POLICY, body, {"spec": spec})
    cluster.writes.clear()


def found(cluster: FakeCluster, kind: Kind, name: str) -> KubeObject:
    body = cluster.get(kind, NAMESPACE, name)
    assert body is not None
    return body


def test_a_good_policy_is_ready_and_has_its_objects(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(BACKUP_POLICY, policy_body())
    assert reconcile(cluster, clock) != LOOK_AGAIN
    for kind, name in OWNED:
        assert cluster.get(kind, NAMESPACE, name) is not None
    status = status_of(cluster)
    assert ready(cluster)[:2] == ("True", "Scheduled")
    assert status["observedGeneration"] == 1
    assert status["nextScheduleTime"] == "2026-03-02T02:00:00Z"


def test_nothing_is_written_when_nothing_changed(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(BACKUP_POLICY, policy_body())
    reconcile(cluster, clock)
    clock.advance(60)
    reconcile(cluster, clock)  # the catalogue of a new policy is synced by a Job
    cluster.writes.clear()
    clock.advance(60)
    reconcile(cluster, clock)
    assert cluster.writes == []


def test_the_next_time_is_written_once_the_last_has_passed(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(BACKUP_POLICY, policy_body())
    reconcile(cluster, clock)
    clock.advance(24 * 3600)
    reconcile(cluster, clock)
    assert status_of(cluster)["nextScheduleTime"] == "2026-03-03T02:00:00Z"


@pytest.mark.parametrize(("kind", "name"), OWNED)
def test_what_somebody_deletes_comes_back(cluster: FakeCluster, clock: FakeClock, kind: Kind, name: str) -> None:
    cluster.put(BACKUP_POLICY, policy_body())
    reconcile(cluster, clock)
    cluster.delete(kind, found(cluster, kind, name))
    reconcile(cluster, clock)
    assert cluster.get(kind, NAMESPACE, name) is not None


@pytest.mark.parametrize(
    ("kind", "name", "edit"),
    [
        (CRON_JOB, "shop", {"spec": {"schedule": "* * * * *"}}),
        (CRON_JOB, "shop", {"spec": {"suspend": True}}),
        (ROLE, "holdfast-shop", {"rules": []}),
        (ROLE_BINDING, "holdfast-shop", {"subjects": []}),
        (SERVICE_ACCOUNT, "holdfast-shop", {"automountServiceAccountToken": True}),
        (CRON_JOB, "shop", {"metadata": {"labels": {"holdfast.dev/policy": None}}}),
    ],
)
def test_what_somebody_edits_is_put_right(
    cluster: FakeCluster, clock: FakeClock, kind: Kind, name: str, edit: dict[str, Any]
) -> None:
    cluster.put(BACKUP_POLICY, policy_body())
    reconcile(cluster, clock)
    before = found(cluster, kind, name)
    cluster.patch(kind, before, edit)
    reconcile(cluster, clock)
    after = found(cluster, kind, name)
    before["metadata"].pop("resourceVersion")
    after["metadata"].pop("resourceVersion")
    before["metadata"].pop("generation")
    after["metadata"].pop("generation")
    assert after == before


@pytest.mark.parametrize(("kind", "name"), OWNED)
def test_what_belongs_to_others_is_never_taken(cluster: FakeCluster, clock: FakeClock, kind: Kind, name: str) -> None:
    theirs = cluster.put(kind, {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": {"theirs": True}})
    cluster.put(BACKUP_POLICY, policy_body())
    reconcile(cluster, clock)
    assert cluster.get(kind, NAMESPACE, name) == theirs
    status, reason, message = ready(cluster)
    assert (status, reason) == ("False", "NameTaken")
    assert f"{kind.name} default/{name} exists and belongs to something else" in message
    assert "Rename the policy" in message


def test_a_predecessor_of_the_same_name_does_not_count_as_ours(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(BACKUP_POLICY, policy_body())
    reconcile(cluster, clock)
    cluster.delete(BACKUP_POLICY, found(cluster, BACKUP_POLICY, "shop"))
    cluster.put(BACKUP_POLICY, policy_body())
    reconcile(cluster, clock)
    assert ready(cluster)[1] == "NameTaken"


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ({"cron": "0 25 * * *"}, "spec.schedule.cron"),
        ({"timeZone": "Mars/Phobos"}, "spec.schedule.timeZone"),
    ],
)
def test_an_invalid_schedule_keeps_the_last_good_cron_job(
    cluster: FakeCluster, clock: FakeClock, schedule: dict[str, str], said: str
) -> None:
    cluster.put(BACKUP_POLICY, policy_body())
    reconcile(cluster, clock)
    good = found(cluster, CRON_JOB, "shop")
    change_spec(cluster, schedule=schedule)
    reconcile(cluster, clock)
    assert cluster.get(CRON_JOB, NAMESPACE, "shop") == good
    status, reason, message = ready(cluster)
    assert (status, reason) == ("False", "InvalidSpec")
    assert said in message
    assert "nextScheduleTime" not in status_of(cluster)
    assert status_of(cluster)["observedGeneration"] == 2


def test_what_only_a_person_can_mend_counts_as_stalled_until_it_is_mended(
    cluster: FakeCluster, clock: FakeClock
) -> None:
    cluster.put(BACKUP_POLICY, policy_body(schedule={"cron": "bad"}))
    reconcile(cluster, clock)
    assert {condition["type"] for condition in status_of(cluster)["conditions"]} >= {"Ready", "Stalled"}
    change_spec(cluster, schedule={"cron": "0 2 * * *"})
    reconcile(cluster, clock)
    assert "Stalled" not in {condition["type"] for condition in status_of(cluster)["conditions"]}


@pytest.mark.parametrize(
    ("secret", "reason", "said"),
    [
        (None, "SecretMissing", "There is no Secret default/shop"),
        (secret_body(key="OTHER"), "SecretMissing", "Secret default/shop has no key MONGODB_URI"),
        (secret_body("hunter2"), "InvalidUri", "Key MONGODB_URI of Secret default/shop is not a MongoDB URI"),
        (secret_body(""), "InvalidUri", "is empty"),
        (secret_body("mongodb://app:hunter2@db"), "InvalidSpec", "No database is named"),
    ],
)
def test_a_secret_that_the_worker_could_not_use_is_said_and_the_schedule_stands(
    clock: FakeClock, secret: KubeObject | None, reason: str, said: str
) -> None:
    cluster = FakeCluster(clock)
    if secret:
        cluster.put(SECRET, secret)
    cluster.put(BACKUP_POLICY, policy_body())
    assert reconcile(cluster, clock) is not None, "a Secret may come: look again soon"
    assert ready(cluster)[:2] == ("False", reason)
    assert said in ready(cluster)[2]
    assert cluster.get(CRON_JOB, NAMESPACE, "shop") is not None
    assert status_of(cluster)["nextScheduleTime"]


def test_a_database_in_the_spec_makes_up_for_one_in_the_uri(clock: FakeClock) -> None:
    cluster = FakeCluster(clock)
    cluster.put(SECRET, secret_body("mongodb://db"))
    source = {"uriSecretRef": {"name": "shop"}, "database": "shop"}
    cluster.put(BACKUP_POLICY, policy_body(source=source))
    reconcile(cluster, clock)
    assert ready(cluster)[0] == "True"


def test_the_secret_of_a_store_of_its_own_is_checked_too(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(BACKUP_POLICY, policy_body(storage={"mongodb": {"uriSecretRef": {"name": "vault"}}}))
    reconcile(cluster, clock)
    assert ready(cluster)[1:] == (
        "SecretMissing",
        "There is no Secret default/vault. Create it, with key MONGODB_URI.",
    )


def put_secret(cluster: FakeCluster, name: str, **data: str) -> None:
    encoded = {key: b64encode(value.encode()).decode() for key, value in data.items()}
    cluster.put(SECRET, {"metadata": {"name": name, "namespace": NAMESPACE}, "data": encoded})


S3 = {"s3": {"bucket": "backups", "credentialsSecretRef": {"name": "keys"}, "caSecretRef": {"name": "ca"}}}


@pytest.mark.parametrize(
    ("keys", "authority", "said"),
    [
        (None, {}, "no Secret default/keys. Create it, with key AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."),
        ({"AWS_ACCESS_KEY_ID": "x"}, {}, "Secret default/keys has no key AWS_SECRET_ACCESS_KEY."),
        ({"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": ""}, {}, "has nothing under AWS_SECRET_ACCESS_KEY."),
        ({"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "hunter2"}, {}, "Secret default/ca has no key ca.crt."),
    ],
)
def test_what_a_bucket_needs_and_is_not_there_is_said(
    cluster: FakeCluster, clock: FakeClock, keys: dict[str, str] | None, authority: dict[str, str], said: str
) -> None:
    if keys is not None:
        put_secret(cluster, "keys", **keys)
    put_secret(cluster, "ca", **authority)
    cluster.put(BACKUP_POLICY, policy_body(storage=S3))
    assert reconcile(cluster, clock) is not None, "a Secret may come: look again soon"
    assert ready(cluster)[:2] == ("False", "SecretMissing")
    assert said in ready(cluster)[2]


def test_a_policy_with_all_that_its_bucket_needs_is_ready(cluster: FakeCluster, clock: FakeClock) -> None:
    put_secret(cluster, "keys", AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="hunter2")
    put_secret(cluster, "ca", **{"ca.crt": "PEM"})
    cluster.put(BACKUP_POLICY, policy_body(storage=S3))
    reconcile(cluster, clock)
    assert ready(cluster)[0] == "True"


def test_a_claim_that_is_missing_or_lost_is_said(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(BACKUP_POLICY, policy_body(storage={"volume": {"claimName": "backups"}}))
    assert reconcile(cluster, clock) is not None, "a claim may come: look again soon"
    assert ready(cluster)[:2] == ("False", "VolumeMissing")
    assert "There is no PersistentVolumeClaim default/backups." in ready(cluster)[2]
    claim = {"metadata": {"name": "backups", "namespace": NAMESPACE}, "status": {"phase": "Lost"}}
    body = cluster.put(VOLUME_CLAIM, claim)
    reconcile(cluster, clock)
    assert "default/backups has lost its volume." in ready(cluster)[2]
    # Pending is good: its volume may be made when the first pod asks for it.
    cluster.patch_status(VOLUME_CLAIM, body, {"phase": "Pending"})
    reconcile(cluster, clock)
    assert ready(cluster)[0] == "True"


def shared_failure_domain(cluster: FakeCluster) -> tuple[str, str]:
    conditions = {condition["type"]: condition for condition in status_of(cluster)["conditions"]}
    return conditions["SharedFailureDomain"]["status"], conditions["SharedFailureDomain"]["reason"]


@pytest.mark.parametrize(
    ("vault", "status", "reason"),
    [
        ("mongodb://app:hunter2@db.example.org/vault", "True", "SameServer"),
        ("mongodb://app:hunter2@vault.example.org/vault", "False", "OtherServer"),
    ],
)
def test_backups_in_the_server_that_they_protect_are_told_by_a_condition_and_taken_all_the_same(
    cluster: FakeCluster, clock: FakeClock, vault: str, status: str, reason: str
) -> None:
    cluster.put(BACKUP_POLICY, policy_body())
    reconcile(cluster, clock)
    assert shared_failure_domain(cluster) == ("True", "BesideSource")
    assert ready(cluster)[0] == "True"
    cluster.put(SECRET, secret_body(vault, name="vault"))
    change_spec(cluster, storage={"mongodb": {"uriSecretRef": {"name": "vault"}}})
    reconcile(cluster, clock)
    assert shared_failure_domain(cluster) == (status, reason)
    assert ready(cluster)[0] == "True"


def test_what_backups_share_is_unknown_while_a_secret_is_missing(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(BACKUP_POLICY, policy_body(storage={"mongodb": {"uriSecretRef": {"name": "vault"}}}))
    reconcile(cluster, clock)
    assert shared_failure_domain(cluster) == ("Unknown", "NotKnown")


def test_a_policy_that_says_nothing_of_storage_keeps_backups_beside_the_source(
    cluster: FakeCluster, clock: FakeClock
) -> None:
    body = policy_body()
    body["spec"].pop("storage", None)
    cluster.put(BACKUP_POLICY, body)
    reconcile(cluster, clock)
    assert shared_failure_domain(cluster) == ("True", "BesideSource")


def test_a_suspended_policy_is_ready_and_has_no_next_time(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(BACKUP_POLICY, policy_body(schedule={"cron": "0 2 * * *", "suspend": True}))
    reconcile(cluster, clock)
    assert ready(cluster)[:2] == ("True", "Suspended")
    assert "nextScheduleTime" not in status_of(cluster)
    assert found(cluster, CRON_JOB, "shop")["spec"]["suspend"] is True


def test_a_spec_that_the_model_refuses_is_said_and_does_not_raise(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(BACKUP_POLICY, policy_body(compression={"level": 99}))
    reconcile(cluster, clock)
    status, reason, message = ready(cluster)
    assert (status, reason) == ("False", "InvalidSpec")
    assert "spec.compression.level" in message


def test_policies_of_one_name_in_two_namespaces_do_not_meet(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(SECRET, secret_body(namespace="other"))
    cluster.put(BACKUP_POLICY, policy_body())
    cluster.put(BACKUP_POLICY, policy_body(namespace="other"))
    for namespace in (NAMESPACE, "other"):
        reconcile_policy(cluster, namespace, "shop", image=IMAGE, clock=clock)
        assert cluster.get(CRON_JOB, namespace, "shop") is not None
    assert ready(cluster)[0] == "True"


@pytest.mark.parametrize("body", [None, {"deletionTimestamp": "2026-03-01T12:00:00Z"}])
def test_a_policy_that_is_gone_or_going_is_left_alone(
    cluster: FakeCluster, clock: FakeClock, body: dict[str, str] | None
) -> None:
    if body:
        policy = policy_body()
        policy["metadata"] |= body
        cluster.put(BACKUP_POLICY, policy)
    assert reconcile(cluster, clock) is None
    assert cluster.writes == []


@pytest.mark.parametrize("write", range(5))
def test_a_kill_half_way_is_made_up_for_by_the_next_call(cluster: FakeCluster, clock: FakeClock, write: int) -> None:
    cluster.put(BACKUP_POLICY, policy_body())

    def fail(verb: str, _kind: Kind, _name: str) -> HoldfastError | None:
        killed = verb in ("create", "patch_status") and len(cluster.writes) == write
        return ClusterUnavailable("killed") if killed else None

    cluster.failing = fail
    with pytest.raises(ClusterUnavailable):
        reconcile(cluster, clock)
    cluster.failing = lambda _verb, _kind, _name: None
    reconcile(cluster, clock)
    assert ready(cluster)[0] == "True"
    assert len(cluster.writes) == len(set(cluster.writes)) == len(OWNED) + 1


def test_an_event_tells_a_change_once(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(BACKUP_POLICY, policy_body())
    reconcile(cluster, clock)
    reconcile(cluster, clock)
    change_spec(cluster, schedule={"cron": "bad"})
    reconcile(cluster, clock)
    reconcile(cluster, clock)
    assert cluster.recorded == [("Normal", "Scheduled"), ("Warning", "InvalidSpec")]


def put_run(cluster: FakeCluster, name: str, created: str, **status: Any) -> None:
    body = run_body(name)
    body["metadata"] |= {"labels": policy_labels("shop"), "creationTimestamp": created}
    cluster.put(BACKUP_RUN, body | {"status": status})


def test_the_last_run_and_the_last_good_one_are_shown(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(BACKUP_POLICY, policy_body())
    put_run(
        cluster,
        "old",
        "2026-02-27T02:00:00Z",
        phase="Succeeded",
        completionTime="2026-02-27T02:05:00Z",
        backupId="b1",
        documents=7,
        storedBytes=99,
    )
    put_run(
        cluster, "new", "2026-02-28T02:00:00Z", phase="Failed", message="Why.", completionTime="2026-02-28T02:01:00Z"
    )
    reconcile(cluster, clock)
    status = status_of(cluster)
    assert (status["lastRun"]["name"], status["lastRun"]["phase"], status["lastRun"]["message"]) == (
        "new",
        "Failed",
        "Why.",
    )
    assert status["lastSuccessfulRun"] == {
        "name": "old",
        "backupId": "b1",
        "completionTime": "2026-02-27T02:05:00Z",
        "documents": 7,
        "storedBytes": 99,
    }


def test_a_good_run_that_somebody_deleted_did_happen(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(BACKUP_POLICY, policy_body())
    put_run(cluster, "old", "2026-02-27T02:00:00Z", phase="Succeeded", completionTime="2026-02-27T02:05:00Z")
    reconcile(cluster, clock)
    cluster.delete(BACKUP_RUN, found(cluster, BACKUP_RUN, "old"))
    reconcile(cluster, clock)
    assert status_of(cluster)["lastSuccessfulRun"]["name"] == "old"


def test_covers_forgives_what_the_server_fills_in() -> None:
    assert covers({"a": 1, "b": 2}, {"a": 1})
    assert covers({"a": [{"x": 1, "y": 2}]}, {"a": [{"x": 1}]})
    assert covers({}, {"suspend": False})
    assert not covers({"a": 1}, {"a": 2})
    assert not covers({"a": [1, 2]}, {"a": [1]})
    assert not covers({}, {"a": 1})
    assert not covers({"a": [1]}, {"a": []})
