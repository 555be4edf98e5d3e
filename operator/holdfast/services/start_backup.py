"""A backup that somebody asks for: the BackupRun that the operator then follows, and a word on who it was."""

from datetime import datetime

from holdfast.ports import BACKUP_RUN, Cluster, Reviewer, Viewer
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import RunReason
from holdfast.services.rights import check_right
from holdfast.specs.names import MANAGED, fit

NAME_LIMIT = 63
NOTE = "BackupRequested"


def start_backup(cluster: Cluster, reviewer: Reviewer, viewer: Viewer, policy: BackupPolicy, now: datetime) -> str:
    """The name of the run. Asked twice within a second it is the same one: a retry starts nothing more.

    Raises NotAuthorized if the viewer may not create BackupRuns where the policy is.
    """
    place = policy.metadata.namespace
    check_right(reviewer, viewer, "create", BACKUP_RUN, place, role="backup")
    name = f"{fit(policy.metadata.name, NAME_LIMIT - 15)}-{now:%Y%m%d%H%M%S}"
    spec = {"policyRef": {"name": policy.metadata.name}, "reason": RunReason.MANUAL.value}
    made = cluster.create(
        BACKUP_RUN, {"metadata": {"name": name, "namespace": place, "labels": dict(MANAGED)}, "spec": spec}
    )
    if made:
        cluster.record(made, BACKUP_RUN, "Normal", NOTE, f"{viewer.name} asked for this backup over HTTP.")
    return name
