"""The worker's pod, the CronJob that starts it on time, and the Job that a run by hand gets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from holdfast.domain.turns import PATIENCE
from holdfast.ports import KubeObject
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun
from holdfast.resources.storage import VolumeStorage
from holdfast.specs.metadata import owned_metadata
from holdfast.specs.names import (
    DEADLINE_ANNOTATION,
    JOB_LABEL,
    JOB_UID_LABEL,
    WORKER_CONTAINER,
    job_of_run,
    worker_account,
    worker_labels,
)
from holdfast.specs.store_access import VOLUME, MountedSecret, mounted_secrets

USER = 65532
MOUNT_ROOT = "/var/run/holdfast"
GRACE_SECONDS = 60

FINAL_EXIT_CODES = [1, 2, 3]
"""Failures that another try does not mend: the run has ended, and its Job ends with it. What may pass (75, a signal,
the out-of-memory killer) is tried again."""


@dataclass(frozen=True)
class WorkerImage:
    """The image of the operator, unless a policy names another."""

    name: str
    pull_policy: str = "IfNotPresent"
    queued: bool = False
    """Whether backups wait for their turn, for no more than so many may run at once."""


@dataclass(frozen=True)
class Errand:
    """What a pod is started for."""

    command: str
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, MountedSecret] = field(default_factory=dict)
    """Beside those of the policy, by the names of their folders."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    deadline_seconds: int | None = None
    """Default: that of the policy."""
    pods: int = 1
    """How many do it together."""
    resources: Mapping[str, Any] | None = None
    """Default: those of the policy's Jobs."""
    of_a_job: bool = True
    """Whether a Job starts the pod, and the pod is told which."""
    sidecars: tuple[KubeObject, ...] = ()
    volumes: tuple[KubeObject, ...] = ()
    """Of the sidecars."""


def cron_job(policy: BackupPolicy, image: WorkerImage) -> KubeObject:
    schedule, job = policy.spec.schedule, policy.spec.job
    return {
        "metadata": owned_metadata(policy, policy.metadata.name),
        "spec": {
            "schedule": schedule.cron.strip(),
            "timeZone": schedule.time_zone,
            "suspend": schedule.suspend,
            "startingDeadlineSeconds": schedule.starting_deadline_seconds,
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": job.successful_jobs_history_limit,
            "failedJobsHistoryLimit": job.failed_jobs_history_limit,
            "jobTemplate": _job_template(policy, image),
        },
    }


def _job_template(policy: BackupPolicy, image: WorkerImage) -> KubeObject:
    metadata: KubeObject = {"labels": worker_labels(policy.metadata.name)}
    own = policy.spec.job.active_deadline_seconds
    errand = _backup(policy)
    if image.queued:
        # Such a Job has its pod before it has its turn. Whoever gives the turn takes from the deadline what is left.
        metadata["annotations"] = {DEADLINE_ANNOTATION: str(own)}
        deadline = own + int(PATIENCE.total_seconds())
        errand = _backup(policy, {"HOLDFAST_WAITS_FOR_TURN": "true"}, deadline_seconds=deadline)
    return {"metadata": metadata, "spec": job_spec(policy, image, errand)}


def _backup(policy: BackupPolicy, environment: Mapping[str, str] | None = None, **more: Any) -> Errand:
    pods, told = policy.spec.job.parallelism, dict(environment or {})
    if pods > 1:
        told["HOLDFAST_PARALLELISM"] = str(pods)
    return Errand("backup", told, pods=pods, **more)


def job_for_run(policy: BackupPolicy, run: BackupRun, image: WorkerImage) -> KubeObject:
    return {
        "metadata": {
            "name": job_of_run(run.metadata.name),
            "namespace": run.metadata.namespace,
            "labels": worker_labels(policy.metadata.name),
            "ownerReferences": [run.owner_reference],
        },
        "spec": job_spec(policy, image, _backup(policy, {"HOLDFAST_RUN": run.metadata.name})),
    }


def run_for_job(policy: BackupPolicy, job: str, job_uid: str, reason: str) -> KubeObject:
    """The BackupRun of a Job that was not made for one: of the CronJob, or of ``kubectl create job --from``."""
    metadata = owned_metadata(policy, job)
    metadata["labels"] = {**metadata["labels"], JOB_LABEL: job, JOB_UID_LABEL: job_uid}
    return {"metadata": metadata, "spec": {"policyRef": {"name": policy.metadata.name}, "reason": reason}}


def job_spec(policy: BackupPolicy, image: WorkerImage, errand: Errand) -> KubeObject:
    """Of any Job that works for a policy."""
    job = policy.spec.job
    metadata: KubeObject = {"labels": {**job.pod_labels, **worker_labels(policy.metadata.name)}}
    if errand.annotations:
        metadata["annotations"] = dict(errand.annotations)
    return {
        **_tries(job.backoff_limit, errand.pods),
        "activeDeadlineSeconds": errand.deadline_seconds or job.active_deadline_seconds,
        "ttlSecondsAfterFinished": job.ttl_seconds_after_finished,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {
            "rules": [
                {
                    "action": "FailJob",
                    "onExitCodes": {
                        "containerName": WORKER_CONTAINER,
                        "operator": "In",
                        "values": FINAL_EXIT_CODES,
                    },
                },
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            ]
        },
        "template": {
            "metadata": metadata,
            "spec": pod_spec(policy, image, errand),
        },
    }


def _tries(limit: int, pods: int) -> KubeObject:
    if pods == 1:
        return {"backoffLimit": limit}
    return {
        "completionMode": "Indexed",
        "completions": pods,
        "parallelism": pods,
        # Each index by itself. A server before Kubernetes 1.29 drops this, and counts the failures of all together.
        "backoffLimitPerIndex": limit,
        "backoffLimit": limit * pods,
    }


def pod_spec(policy: BackupPolicy, image: WorkerImage, errand: Errand) -> KubeObject:
    """Of any pod that works for a policy."""
    job = policy.spec.job
    mounts, storage = {**mounted_secrets(policy), **errand.secrets}, policy.spec.storage.chosen
    pod: KubeObject = {
        "restartPolicy": "Never",
        "serviceAccountName": worker_account(policy.metadata.name),
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": WORKER_CONTAINER,
                "image": job.image or image.name,
                "imagePullPolicy": job.image_pull_policy or image.pull_policy,
                "args": ["worker", errand.command],
                "env": _environment(policy, errand),
                "resources": dict(errand.resources or job.resources.to_wire()),
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [
                    {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 (inside the pod)
                    *({"name": name, "mountPath": f"{MOUNT_ROOT}/{name}", "readOnly": True} for name in mounts),
                ],
            }
        ],
        "volumes": [
            {"name": "tmp", "emptyDir": {}},
            *({"name": name, "secret": _secret(mount)} for name, mount in mounts.items()),
            *errand.volumes,
        ],
    }
    if errand.sidecars:
        pod["initContainers"] = list(errand.sidecars)
    if isinstance(storage, VolumeStorage):
        pod["volumes"].append({"name": VOLUME, "persistentVolumeClaim": {"claimName": storage.claim_name}})
        pod["containers"][0]["volumeMounts"].append({"name": VOLUME, "mountPath": f"{MOUNT_ROOT}/{VOLUME}"})
        # Else each start would walk through the whole repository to set its group.
        pod["securityContext"]["fsGroupChangePolicy"] = "OnRootMismatch"
    if job.node_selector:
        pod["nodeSelector"] = dict(job.node_selector)
    if job.tolerations:
        pod["tolerations"] = job.tolerations_on_wire()
    if job.image_pull_secrets:
        pod["imagePullSecrets"] = [secret.to_wire() for secret in job.image_pull_secrets]
    if job.priority_class_name:
        pod["priorityClassName"] = job.priority_class_name
    return pod


def _secret(mount: MountedSecret) -> dict[str, Any]:
    # Optional: with a Secret or key that is missing the pod starts and says so, and does not hang in its creation.
    return {
        "secretName": mount.name,
        "optional": True,
        "defaultMode": 0o440,
        "items": [{"key": key, "path": file} for key, file in mount.files.items()],
    }


def _environment(policy: BackupPolicy, errand: Errand) -> list[dict[str, Any]]:
    job = [
        _from_pod("HOLDFAST_JOB", "metadata.labels['batch.kubernetes.io/job-name']"),
        _from_pod("HOLDFAST_JOB_UID", "metadata.labels['batch.kubernetes.io/controller-uid']"),
    ]
    return [
        {"name": "HOLDFAST_POLICY", "value": policy.metadata.name},
        _from_pod("HOLDFAST_NAMESPACE", "metadata.namespace"),
        {"name": "HOLDFAST_POLICY_UID", "value": policy.metadata.uid},
        _from_pod("HOLDFAST_POD", "metadata.name"),
        _from_pod("HOLDFAST_POD_UID", "metadata.uid"),
        *(job if errand.of_a_job else ()),
        *({"name": name, "value": value} for name, value in errand.environment.items()),
    ]


def _from_pod(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}
