"""All that there is to look after, read anew: what a missed event would have told."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, JOB, RESTORE_RUN, Cluster, Kind, KubeObject
from holdfast.services.census import Census
from holdfast.services.follow_job import controller, unsettled
from holdfast.services.write_status import parse_restore, parse_run
from holdfast.specs.names import DRILL_LABEL, MANAGED, POLICY_LABEL

KeyKind = Literal["BackupPolicy", "BackupRun", "RestoreRun"]


@dataclass(frozen=True)
class Key:
    """One thing to reconcile."""

    kind: KeyKind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


def survey(
    cluster: Cluster,
    namespaces: Sequence[str],
    census: Census,
    see_run: Callable[[KubeObject], object] = lambda _: None,
) -> Iterator[Key]:
    """Given the namespaces that are watched (none: all), yield every policy, and every run that has not ended.

    All that is seen on the way goes into the census; ``see_run`` is shown each of these BackupRuns.
    """
    for namespace in namespaces or (None,):
        for policy in _counted(cluster, BACKUP_POLICY, namespace, census):
            yield key_of("BackupPolicy", policy)
        for run in _counted(cluster, BACKUP_RUN, namespace, census):
            ended = parse_run(run).status.terminal
            if not ended:
                see_run(run)
            if not ended or "deletionTimestamp" in run["metadata"]:
                yield key_of("BackupRun", run)
        for restore in _counted(cluster, RESTORE_RUN, namespace, census):
            if not parse_restore(restore).status.terminal:
                yield key_of("RestoreRun", restore)
        for job in cluster.list(JOB, namespace, MANAGED):
            if POLICY_LABEL in job["metadata"]["labels"] and unsettled(job):
                yield run_key(job)


def _counted(cluster: Cluster, kind: Kind, namespace: str | None, census: Census) -> Sequence[KubeObject]:
    bodies = cluster.list(kind, namespace)
    census.replace(kind, bodies, namespace)
    return bodies


def key_of(kind: KeyKind, body: KubeObject) -> Key:
    return Key(kind, body["metadata"]["namespace"], body["metadata"]["name"])


def run_key(job: KubeObject) -> Key:
    """The run of a Job: the one that it was made for, else the one of its name. A drill has none: its policy tells."""
    labels = job["metadata"].get("labels") or {}
    if DRILL_LABEL in labels:
        return Key("BackupPolicy", job["metadata"]["namespace"], labels[POLICY_LABEL])
    owner = controller(job)
    if owner.get("kind") == RESTORE_RUN.name:
        return Key("RestoreRun", job["metadata"]["namespace"], owner["name"])
    name = owner["name"] if owner.get("kind") == BACKUP_RUN.name else job["metadata"]["name"]
    return Key("BackupRun", job["metadata"]["namespace"], name)
