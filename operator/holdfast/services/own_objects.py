"""What a policy owns under a name: its CronJobs, and the Deployment of its archiver."""

from holdfast.ports import Cluster, Kind, KubeObject
from holdfast.resources.policy import BackupPolicy
from holdfast.services.follow_job import controller
from holdfast.specs.names import POLICY_LABEL


def own_object(cluster: Cluster, kind: Kind, policy: BackupPolicy, name: str) -> KubeObject | None:
    """The object of that name, if it is the policy's: a stranger may have the name.

    It is looked up among those of the policy: most have no drill and no archiver, and all that a policy has is known
    without asking, while a single object that is not known would be asked for at every look."""
    bodies = cluster.list(kind, policy.metadata.namespace, {POLICY_LABEL: policy.metadata.name})
    named = (body for body in bodies if body["metadata"]["name"] == name)
    return next((body for body in named if controller(body).get("uid") == policy.metadata.uid), None)
