"""All that there is to look after, read anew: what a missed event would have told."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from holdfast.domain.phases import RESTORE_TERMINAL, TERMINAL
from holdfast.ports import (
    BACKUP_POLICY,
    BACKUP_RUN,
    CRON_JOB,
    DEPLOYMENT,
    JOB,
    RESTORE_RUN,
    ROLE,
    ROLE_BINDING,
    SERVICE_ACCOUNT,
    Cluster,
    Kind,
    KubeObject,
)
from holdfast.services.census import Census
from holdfast.services.follow_job import controller, unsettled
from holdfast.specs.names import DRILL_LABEL, MANAGED, POLICY_LABEL

KeyKind = Literal["BackupPolicy", "BackupRun", "RestoreRun"]


_ENDS = frozenset(str(phase) for phase in (*TERMINAL, *RESTORE_TERMINAL))


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
    """Given the namespaces that are watched (none: all), yield every policy, and each run that has not ended or leaves.

    All that is seen on the way goes into the census; ``see_run`` is shown each BackupRun that has not ended.
    """
    for namespace in namespaces or (None,):
        yield from _look_at("BackupPolicy", BACKUP_POLICY, cluster, namespace, census, lambda _: True)
        yield from _look_at("BackupRun", BACKUP_RUN, cluster, namespace, census, _is_open(see_run))
        yield from _look_at("RestoreRun", RESTORE_RUN, cluster, namespace, census, _is_open())
        for job in cluster.each(JOB, namespace, MANAGED):
            if POLICY_LABEL in job["metadata"]["labels"] and unsettled(job):
                yield run_key(job)
        # Made for policies, and of interest to whoever keeps a picture of all: what was missed is seen there now.
        for kind in (CRON_JOB, DEPLOYMENT, SERVICE_ACCOUNT, ROLE, ROLE_BINDING):
            deque(cluster.each(kind, namespace, MANAGED), maxlen=0)


def _look_at(
    name: KeyKind,
    kind: Kind,
    cluster: Cluster,
    namespace: str | None,
    census: Census,
    wanted: Callable[[KubeObject], bool],
) -> Sequence[Key]:
    """The keys of all that are ``wanted``. Thousands may go by, so none is held longer than that."""
    keys: list[Key] = []

    def pass_by() -> Iterator[KubeObject]:
        for body in cluster.each(kind, namespace):
            if wanted(body):
                keys.append(key_of(name, body))
            yield body

    census.replace(kind, pass_by(), namespace)
    return keys


def _is_open(see: Callable[[KubeObject], object] = lambda _: None) -> Callable[[KubeObject], bool]:
    """Whether a run has not ended, or is to go, read without a model; one that has not ended is shown to ``see``."""

    def is_open(body: KubeObject) -> bool:
        if has_ended(body):
            return "deletionTimestamp" in body["metadata"]
        see(body)
        return True

    return is_open


def has_ended(body: KubeObject) -> bool:
    """Of a run of either kind."""
    return (body.get("status") or {}).get("phase") in _ENDS


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
