"""The CronJobs of a policy: that of its backups, and that of its drills."""

from holdfast.ports import CRON_JOB, Cluster, KubeObject
from holdfast.resources.policy import BackupPolicy
from holdfast.services.follow_job import controller
from holdfast.specs.names import POLICY_LABEL


def own_cron_job(cluster: Cluster, policy: BackupPolicy, name: str) -> KubeObject | None:
    """The CronJob of that name, if it is the policy's: a stranger may have the name."""
    bodies = cluster.list(CRON_JOB, policy.metadata.namespace, {POLICY_LABEL: policy.metadata.name})
    named = (body for body in bodies if body["metadata"]["name"] == name)
    return next((body for body in named if controller(body).get("uid") == policy.metadata.uid), None)
