"""Policies, runs, Jobs and pods as tests want them."""

from base64 import b64encode
from datetime import datetime
from typing import Any

from holdfast.ports import KubeObject
from holdfast.resources.base import format_time
from holdfast.resources.policy import BackupPolicy
from holdfast.specs.names import worker_labels
from holdfast.specs.worker import WorkerImage

NAMESPACE = "default"
IMAGE = WorkerImage("holdfast:1")
URI = "mongodb://app:hunter2@db.example.org:27017/timetrack"
SECRETS = ("hunter2", "app:hunter2")


def policy_body(name: str = "shop", *, namespace: str = NAMESPACE, **spec: Any) -> KubeObject:
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "source": {"uriSecretRef": {"name": "shop", "key": "MONGODB_URI"}},
            "schedule": {"cron": "0 2 * * *", "timeZone": "Etc/UTC"},
            **spec,
        },
    }


def policy_model(name: str = "shop", **spec: Any) -> BackupPolicy:
    body = policy_body(name, **spec)
    body["metadata"] |= {"uid": "policy-uid", "generation": 1}
    return BackupPolicy.model_validate(body)


def secret_body(
    uri: str = URI, *, name: str = "shop", key: str = "MONGODB_URI", namespace: str = NAMESPACE
) -> KubeObject:
    return {"metadata": {"name": name, "namespace": namespace}, "data": {key: b64encode(uri.encode()).decode()}}


def run_body(name: str = "by-hand", policy: str = "shop", *, namespace: str = NAMESPACE) -> KubeObject:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"policyRef": {"name": policy}}}


def restore_body(name: str = "back", *, namespace: str = NAMESPACE, **spec: Any) -> KubeObject:
    """A RestoreRun of the latest backup of policy ``shop``."""
    source = {"policyRef": {"name": "shop"}, "latest": True}
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"source": source, **spec}}


def cron_job_job(name: str = "shop-29384720", policy: str = "shop", **status: Any) -> KubeObject:
    """A Job as the CronJob of a policy starts it."""
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": policy, "uid": "cron-uid", "controller": True}
    return {
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "labels": worker_labels(policy),
            "ownerReferences": [owner],
        },
        "spec": {"activeDeadlineSeconds": 21600},
        "status": status,
    }


def pod_body(job: KubeObject, created: datetime, *, name: str = "pod-1", **status: Any) -> KubeObject:
    """A pod of a Job; ``status`` as the kubelet writes it."""
    metadata = job["metadata"]
    owner = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }
    return {
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": {**metadata["labels"], "batch.kubernetes.io/job-name": metadata["name"]},
            "ownerReferences": [owner],
            "creationTimestamp": format_time(created),
        },
        "spec": {
            "containers": [
                {"name": "worker", "image": "holdfast:1", "resources": {"limits": {"memory": "512Mi"}}},
            ]
        },
        "status": status,
    }


def container(**state: Any) -> list[dict[str, Any]]:
    """``containerStatuses`` with one state: waiting, running or terminated."""
    return [{"name": "worker", "state": state}]


def condition_body(
    type_: str, reason: str = "", message: str = "", *, status: str = "True", at: str = ""
) -> dict[str, Any]:
    return {"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": at}


def forbid_all_secrets(text: object) -> None:
    """No secret of these tests may be found in what people can read."""
    for secret in SECRETS:
        assert secret not in str(text)
