"""Tell people what became of a policy's runs, each thing once, whatever is killed in between.

What is owed is written into the status of the run first, and sent afterwards. Nothing here can fail a run: mail that
cannot be sent is said in the policy's condition NotificationsReady, and in the delivery itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from holdfast.domain.notifications import Batch, Debt, DeliveryPhase, Event, event_of, told_as
from holdfast.domain.phases import Phase
from holdfast.errors import HoldfastError
from holdfast.ports import BACKUP_RUN, Clock, Cluster, KubeObject, Mailer, Messenger, SignupSource
from holdfast.resources.notifications import Delivery
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun
from holdfast.services.courier import Courier
from holdfast.services.find_policy import living_policy
from holdfast.services.mail_account import Account, House, database_name, no_house
from holdfast.services.outbox import change_delivery, owe
from holdfast.services.own_templates import own_templates, say_templates
from holdfast.services.post import Owner, Post, debt_of, place_of, withdrawn
from holdfast.services.setting import read_setting, speak
from holdfast.services.summarise import summarise
from holdfast.services.tell_drill import tell_drill
from holdfast.services.tell_health import tell_health
from holdfast.services.tell_missed import tell_missed
from holdfast.services.tell_restores import tell_restores
from holdfast.services.tell_users import tell_users
from holdfast.services.write_status import parse_run
from holdfast.specs.letters import run_facts
from holdfast.specs.names import POLICY_LABEL

Runs = Sequence[tuple[BackupRun, KubeObject]]
"""As models and as they were read."""


def notify(
    cluster: Cluster,
    mailer: Mailer,
    messenger: Messenger,
    signups: SignupSource,
    namespace: str,
    name: str,
    *,
    clock: Clock,
    house: House = no_house,
) -> float | None:
    """Given a policy's name, send what is owed about it. Returns seconds until it wants to be looked at again.

    Raises ClusterUnavailable if the cluster does not answer: the caller tries again.
    """
    found = living_policy(cluster, namespace, name)
    if found is None:
        return None
    _, policy = found
    now = clock().replace(microsecond=0)
    setting = read_setting(cluster, messenger, policy, house)
    account, since = setting.account, _since(policy)
    if account is None:
        # Settings that are wrong are mended one day, and what happened meanwhile is told then.
        since = since if setting.wrong else None
        speak(cluster, policy, setting, (), since=since, now=now)
        return None
    if since is None:
        since = now
        speak(cluster, policy, setting, (), since=since, now=now)
    own = own_templates(cluster, mailer, policy)
    at_work = _Round(cluster, Courier(mailer, messenger, account, own), signups, policy, account, since, now)
    look = at_work.go()
    runs = ended_runs(cluster, policy) if at_work.acted else at_work.runs
    told = [delivery for run, _ in runs if run.status.notifications for delivery in run.status.notifications.deliveries]
    speak(cluster, policy, setting, [*told, *at_work.restores], since=since, now=now)
    say_templates(cluster, policy, own, [*told, *at_work.restores], now=now)
    return None if look is None else max(1.0, (look - now).total_seconds())


def _since(policy: BackupPolicy) -> datetime | None:
    return policy.status.notifications.since if policy.status.notifications else None


@dataclass
class _Round:
    """One look at all runs of a policy."""

    cluster: Cluster
    courier: Courier
    signups: SignupSource
    policy: BackupPolicy
    account: Account
    since: datetime
    now: datetime
    runs: Runs = ()
    acted: bool = False
    """Whether anything was sent or withdrawn, so that what was read is old."""
    restores: Sequence[Delivery] = ()
    """What the statuses of restores say at the end."""
    _by_name: dict[str, BackupRun] = field(default_factory=dict)

    def go(self) -> datetime | None:
        """Write down what is owed, send what is due. Returns when to look again."""
        runs = ended_runs(self.cluster, self.policy)
        if self._owe(runs):
            runs = ended_runs(self.cluster, self.policy)
        self.runs, self._by_name = runs, {run.metadata.name: run for run, _ in runs}
        owners = {run.metadata.name: Owner(place_of(BACKUP_RUN, body), body) for run, body in runs}
        looks = [self._pay(to, debts, owners) for to, debts in self._debts(runs, owners).items()]
        ended = [run for run, _ in runs]
        looks.append(
            summarise(self.cluster, self.courier, self.policy, self.account, ended, since=self.since, now=self.now)
        )
        looks += [
            tell(self.cluster, self.courier, self.policy, self.account, since=self.since, now=self.now)
            for tell in (tell_drill, tell_health, tell_missed)
        ]
        looks.append(
            tell_users(
                *(self.cluster, self.courier, self.signups, self.policy, self.account), since=self.since, now=self.now
            )
        )
        restores = tell_restores(self.cluster, self.courier, self.policy, self.account, since=self.since, now=self.now)
        self.restores = restores.deliveries
        looks.append(restores.look)
        return min((look for look in looks if look is not None), default=None)

    def _owe(self, runs: Runs) -> bool:
        """Whether anything new was written."""
        before: Phase | None = None
        found = False
        for run, body in runs:
            status = run.status
            if status.phase is None:
                continue
            if status.notifications is None and ended_at(run) >= self.since:
                owe(self.cluster, place_of(BACKUP_RUN, body), self._deliveries(event_of(status.phase, before)))
                found = True
            if status.phase is not Phase.CANCELLED:
                before = status.phase
        return found

    def _deliveries(self, event: Event | None) -> list[Delivery]:
        if event is None:
            return []
        told = {to: told_as(event, wanted) for to, wanted in self.account.recipients.items()}
        return [Delivery(to=to, event=as_event) for to, as_event in told.items() if as_event is not None]

    def _debts(self, runs: Runs, owners: Mapping[str, Owner]) -> dict[str, list[Debt]]:
        """By address. What is owed to somebody who is not to be told any more is withdrawn."""
        debts: dict[str, list[Debt]] = {}
        for run, _ in runs:
            name, at = run.metadata.name, ended_at(run)
            for delivery in run.status.notifications.deliveries if run.status.notifications else ():
                owed = delivery.phase is DeliveryPhase.OWED
                if delivery.to in self.account.recipients and (at >= self.since or not owed):
                    debts.setdefault(delivery.to, []).append(debt_of(name, at, delivery))
                elif owed and (self.account.gone(delivery.to) or at < self.since):
                    self.acted = True
                    change_delivery(self.cluster, owners[name].place, delivery.to, delivery.event, withdrawn)
        return debts

    def _pay(self, to: str, debts: list[Debt], owners: Mapping[str, Owner]) -> datetime | None:
        post = Post(self.cluster, self.courier, to, owners, self._facts, self.now)
        return post.pay(debts, timedelta(seconds=self.policy.spec.notifications.email.collect_seconds))

    def _facts(self, batch: Batch) -> Mapping[str, object]:
        self.acted = True
        others = [self._by_name[debt.run] for debt in batch.rest]
        database = database_name(self.cluster, self.policy)
        return run_facts(self.policy, database, batch.lead.event, self._by_name[batch.lead.run], others)


def ended_runs(cluster: Cluster, policy: BackupPolicy) -> list[tuple[BackupRun, KubeObject]]:
    """The runs of a policy that have ended, oldest first."""
    bodies = cluster.list(BACKUP_RUN, policy.metadata.namespace, {POLICY_LABEL: policy.metadata.name})
    runs = [(parse_run(body), body) for body in bodies]
    ended = [
        (run, body) for run, body in runs if run.status.terminal and run.spec.policy_ref.name == policy.metadata.name
    ]
    return sorted(ended, key=lambda pair: (ended_at(pair[0]), pair[0].metadata.name))


def ended_at(run: BackupRun) -> datetime:
    moment = run.status.completion_time or run.metadata.creation_timestamp
    if moment is None:
        raise HoldfastError(f"BackupRun {run.metadata.namespace}/{run.metadata.name} has no times.")
    return moment
