"""The Job that brings the catalogue back: BackupRuns for the backups of a policy's repository."""

import json
from hashlib import sha256

from holdfast.ports import KubeObject
from holdfast.resources.catalogue import SYNC_ANNOTATION
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.storage import MongoStorage
from holdfast.specs.names import MANAGED, SYNC_LABEL, job_of_sync
from holdfast.specs.worker import Errand, WorkerImage, job_spec

STORAGE_ANNOTATION = "holdfast.dev/storage"
"""On a sync Job: which storage it was made for."""


def storage_mark(policy: BackupPolicy) -> str:
    """A short word for where a policy keeps its backups; another one where that is changed. InvalidSpec if nowhere."""
    words = [policy.spec.storage.to_wire()]
    storage = policy.spec.storage.chosen
    if isinstance(storage, MongoStorage) and storage.uri_secret_ref is None:
        source = policy.spec.source
        words.append({"uri": source.uri_secret_ref.to_wire(), "database": source.database})
    return sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()[:16]


def sync_job(policy: BackupPolicy, image: WorkerImage, request: str | None) -> KubeObject:
    """``request``: the value of the annotation that it answers. As a prune's, it must not be taken for a backup."""
    name = policy.metadata.name
    answers = {SYNC_ANNOTATION: request} if request is not None else {}
    return {
        "metadata": {
            "name": job_of_sync(name),
            "namespace": policy.metadata.namespace,
            "labels": {"app.kubernetes.io/name": "holdfast", **MANAGED, SYNC_LABEL: name},
            "annotations": {STORAGE_ANNOTATION: storage_mark(policy), **answers},
            "ownerReferences": [policy.owner_reference],
        },
        "spec": job_spec(policy, image, Errand("sync")),
    }
