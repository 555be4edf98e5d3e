"""What a policy becomes in the cluster."""

import re
from typing import Any

import pytest

from holdfast.resources.job import MOST_PODS
from holdfast.resources.run import BackupRun, RunReason
from holdfast.specs import access
from holdfast.specs.names import INDEXED_NAME_LIMIT, NAME_LIMIT, fit, job_of_run, reason_of_job, worker_account
from holdfast.specs.worker import Errand, cron_job, job_for_run, job_spec
from tests.support.kube_objects import IMAGE, policy_model, run_body

LONGEST = "p" * 52


def pod_of(policy: Any = None) -> dict[str, Any]:
    spec: dict[str, Any] = cron_job(policy or policy_model(), IMAGE)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return spec


def run_model(name: str = "by-hand") -> BackupRun:
    body = run_body(name)
    body["metadata"]["uid"] = "run-uid"
    return BackupRun.model_validate(body)


def test_the_cron_job_has_the_name_the_schedule_and_the_zone_of_its_policy() -> None:
    body = cron_job(
        policy_model(schedule={"cron": " 30 4 * * * ", "timeZone": "Europe/Berlin", "suspend": True}), IMAGE
    )
    spec = body["spec"]
    assert body["metadata"]["name"] == "shop"
    assert (spec["schedule"], spec["timeZone"], spec["suspend"]) == ("30 4 * * *", "Europe/Berlin", True)
    assert spec["concurrencyPolicy"] == "Forbid"


def test_what_is_made_belongs_to_the_policy_and_never_blocks_its_deletion() -> None:
    policy = policy_model()
    for body in (
        cron_job(policy, IMAGE),
        access.service_account(policy),
        access.role(policy),
        access.role_binding(policy),
    ):
        (owner,) = body["metadata"]["ownerReferences"]
        assert (owner["uid"], owner["controller"]) == ("policy-uid", True)
        assert not owner.get("blockOwnerDeletion")


def test_a_job_by_hand_belongs_to_its_run_and_tells_it_to_the_worker() -> None:
    body = job_for_run(policy_model(), run_model(), IMAGE)
    (owner,) = body["metadata"]["ownerReferences"]
    environment = body["spec"]["template"]["spec"]["containers"][0]["env"]
    assert (owner["kind"], owner["uid"]) == ("BackupRun", "run-uid")
    assert {"name": "HOLDFAST_RUN", "value": "by-hand"} in environment


def test_a_failure_that_no_retry_mends_ends_the_job_at_once() -> None:
    job = cron_job(policy_model(), IMAGE)["spec"]["jobTemplate"]["spec"]
    final, disruption = job["podFailurePolicy"]["rules"]
    assert final["action"] == "FailJob"
    assert final["onExitCodes"] == {"containerName": "worker", "operator": "In", "values": [1, 2, 3]}
    assert disruption == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    assert job["template"]["spec"]["restartPolicy"] == "Never"


def test_a_job_is_bounded_in_tries_time_and_stay() -> None:
    policy = policy_model(job={"activeDeadlineSeconds": 100, "backoffLimit": 7, "ttlSecondsAfterFinished": 60})
    job = cron_job(policy, IMAGE)["spec"]["jobTemplate"]["spec"]
    assert (job["activeDeadlineSeconds"], job["backoffLimit"], job["ttlSecondsAfterFinished"]) == (100, 7, 60)


def test_a_backup_by_several_pods_is_an_indexed_job_that_counts_the_tries_of_each() -> None:
    policy = policy_model(job={"parallelism": 4, "backoffLimit": 2})
    for job in (
        cron_job(policy, IMAGE)["spec"]["jobTemplate"]["spec"],
        job_for_run(policy, run_model(), IMAGE)["spec"],
    ):
        assert (job["completionMode"], job["completions"], job["parallelism"]) == ("Indexed", 4, 4)
        # The second is all that a server knows that has no limit for each index.
        assert (job["backoffLimitPerIndex"], job["backoffLimit"]) == (2, 8)
        [container] = job["template"]["spec"]["containers"]
        assert {"name": "HOLDFAST_PARALLELISM", "value": "4"} in container["env"]


def test_a_backup_by_one_pod_is_a_plain_job() -> None:
    job = job_for_run(policy_model(), run_model(), IMAGE)["spec"]
    assert not {"completionMode", "completions", "parallelism", "backoffLimitPerIndex"} & job.keys()


def test_only_backups_are_done_by_several_pods() -> None:
    assert "completionMode" not in job_spec(policy_model(job={"parallelism": 4}), IMAGE, Errand("prune"))


@pytest.mark.parametrize("run", ["by-hand", "r" * 253, "a.run.with.dots", "-".join(["x"] * 100)])
def test_the_job_of_a_run_has_room_for_an_index_behind_it(run: str) -> None:
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", f"{job_of_run(run)}-{MOST_PODS - 1}")


def test_the_pod_satisfies_the_restricted_profile() -> None:
    pod = pod_of()
    container = pod["containers"][0]["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["allowPrivilegeEscalation"] is False
    assert container["readOnlyRootFilesystem"] is True
    assert container["capabilities"] == {"drop": ["ALL"]}


def test_an_encryption_key_is_mounted_by_reference_too() -> None:
    pod = pod_of(policy_model(encryption={"keySecretRef": {"name": "vault"}}))
    [secret] = [volume["secret"] for volume in pod["volumes"] if volume["name"] == "encryption"]
    assert (secret["secretName"], secret["optional"]) == ("vault", True)
    assert secret["items"] == [{"key": "HOLDFAST_KEY", "path": "key"}]


def test_secrets_are_mounted_by_reference_and_may_be_missing() -> None:
    store = {"mongodb": {"uriSecretRef": {"name": "vault", "key": "URI"}}}
    pod = pod_of(policy_model(storage=store))
    secrets = {volume["name"]: volume["secret"] for volume in pod["volumes"] if "secret" in volume}
    assert {name: secret["secretName"] for name, secret in secrets.items()} == {"source": "shop", "store": "vault"}
    assert all(secret["optional"] for secret in secrets.values())
    assert secrets["store"]["items"] == [{"key": "URI", "path": "uri"}]
    assert all("secretKeyRef" not in str(entry) for entry in pod["containers"][0]["env"])


def test_the_credentials_of_a_bucket_are_mounted_and_in_no_environment() -> None:
    pod = pod_of(policy_model(storage={"s3": {"bucket": "backups", "credentialsSecretRef": {"name": "keys"}}}))
    [secret] = [volume["secret"] for volume in pod["volumes"] if volume["name"] == "store"]
    assert (secret["secretName"], secret["optional"]) == ("keys", True)
    assert {"key": "AWS_SECRET_ACCESS_KEY", "path": "AWS_SECRET_ACCESS_KEY"} in secret["items"]
    assert "AWS" not in str(pod["containers"][0]["env"])


def test_a_volume_is_mounted_to_be_written_and_its_owners_are_set_once() -> None:
    pod = pod_of(policy_model(storage={"volume": {"claimName": "backups", "path": "team"}}))
    assert {"name": "volume", "persistentVolumeClaim": {"claimName": "backups"}} in pod["volumes"]
    [mount] = [mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "volume"]
    assert mount == {"name": "volume", "mountPath": "/var/run/holdfast/volume"}
    assert pod["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"


def test_a_platform_gives_the_worker_its_identity_by_annotations_and_labels() -> None:
    annotations = {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/backups"}
    labels = {"azure.workload.identity/use": "true", "holdfast.dev/policy": "another"}
    policy = policy_model(job={"serviceAccountAnnotations": annotations, "podLabels": labels})
    template = cron_job(policy, IMAGE)["spec"]["jobTemplate"]["spec"]["template"]
    assert access.service_account(policy)["metadata"]["annotations"] == annotations
    assert template["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    assert template["metadata"]["labels"]["holdfast.dev/policy"] == "shop", "what the operator looks for stays"


def test_the_wishes_of_the_policy_reach_the_pod() -> None:
    job = {
        "image": "mirror/holdfast:2",
        "imagePullPolicy": "Always",
        "resources": {"limits": {"memory": "1Gi", "cpu": 2}},
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "backup", "operator": "Exists"}],
        "priorityClassName": "low",
        "imagePullSecrets": [{"name": "registry"}],
    }
    pod = pod_of(policy_model(job=job))
    container = pod["containers"][0]
    assert (container["image"], container["imagePullPolicy"]) == ("mirror/holdfast:2", "Always")
    assert container["resources"]["limits"] == {"memory": "1Gi", "cpu": 2}
    assert (pod["nodeSelector"], pod["priorityClassName"]) == ({"disk": "fast"}, "low")
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["tolerations"] == [{"key": "backup", "operator": "Exists"}]


def test_without_wishes_the_pod_takes_the_image_of_the_operator() -> None:
    container = pod_of()["containers"][0]
    assert (container["image"], container["imagePullPolicy"]) == ("holdfast:1", "IfNotPresent")


def test_the_worker_may_read_its_policy_and_report_and_nothing_else() -> None:
    rules = access.role(policy_model())["rules"]
    granted = {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}
    assert granted == {
        ("backuppolicies", "get"),
        ("backupruns", "get"),
        ("backupruns", "list"),
        ("backupruns", "create"),
        ("backupruns/status", "patch"),
        ("restoreruns", "get"),
        ("restoreruns", "list"),
        ("restoreruns/status", "patch"),
        ("pods", "get"),
        ("events", "create"),
    }
    assert rules[0]["resourceNames"] == ["shop"]
    assert "*" not in str(rules)


def test_names_fit_into_labels_and_differ_where_what_they_name_does() -> None:
    assert len(worker_account(LONGEST)) <= NAME_LIMIT
    one, other = job_of_run("r" * 200 + "1"), job_of_run("r" * 200 + "2")
    assert len(one) == INDEXED_NAME_LIMIT
    assert one != other
    assert fit("short") == "short"
    assert job_of_run("a" * 53 + "." + "b" * 40)[-1].isalnum()


@pytest.mark.parametrize(
    ("job", "reason"),
    [("shop-29384720", "Scheduled"), ("shop-now", "Manual"), ("shop-1", "Manual"), ("other-29384720", "Manual")],
)
def test_a_scheduled_job_is_known_by_its_name(job: str, reason: str) -> None:
    assert reason_of_job("shop", job) is RunReason(reason)
