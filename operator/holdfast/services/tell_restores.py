"""Tell of the ends of a policy's restores, each once. Plans are not told: whoever makes one reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from holdfast.domain.notifications import Batch, Debt, DeliveryPhase
from holdfast.ports import RESTORE_RUN, Cluster, KubeObject
from holdfast.resources.notifications import Delivery
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.restore_run import Mode, RestoreRun
from holdfast.services.courier import Courier
from holdfast.services.mail_account import Account, database_name
from holdfast.services.outbox import change_delivery, owe
from holdfast.services.post import Owner, Post, debt_of, place_of, withdrawn
from holdfast.services.write_status import parse_restore
from holdfast.specs.restore_letter import event_of_restore, restore_facts

Restores = Sequence[tuple[RestoreRun, datetime, KubeObject]]
"""As models, when they ended, and as they were read."""


@dataclass(frozen=True)
class Told:
    """What came of it: when to look again, and what stands in the statuses now."""

    look: datetime | None
    deliveries: Sequence[Delivery]


def tell_restores(
    cluster: Cluster, courier: Courier, policy: BackupPolicy, account: Account, *, since: datetime, now: datetime
) -> Told:
    """Given a policy, write down who is owed the ends of its restores, and send what is due.

    What ended before ``since`` is not told.
    """
    restores = _ended(cluster, policy)
    for run, at, body in restores:
        if run.status.notifications is None and at >= since:
            owe(cluster, place_of(RESTORE_RUN, body), _deliveries(run, account))
    if any(run.status.notifications is None and at >= since for run, at, _ in restores):
        restores = _ended(cluster, policy)
    owners = {run.metadata.name: Owner(place_of(RESTORE_RUN, body), body) for run, _, body in restores}
    by_name = {run.metadata.name: run for run, _, _ in restores}

    def tell(batch: Batch) -> Mapping[str, Any]:
        others = [by_name[debt.run] for debt in batch.rest]
        return restore_facts(policy, database_name(cluster, policy), by_name[batch.lead.run], others)

    looks = []
    for to, debts in _debts(cluster, restores, owners, account, since).items():
        post = Post(cluster, courier, to, owners, tell, now)
        looks.append(post.pay(debts, timedelta(0)))
    if any(looks):
        restores = _ended(cluster, policy)
    notes = [run.status.notifications for run, _, _ in restores]
    return Told(
        min((look for look in looks if look is not None), default=None),
        [delivery for one in notes if one for delivery in one.deliveries],
    )


def _ended(cluster: Cluster, policy: BackupPolicy) -> Restores:
    """The restores of a policy's backups that have ended, oldest first."""
    found = []
    for body in cluster.list(RESTORE_RUN, policy.metadata.namespace):
        run = parse_restore(body)
        at = run.status.completion_time or run.metadata.creation_timestamp
        ours = run.policy_name == policy.metadata.name and run.spec.mode is Mode.APPLY
        if ours and run.status.terminal and at is not None:
            found.append((run, at, body))
    return sorted(found, key=lambda item: (item[1], item[0].metadata.name))


def _deliveries(run: RestoreRun, account: Account) -> list[Delivery]:
    event = event_of_restore(run.status.phase)
    if event is None:
        return []
    return [Delivery(to=to, event=event) for to, wanted in account.recipients.items() if event in wanted]


def _debts(
    cluster: Cluster, restores: Restores, owners: Mapping[str, Owner], account: Account, since: datetime
) -> dict[str, list[Debt]]:
    """By address. What is owed to somebody who is not to be told any more is withdrawn."""
    debts: dict[str, list[Debt]] = {}
    for run, at, _ in restores:
        for delivery in run.status.notifications.deliveries if run.status.notifications else ():
            if delivery.to in account.recipients and (at >= since or delivery.phase is not DeliveryPhase.OWED):
                debts.setdefault(delivery.to, []).append(debt_of(run.metadata.name, at, delivery))
            elif (account.gone(delivery.to) or at < since) and delivery.phase is DeliveryPhase.OWED:
                change_delivery(cluster, owners[run.metadata.name].place, delivery.to, delivery.event, withdrawn)
    return debts
