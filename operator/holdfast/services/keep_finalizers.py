"""Have the deletion of a BackupRun wait where its backup is to go with it, and nowhere else."""

import logging

from holdfast.errors import HoldfastError, Unavailable
from holdfast.ports import BACKUP_RUN, Cluster
from holdfast.resources.policy import BackupPolicy
from holdfast.services.write_status import parse_run
from holdfast.specs.deletion import wanted_finalizers
from holdfast.specs.names import POLICY_LABEL

_log = logging.getLogger(__name__)


def keep_finalizers(cluster: Cluster, policy: BackupPolicy) -> None:
    """Given a valid policy, set and take away our finalizer on its runs. A conflict is met at the next look.

    Raises ClusterUnavailable; any other trouble is logged."""
    namespace, name = policy.metadata.namespace, policy.metadata.name
    try:
        for body in cluster.list(BACKUP_RUN, namespace, {POLICY_LABEL: name}):
            run = parse_run(body)
            if run.spec.policy_ref.name != name or run.metadata.deletion_timestamp is not None:
                continue
            wanted = wanted_finalizers(run, policy)
            if wanted != list(run.metadata.finalizers):
                cluster.patch(BACKUP_RUN, body, {"metadata": {"finalizers": wanted}})
    except Unavailable:
        raise
    except HoldfastError as error:
        _log.error("Finalizers of the runs of BackupPolicy %s/%s: %s", namespace, name, error)
