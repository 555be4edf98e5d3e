"""A BackupRun with ``deletionPolicy: Delete`` was deleted: have a Job remove its backup, and then let the run go.

The deletion waits for a bounded time. Whatever cannot be done in it, the run goes, the backup stays, and an event and
the log say so: a backup too many is a smaller evil than a namespace that hangs.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from holdfast.errors import HoldfastError, InvalidSpec, Unavailable
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, JOB, Cluster, KubeObject
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun
from holdfast.services.follow_job import cancel_job, last_words
from holdfast.services.policy_runs import backup_id_of
from holdfast.services.run_delete import DELETED, KEPT
from holdfast.services.write_status import parse_policy, parse_run
from holdfast.specs.deletion import PATIENCE_SECONDS, delete_job, deletes, has_something_to_delete
from holdfast.specs.job_state import job_state
from holdfast.specs.names import DELETES_ANNOTATION, FINALIZER, job_of_delete
from holdfast.specs.worker import WorkerImage

_log = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=PATIENCE_SECONDS)
LOOK_AGAIN = 3.0
GIVEN_UP = "DeletionGivenUp"


@dataclass(frozen=True)
class _Farewell:
    """The run may go. ``reason`` and ``note``: what is told; nothing where that is plain."""

    reason: str = ""
    note: str = ""


def finalize_run(
    cluster: Cluster, body: KubeObject, policy_body: KubeObject | None, *, image: WorkerImage, now: datetime
) -> float | None:
    """Given a run that is being deleted, bring that one step on. Returns seconds until the next look, if one is wanted.

    Raises ClusterUnavailable.
    """
    run = parse_run(body)
    if FINALIZER not in run.metadata.finalizers:
        return None
    cancel_job(cluster, body)
    farewell = _without_job(run, policy_body)
    if farewell is None and policy_body is not None:
        farewell = _by_job(cluster, run, parse_policy(policy_body), image, now)
    if farewell is None:
        return LOOK_AGAIN
    others = [one for one in run.metadata.finalizers if one != FINALIZER]
    if cluster.patch(BACKUP_RUN, body, {"metadata": {"finalizers": others}}) is None:
        return 1.0
    _tell(cluster, body, policy_body, farewell)
    return None


def _without_job(run: BackupRun, policy_body: KubeObject | None) -> _Farewell | None:
    """Why there is nothing to be removed, if that is so."""
    if not has_something_to_delete(run):
        return _Farewell()
    if policy_body is None or "deletionTimestamp" in policy_body["metadata"] or _of_another(run, policy_body):
        # With the policy go its runs, and so they do with their namespace. That was no wish to lose the backups.
        return _Farewell(KEPT, "Its policy was deleted, and a policy takes no backup with it.")
    try:
        policy = parse_policy(policy_body)
    except InvalidSpec as error:
        return _Farewell(GIVEN_UP, f"Its policy cannot be read: {error}")
    if not deletes(run, policy):
        return _Farewell()
    if run.held:
        return _Farewell(KEPT, "It is held. Take the hold away, and delete the BackupRun again when it has come back.")
    return None


def _of_another(run: BackupRun, policy_body: KubeObject) -> bool:
    """The policy was made anew since: the run goes with the one that it was of."""
    owners = [owner.uid for owner in run.metadata.owner_references if owner.kind == BACKUP_POLICY.name]
    return bool(owners) and policy_body["metadata"]["uid"] not in owners


def _by_job(
    cluster: Cluster, run: BackupRun, policy: BackupPolicy, image: WorkerImage, now: datetime
) -> _Farewell | None:
    """Have the one Job of this run; None while it works."""
    namespace, name = run.metadata.namespace, job_of_delete(run.metadata.name)
    over = now - (run.metadata.deletion_timestamp or now) >= PATIENCE
    job = cluster.get(JOB, namespace, name)
    if job is None:
        if over:
            return _Farewell(GIVEN_UP, f"No Job could remove it within {PATIENCE_SECONDS} s.")
        try:
            cluster.create(JOB, delete_job(policy, run, image))
        except Unavailable:
            raise
        except HoldfastError as error:
            # So it is in a namespace that is being deleted.
            return _Farewell(GIVEN_UP, f"Its Job cannot be created: {error}")
        return None
    if (job["metadata"].get("annotations") or {}).get(DELETES_ANNOTATION) != run.metadata.uid:
        if over:
            return _Farewell(GIVEN_UP, f"Job {namespace}/{name} exists and is of something else.")
        if any(owner.get("uid") == policy.metadata.uid for owner in job["metadata"].get("ownerReferences") or []):
            cluster.delete(JOB, job)  # of an earlier run of this name
        return None
    state = job_state(job)
    words = last_words(cluster, job) if state.end else None
    if state.end == "Complete":
        if words is None or words.reason not in (DELETED, KEPT):
            return _Farewell(GIVEN_UP, f"Job {name} ended well, but its report is lost.")
        return _Farewell(words.reason, words.message)
    if state.end:
        return _Farewell(GIVEN_UP, words.message if words else f"Job {name} failed: {state.message or state.reason}")
    if over:
        cluster.delete(JOB, job)
        return _Farewell(GIVEN_UP, f"Job {name} did not end within {PATIENCE_SECONDS} s.")
    return None


def _tell(cluster: Cluster, body: KubeObject, policy_body: KubeObject | None, farewell: _Farewell) -> None:
    """On the run, and on its policy, which is there to be looked at when the run is gone."""
    if not farewell.reason:
        return
    metadata, backup_id = body["metadata"], backup_id_of(parse_run(body))
    what = f"BackupRun {metadata['name']} was deleted"
    if farewell.reason == DELETED:
        note = f"{what}, and backup {backup_id} with it. {farewell.note}"
    elif farewell.reason == KEPT:
        note = f"{what}, but its backup {backup_id} stays. {farewell.note}"
    else:
        note = f"{what}, and its backup {backup_id} may still be there. {farewell.note} `holdfast list` shows it."
    event: Literal["Normal", "Warning"] = "Normal" if farewell.reason == DELETED else "Warning"
    if event == "Warning":
        _log.warning("%s: %s", metadata["namespace"], note)
    cluster.record(body, BACKUP_RUN, event, farewell.reason, note)
    if policy_body is not None:
        cluster.record(policy_body, BACKUP_POLICY, event, farewell.reason, note)
