"""Tell of a policy's newest drill, once."""

from datetime import datetime

from holdfast.domain.notifications import Event
from holdfast.ports import Cluster
from holdfast.resources.policy import BackupPolicy
from holdfast.services.courier import Courier
from holdfast.services.mail_account import Account, database_name
from holdfast.services.policy_post import Story, owe_story, tell_story
from holdfast.specs.drill_letter import drill_facts

_DRILL = Story(frozenset({Event.DRILL_PASSED, Event.DRILL_FAILED}), "drill_time")


def tell_drill(
    cluster: Cluster, courier: Courier, policy: BackupPolicy, account: Account, *, since: datetime, now: datetime
) -> datetime | None:
    """Given a policy as it was read, send what is owed about its newest drill. Returns when to look again.

    What ended before ``since`` is not told; a drill that a newer one has followed neither.
    """
    drill = policy.status.last_drill
    if drill is None or drill.time < since:
        return None
    event = Event.DRILL_PASSED if drill.passed else Event.DRILL_FAILED
    notes = owe_story(cluster, policy, account, _DRILL, event, drill.time)
    if notes is None or notes.drill_time != drill.time:
        return None  # somebody has seen a newer one
    return tell_story(
        *(cluster, courier, policy, account, _DRILL, notes),
        lambda: drill_facts(policy, database_name(cluster, policy), drill),
        since=since,
        now=now,
    )
