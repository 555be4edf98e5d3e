"""The backups that are due on schedule, asked for from outside: for who has a cron elsewhere, or wants to be sure.

It never starts more than the schedules themselves: the run of a time has one name, that of the Job which Kubernetes'
CronJob controller starts for it, and what stands in the controller's way stands in ours.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from holdfast.domain.phases import TERMINAL
from holdfast.domain.schedule import parse_schedule
from holdfast.errors import ClusterUnavailable, InvalidSpec
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, Cluster, KubeObject, Mirror
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import RunReason
from holdfast.services.start_backup import NOTE
from holdfast.services.write_status import parse_policy
from holdfast.specs.names import MANAGED, run_of_tick

_ENDS = frozenset(str(phase) for phase in TERMINAL)


class Outcome(Enum):
    """What became of a policy that was looked at."""

    STARTED = "started"
    THERE = "there"
    """The run that is due is there, or was."""
    BUSY = "busy"
    """An earlier run still works."""
    SUSPENDED = "suspended"
    NOT_DUE = "not due"


@dataclass(frozen=True)
class Seen:
    namespace: str
    run: str
    """Name of the run that is due; of the policy where none is."""
    outcome: Outcome


def start_due(
    cluster: Cluster, mirror: Mirror, now: datetime, namespace: str | None = None, policy: str | None = None
) -> Iterator[Seen]:
    """Make sure that the run which each policy's schedule wants by now exists. Of one namespace or name, if given.

    A policy that makes no sense is left out, as its CronJob is.
    """
    if not mirror.complete():
        raise ClusterUnavailable("The cluster is still being read.", hint="Try again in a few seconds.")
    runs = mirror.objects(BACKUP_RUN)
    for body in mirror.objects(BACKUP_POLICY):
        metadata = body["metadata"]
        wanted = namespace in (None, metadata["namespace"]) and policy in (None, metadata["name"])
        if not wanted or "deletionTimestamp" in metadata:
            continue
        try:
            found = parse_policy(body)
            tick = _due(found, now)
        except InvalidSpec:
            continue
        if found.spec.schedule.suspend or tick is None:
            outcome = Outcome.SUSPENDED if found.spec.schedule.suspend else Outcome.NOT_DUE
            yield Seen(metadata["namespace"], metadata["name"], outcome)
        else:
            yield _start(cluster, found, tick, [run for run in runs if _is_of(run, body)])


def _due(policy: BackupPolicy, now: datetime) -> datetime | None:
    """The newest time that a run may still be started for."""
    spec, made = policy.spec.schedule, policy.metadata.creation_timestamp
    tick = parse_schedule(spec.cron, spec.time_zone).last_at(now)
    late = now - tick > timedelta(seconds=spec.starting_deadline_seconds)
    return None if late or made is None or tick <= made else tick


def _start(cluster: Cluster, policy: BackupPolicy, tick: datetime, runs: Sequence[KubeObject]) -> Seen:
    """``runs``: those of the policy."""
    place, name = policy.metadata.namespace, run_of_tick(policy.metadata.name, tick)
    settled = policy.status.missed_schedules
    # A run that somebody has deleted was there all the same.
    if (settled and settled.settled_until >= tick) or any(run["metadata"]["name"] == name for run in runs):
        return Seen(place, name, Outcome.THERE)
    if any((run.get("status") or {}).get("phase") not in _ENDS for run in runs):
        return Seen(place, name, Outcome.BUSY)
    spec = {"policyRef": {"name": policy.metadata.name}, "reason": RunReason.SCHEDULED.value}
    made = cluster.create(
        BACKUP_RUN, {"metadata": {"name": name, "namespace": place, "labels": dict(MANAGED)}, "spec": spec}
    )
    if made is None:
        return Seen(place, name, Outcome.THERE)
    cluster.record(made, BACKUP_RUN, "Normal", NOTE, "It was due, and asked for over HTTP.")
    return Seen(place, name, Outcome.STARTED)


def _is_of(run: KubeObject, policy: KubeObject) -> bool:
    same_place = run["metadata"]["namespace"] == policy["metadata"]["namespace"]
    return bool(same_place and run["spec"]["policyRef"]["name"] == policy["metadata"]["name"])
