"""Tell a heartbeat URL of each good backup: who watches it learns of silence, even if all of this is down."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from holdfast.domain.notifications import pause_after
from holdfast.errors import HoldfastError, InvalidInput, SecretMissing
from holdfast.ports import Clock, Cluster, Pinger
from holdfast.resources.conditions import find_condition
from holdfast.resources.notifications import HeartbeatSpec, HeartbeatStatus, PolicyNotifications
from holdfast.resources.policy import BackupPolicy, LastSuccessfulRun
from holdfast.services.find_policy import living_policy
from holdfast.services.mail_account import secret_values
from holdfast.services.say_notifications import Verdict, say_condition

HEARTBEAT_READY = "HeartbeatReady"

FRESH = timedelta(days=1)
"""An older backup is not told: a heartbeat says that all is well now."""


@dataclass(frozen=True)
class _Beat:
    """What came of a look. ``again``: when to try once more."""

    status: HeartbeatStatus
    verdict: Verdict
    again: datetime | None = None


def beat(cluster: Cluster, pinger: Pinger, namespace: str, name: str, *, clock: Clock) -> float | None:
    """Given a policy's name, call its heartbeat URL if a good backup is new. Returns seconds until the next try.

    Raises ClusterUnavailable if the cluster does not answer. What fails here is a condition, and fails nothing else.
    """
    found = living_policy(cluster, namespace, name)
    if found is None:
        return None
    body, policy = found
    spec, now = policy.spec.notifications.heartbeat, clock().replace(microsecond=0)
    if spec is None:
        if find_condition(policy.status.conditions, HEARTBEAT_READY):
            say_condition(cluster, body, HEARTBEAT_READY, None, now=now, change=partial(_with, None))
        return None
    done = _look(cluster, pinger, policy, spec, now)
    say_condition(cluster, body, HEARTBEAT_READY, done.verdict, now=now, change=partial(_with, done.status))
    return None if done.again is None else max(1.0, (done.again - now).total_seconds())


def _look(cluster: Cluster, pinger: Pinger, policy: BackupPolicy, spec: HeartbeatSpec, now: datetime) -> _Beat:
    known = (policy.status.notifications and policy.status.notifications.heartbeat) or HeartbeatStatus()
    try:
        url = _url(cluster, policy, spec)
    except InvalidInput as error:
        return _Beat(known, Verdict(False, error.reason, str(error)))
    last = policy.status.last_successful_run
    if not _is_news(last, known, now):
        return _Beat(known, _verdict_before(policy, known))
    if known.next_attempt_time and known.next_attempt_time > now:
        return _Beat(known, _verdict_before(policy, known), known.next_attempt_time)
    try:
        pinger.ping(url)
    except HoldfastError as error:
        attempts = (known.attempts or 0) + 1
        again = now + pause_after(attempts)
        tried = known.model_copy(update={"attempts": attempts, "next_attempt_time": again})
        return _Beat(tried, Verdict(False, error.reason, f"The heartbeat is not heard: {error}"), again)
    told = HeartbeatStatus(run=last.name if last else None, time=now)
    return _Beat(told, _heard(told))


def _is_news(last: LastSuccessfulRun | None, known: HeartbeatStatus, now: datetime) -> bool:
    if last is None or last.completion_time is None or now - last.completion_time > FRESH:
        return False
    return last.name != known.run


def _verdict_before(policy: BackupPolicy, known: HeartbeatStatus) -> Verdict:
    """What was said last, as long as tries are under way."""
    before = find_condition(policy.status.conditions, HEARTBEAT_READY)
    if known.attempts and before:
        return Verdict(before.status == "True", before.reason, before.message)
    return _heard(known)


def _heard(status: HeartbeatStatus) -> Verdict:
    if status.run is None:
        return Verdict(True, "Configured", "The first good backup will be told.")
    return Verdict(True, "Configured", f"BackupRun {status.run} was told.")


def _url(cluster: Cluster, policy: BackupPolicy, spec: HeartbeatSpec) -> str:
    reference, namespace = spec.url_secret_ref, policy.metadata.namespace
    values = secret_values(cluster, namespace, reference.name)
    if values is None:
        raise SecretMissing(
            f"There is no Secret {namespace}/{reference.name}.", hint=f"Create it, with key {reference.key}."
        )
    url = values.get(reference.key, "").strip()
    if not url:
        raise SecretMissing(f"Secret {namespace}/{reference.name} has no key {reference.key}.", hint="Add it.")
    return url


def _with(status: HeartbeatStatus | None, notes: PolicyNotifications) -> PolicyNotifications:
    return notes.model_copy(update={"heartbeat": status if status != HeartbeatStatus() else None})
