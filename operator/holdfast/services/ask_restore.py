"""A restore that somebody asks for: first its plan, then what was planned, with the database's name once more."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from holdfast.domain.database_name import check_database_name
from holdfast.domain.phases import RestorePhase
from holdfast.domain.restoring import Existing, Strategy
from holdfast.errors import InvalidSpec
from holdfast.ports import RESTORE_RUN, Cluster, KubeObject, Reviewer, Viewer
from holdfast.resources.base import format_time
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.restore_run import Mode, RestoreRun
from holdfast.services.rights import check_right
from holdfast.specs.names import MANAGED, fit

NAME_LIMIT = 63
PLAN_ASKED, RESTORE_ASKED = "PlanRequested", "RestoreRequested"


@dataclass(frozen=True)
class RestoreWish:
    """What somebody wants a plan of. ``backup_id``: None for the newest good one; ``secret``: where the URI of another
    server is."""

    database: str
    backup_id: str | None = None
    existing: Existing = Existing.FAIL
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    rename: tuple[tuple[str, str], ...] = ()
    """Names in the backup, each with the one in the target."""
    strategy: Strategy = Strategy.AUTO
    secret: str | None = None
    moment: datetime | None = None
    """All as it was at the end of this second, in place of a backup."""


def ask_plan(
    cluster: Cluster, reviewer: Reviewer, viewer: Viewer, policy: BackupPolicy, wish: RestoreWish, now: datetime
) -> str:
    """The name of a RestoreRun that says what would happen, and changes nothing. The same wish within a second is the
    same one.

    Raises NotAuthorized if the viewer may not create RestoreRuns there, InvalidSpec if the wish makes no sense.
    """
    place, name = policy.metadata.namespace, policy.metadata.name
    check_right(reviewer, viewer, "create", RESTORE_RUN, place, role="restore")
    spec = _planned(name, wish)
    run = f"{fit(name, NAME_LIMIT - 22)}-{now:%Y%m%d%H%M%S}-{_digest(json.dumps(spec, sort_keys=True))}"
    _create(cluster, place, run, spec, PLAN_ASKED, f"{viewer.name} asked for this plan over HTTP.")
    return run


def ask_restore(cluster: Cluster, reviewer: Reviewer, viewer: Viewer, plan: RestoreRun, confirmed: str) -> str:
    """The name of the RestoreRun that does what was planned: the same backup into the same database. A plan leads to
    one restore at most, however often it is asked for.

    Raises NotAuthorized as ``ask_plan``, InvalidSpec if the plan is none that could be done, or ``confirmed`` is not
    the name of its database.
    """
    place, status = plan.metadata.namespace, plan.status
    check_right(reviewer, viewer, "create", RESTORE_RUN, place, role="restore")
    if not can_be_done(plan):
        raise InvalidSpec(f"{plan.metadata.name} is no plan that could be done.", hint="Make a new plan.")
    if confirmed != status.database:
        raise InvalidSpec(
            f"The name that you typed is not {status.database!r}, the database that would be restored into.",
            hint="Type the database's name to confirm.",
        )
    source, policy = plan.spec.source, {"name": status.policy}
    spec = {
        **plan.spec.to_wire(),
        # What the plan found: another backup may be the newest by now, and a Secret may name another database.
        "source": source.to_wire() if source.replays else {"policyRef": policy, "backupId": status.backup_id},
        "target": {**plan.spec.target.to_wire(), "database": status.database},
        "mode": Mode.APPLY.value,
        "confirm": confirmed,
    }
    run = restore_name(plan)
    _create(cluster, place, run, spec, RESTORE_ASKED, f"{viewer.name} asked for this restore over HTTP.")
    return run


def can_be_done(plan: RestoreRun) -> bool:
    """Whether it is a plan that has ended, and nothing stands in its way."""
    status = plan.status
    done = plan.spec.mode is Mode.PLAN and status.phase is RestorePhase.SUCCEEDED
    return bool(done and status.plan and not status.plan.conflicts and status.backup_id and status.policy)


def restore_name(plan: RestoreRun) -> str:
    """What the restore is called that comes of a plan: of this very one, not of another that had its name before."""
    return f"{fit(plan.metadata.name, NAME_LIMIT - 13)}-apply-{_digest(plan.metadata.uid)}"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:6]


def _planned(policy: str, wish: RestoreWish) -> dict[str, Any]:
    chosen: dict[str, Any] = {"backupId": wish.backup_id} if wish.backup_id else {"latest": True}
    if wish.moment:
        chosen = {"pointInTime": format_time(wish.moment)}
    database = check_database_name(wish.database)
    spec = {
        "source": {"policyRef": {"name": policy}, **chosen},
        "target": {"database": database, **({"uriSecretRef": {"name": wish.secret}} if wish.secret else {})},
        "include": list(wish.include),
        "exclude": list(wish.exclude),
        "rename": [{"from": old, "to": new} for old, new in wish.rename],
        "mode": Mode.PLAN.value,
        "existing": wish.existing.value,
        "strategy": None if wish.strategy is Strategy.AUTO else wish.strategy.value,
        # A plan changes nothing: it tells what a confirmed restore would meet.
        "confirm": database if wish.existing is Existing.DROP else None,
    }
    return {name: value for name, value in spec.items() if value}


def _create(cluster: Cluster, place: str, name: str, spec: Mapping[str, Any], reason: str, note: str) -> None:
    metadata = {"name": name, "namespace": place, "labels": dict(MANAGED)}
    body: KubeObject = {"metadata": metadata, "spec": dict(spec)}
    if made := cluster.create(RESTORE_RUN, body):
        cluster.record(made, RESTORE_RUN, "Normal", reason, note)
