"""The CronJob of a policy's drills."""

from holdfast.ports import KubeObject
from holdfast.resources.drill import DrillSpec, EphemeralTarget
from holdfast.resources.policy import BackupPolicy
from holdfast.specs.metadata import owned_metadata
from holdfast.specs.names import DRILL_LABEL, drill_cron_job_name, worker_labels
from holdfast.specs.store_access import URI_FILE, MountedSecret
from holdfast.specs.worker import Errand, WorkerImage, job_spec

DRILL = "drill"
"""Folder of the Secret of the server that a drill restores into."""
SIDECAR = "mongod"
EPHEMERAL_URI = "mongodb://127.0.0.1:27017/?directConnection=true"
DATA_VOLUME = "drill-data"
"""What the server stores; it is named where a pod is evicted for it."""


def drill_cron_job(policy: BackupPolicy, drill: DrillSpec, image: WorkerImage) -> KubeObject:
    """InvalidSpec if the drill names no target, or two."""
    labels = {**worker_labels(policy.metadata.name), DRILL_LABEL: "true"}
    schedule = policy.spec.schedule
    spec = job_spec(policy, image, _errand(drill))
    spec["template"]["metadata"]["labels"] |= {DRILL_LABEL: "true"}
    return {
        "metadata": owned_metadata(policy, drill_cron_job_name(policy.metadata.name)),
        "spec": {
            "schedule": drill.schedule.strip(),
            "timeZone": schedule.time_zone,
            "suspend": drill.suspend,
            "startingDeadlineSeconds": schedule.starting_deadline_seconds,
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": drill.keep_history,
            "failedJobsHistoryLimit": drill.keep_history,
            "jobTemplate": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def _errand(drill: DrillSpec) -> Errand:
    target = drill.target.chosen
    if isinstance(target, EphemeralTarget):
        return Errand(
            "drill",
            sidecars=(_server(target),),
            volumes=({"name": DATA_VOLUME, "emptyDir": {"sizeLimit": target.disk}},),
        )
    ref = target.uri_secret_ref
    return Errand("drill", secrets={DRILL: MountedSecret(ref.name, {ref.key: URI_FILE}, ((URI_FILE,),))})


def _server(target: EphemeralTarget) -> KubeObject:
    """A native sidecar: it starts before the worker, and is ended after it. Only the pod itself reaches it."""
    return {
        "name": SIDECAR,
        "image": target.image,
        "restartPolicy": "Always",
        "command": ["mongod"],
        "args": ["--bind_ip", "127.0.0.1", "--port", "27017", "--dbpath", "/data/db", "--nounixsocket"],
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": target.memory}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": DATA_VOLUME, "mountPath": "/data/db"},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 (inside the pod)
        ],
    }
