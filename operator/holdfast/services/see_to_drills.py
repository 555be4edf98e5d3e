"""A policy's drills, as the operator sees them: their CronJob, and what came of them.

A drill's worker may not write to its policy. Its last words are in the pod's termination message, and the operator
takes them from there.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from holdfast.domain.human import human_duration
from holdfast.domain.phases import Phase
from holdfast.domain.run_end import RunEnd, contradicted, how_it_ended
from holdfast.domain.schedule import parse_schedule
from holdfast.ports import BACKUP_POLICY, CRON_JOB, JOB, Cluster, Kind, KubeObject
from holdfast.resources.conditions import MESSAGE_LIMIT, Condition, condition, set_condition
from holdfast.resources.drill import DRILLS_KEPT, LastDrill
from holdfast.resources.policy import BackupPolicy
from holdfast.services.follow_job import observe
from holdfast.services.own_objects import own_object
from holdfast.specs.drill_job import DATA_VOLUME, drill_cron_job
from holdfast.specs.job_state import job_state, parse_time
from holdfast.specs.names import DRILL_LABEL, POLICY_LABEL, drill_cron_job_name
from holdfast.specs.worker import WorkerImage

DRILL_PASSED = "DrillPassed"
_LOST = "Nothing is proven: make another one by kubectl create job."
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)

Ensure = Callable[[Cluster, Kind, KubeObject], None]


def see_to_drills(cluster: Cluster, policy: BackupPolicy, image: WorkerImage, ensure: Ensure) -> None:
    """Make the CronJob of the drills so, or remove it where none are wanted any more.

    Raises InvalidSpec for a schedule or a target that cannot be, and what ``ensure`` raises.
    """
    drill = policy.spec.verification.drill
    if drill is not None:
        parse_schedule(drill.schedule, policy.spec.schedule.time_zone)
        ensure(cluster, CRON_JOB, drill_cron_job(policy, drill, image))
        return
    existing = own_object(cluster, CRON_JOB, policy, drill_cron_job_name(policy.metadata.name))
    # A policy may have this name itself: only what is made for drills goes.
    if existing is not None and DRILL_LABEL in existing["spec"]["jobTemplate"]["metadata"].get("labels", {}):
        cluster.delete(CRON_JOB, existing)


def drill_history(cluster: Cluster, policy: BackupPolicy) -> tuple[LastDrill, ...]:
    """The drills that have ended, newest first; what is known of one stays when its Job is gone."""
    status = policy.status
    known = status.drills or ((status.last_drill,) if status.last_drill else ())
    if policy.spec.verification.drill is None:
        return known
    name, namespace = policy.metadata.name, policy.metadata.namespace
    jobs = cluster.list(JOB, namespace, {POLICY_LABEL: name, DRILL_LABEL: "true"})
    seen = {(one.job, one.time) for one in known}
    oldest = known[-1].time if len(known) == DRILLS_KEPT else _NEVER
    news = [
        _told(cluster, job, moment)
        for job in jobs
        if job_state(job).end and (moment := _ended_at(job)) >= oldest and (job["metadata"]["name"], moment) not in seen
    ]
    newest_first = sorted((*known, *news), key=lambda one: (one.time, one.job), reverse=True)
    return tuple(newest_first[:DRILLS_KEPT])


def _told(cluster: Cluster, job: KubeObject, moment: datetime) -> LastDrill:
    state, pods = observe(cluster, job)
    end = how_it_ended(state, pods, _LOST)
    passed = state.end == "Complete" and end.phase is Phase.SUCCEEDED
    if end.phase is Phase.SUCCEEDED and not passed:
        end = contradicted(state, end, _LOST)
    facts = dict(end.worker.status) if end.worker else {}
    seconds = facts.get("durationSeconds") if passed else None
    return LastDrill(
        job=job["metadata"]["name"],
        result="Passed" if passed else "Failed",
        time=moment,
        backup_id=facts.get("backupId"),
        documents=facts.get("documents") if passed else None,
        duration_seconds=seconds,
        duration=_for_people(seconds),
        message=_in_words(end)[:MESSAGE_LIMIT],
    )


def _in_words(end: RunEnd) -> str:
    if end.reason == "Evicted" and DATA_VOLUME in end.message:
        return f"{end.message} Raise spec.verification.drill.target.ephemeral.disk of the policy."
    return end.message


def _for_people(seconds: int | None) -> str | None:
    return None if seconds is None else human_duration(timedelta(seconds=seconds))


def _ended_at(job: KubeObject) -> datetime:
    status = job.get("status", {})
    ends = [one for one in status.get("conditions") or () if one.get("type") in ("Complete", "Failed")]
    said = status.get("completionTime") or (ends[0].get("lastTransitionTime") if ends else None)
    return parse_time(said) or _NEVER


def drill_condition(
    conditions: tuple[Condition, ...], drill: LastDrill | None, *, now: datetime, generation: int
) -> tuple[Condition, ...]:
    """The conditions with one about the newest drill, if there was any."""
    if drill is None:
        return conditions
    reason, message = ("Passed" if drill.passed else "Failed"), drill.message or ""
    return set_condition(
        conditions, condition(DRILL_PASSED, drill.passed, reason, message, now=now, generation=generation)
    )


def drill_event(cluster: Cluster, policy: KubeObject, drill: LastDrill) -> None:
    """Tell people what came of a drill."""
    if drill.passed:
        cluster.record(policy, BACKUP_POLICY, "Normal", "DrillPassed", drill.message or "")
    else:
        cluster.record(policy, BACKUP_POLICY, "Warning", "DrillFailed", drill.message or "")
