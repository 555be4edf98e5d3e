"""The kinds of objects of the Kubernetes API that we know."""

from dataclasses import dataclass
from typing import Any

KubeObject = dict[str, Any]
"""An object of the Kubernetes API as JSON."""


@dataclass(frozen=True)
class Kind:
    """A kind of object, and the words of its address."""

    api_version: str
    name: str
    plural: str


BACKUP_POLICY = Kind("holdfast.dev/v1alpha1", "BackupPolicy", "backuppolicies")
BACKUP_RUN = Kind("holdfast.dev/v1alpha1", "BackupRun", "backupruns")
RESTORE_RUN = Kind("holdfast.dev/v1alpha1", "RestoreRun", "restoreruns")
CRON_JOB = Kind("batch/v1", "CronJob", "cronjobs")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
JOB = Kind("batch/v1", "Job", "jobs")
POD = Kind("v1", "Pod", "pods")
SECRET = Kind("v1", "Secret", "secrets")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
VOLUME_CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
EVENT = Kind("v1", "Event", "events")
ROLE = Kind("rbac.authorization.k8s.io/v1", "Role", "roles")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
ROLE_BINDING = Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")
