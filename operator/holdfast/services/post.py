"""Send what is owed to one address: claim it, hand it to the mail server, cross it out.

It may be killed between any two steps. Before the claim nothing was sent. Between the claim and the crossing out, the
mail is sent again later, under the same Message-ID. The one that leads a mail is claimed first, so that its name is
taken; and as soon as one of them is crossed out, the mail is known to have gone, whatever became of the rest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from holdfast.domain.notifications import (
    TEMPLATE_FAILED,
    Batch,
    Debt,
    DeliveryPhase,
    given_up,
    message_key,
    pause_after,
    plan,
)
from holdfast.errors import HoldfastError, MailRefused
from holdfast.ports import Cluster, Kind, KubeObject, Letter
from holdfast.resources.notifications import Delivery
from holdfast.services.courier import Courier
from holdfast.services.outbox import Place, change_delivery
from holdfast.specs.letters import TEMPLATES

FAILED_REASON = "NotificationFailed"
WITHDRAWN = "Withdrawn"
ERROR_LIMIT = 1024

Tell = Callable[[Batch], Mapping[str, Any]]
"""The facts of the mail that carries a batch."""


@dataclass(frozen=True)
class Owner:
    """An object whose status holds a debt."""

    place: Place
    body: KubeObject


@dataclass(frozen=True)
class Post:
    """All that is needed to pay the debts to one address."""

    cluster: Cluster
    courier: Courier
    to: str
    owners: Mapping[str, Owner]
    """By the ``run`` of a debt."""
    tell: Tell
    now: datetime

    def pay(self, debts: list[Debt], collect: timedelta) -> datetime | None:
        """Send what is due. Returns when it wants to be called again."""
        todo = plan(debts, now=self.now, collect=collect)
        for debt in todo.told:
            self._cross_out(debt)
        looks = [look for batch in todo.send if (look := self._send(batch)) is not None]
        return min([*looks, *([todo.next_look] if todo.next_look else [])], default=None)

    def _send(self, batch: Batch) -> datetime | None:
        message_id = batch.message_id or self._message_id(batch.lead)
        attempts = batch.lead.attempts + 1
        again = self.now + pause_after(attempts)
        first = batch.lead.first_attempt or self.now
        lead = partial(_claimed, attempts=attempts, first=first, again=again, message_id=message_id)
        if not self._change(batch.lead, partial(_if_as_known, batch.lead, lead)):
            return self.now  # somebody else was at it: look anew
        for debt in batch.rest:
            self._change(debt, lambda delivery: delivery.model_copy(update={"message_id": message_id}))
        letter = Letter(message_id, self.to, self.now, TEMPLATES[batch.lead.event], self.tell(batch))
        try:
            fault = self.courier.send(letter)
        except HoldfastError as error:
            return self._failed(batch, error, again, final=isinstance(error, MailRefused) or given_up(first, self.now))
        for debt in batch.debts:
            self._cross_out(debt, fault)
        if fault:
            owner = self.owners[batch.lead.run]
            self.cluster.record(owner.body, owner.place.kind, "Warning", TEMPLATE_FAILED, fault)
        return self.now

    def _message_id(self, lead: Debt) -> str:
        place = self.owners[lead.run].place
        key = message_key(place.uid, lead.event, self.to, lead.at.isoformat())
        return f"{key}@{self.courier.domain}"

    def _cross_out(self, debt: Debt, fault: str = "") -> None:
        self._change(debt, partial(_sent, now=self.now, fault=fault))

    def _failed(self, batch: Batch, error: HoldfastError, again: datetime, *, final: bool) -> datetime | None:
        said = str(error)[:ERROR_LIMIT]
        for debt in batch.debts if final else (batch.lead,):
            self._change(debt, partial(_not_sent, reason=error.reason, error=said, final=final))
        if not final:
            return again
        owner = self.owners[batch.lead.run]
        note = f"The message {batch.lead.event} to {self.to} was given up: {said}"
        self.cluster.record(owner.body, owner.place.kind, "Warning", FAILED_REASON, note)
        return self.now

    def _change(self, debt: Debt, change: Callable[[Delivery], Delivery | None]) -> bool:
        place = self.owners[debt.run].place
        return change_delivery(self.cluster, place, self.to, debt.event, partial(_while_owed, change))


def place_of(kind: Kind, body: KubeObject) -> Place:
    metadata = body["metadata"]
    return Place(kind, metadata["namespace"], metadata["name"], metadata["uid"])


def debt_of(run: str, at: datetime, delivery: Delivery) -> Debt:
    return Debt(
        run=run,
        event=delivery.event,
        at=at,
        phase=delivery.phase,
        message_id=delivery.message_id,
        attempts=delivery.attempts or 0,
        first_attempt=delivery.first_attempt_time,
        next_attempt=delivery.next_attempt_time,
        sent=delivery.sent_time,
    )


def withdrawn(delivery: Delivery) -> Delivery | None:
    """Owed to somebody who is not to be told any more."""
    if delivery.phase is not DeliveryPhase.OWED:
        return None
    error = "The policy does not name this recipient any more, or notifications were off since."
    return _not_sent(delivery, reason=WITHDRAWN, error=error, final=True)


def _while_owed(change: Callable[[Delivery], Delivery | None], delivery: Delivery) -> Delivery | None:
    return change(delivery) if delivery.phase is DeliveryPhase.OWED else None


def _if_as_known(known: Debt, change: Callable[[Delivery], Delivery], delivery: Delivery) -> Delivery | None:
    return change(delivery) if (delivery.attempts or 0) == known.attempts else None


def _claimed(delivery: Delivery, *, attempts: int, first: datetime, again: datetime, message_id: str) -> Delivery:
    return delivery.model_copy(
        update={
            "message_id": message_id,
            "attempts": attempts,
            "first_attempt_time": first,
            "next_attempt_time": again,
        }
    )


def _sent(delivery: Delivery, *, now: datetime, fault: str) -> Delivery:
    told = {"next_attempt_time": None, "reason": TEMPLATE_FAILED if fault else None, "error": fault or None}
    return delivery.model_copy(update={**told, "phase": DeliveryPhase.SENT, "sent_time": now})


def _not_sent(delivery: Delivery, *, reason: str, error: str, final: bool) -> Delivery:
    changes: dict[str, Any] = {"reason": reason, "error": error}
    if final:
        changes |= {"phase": DeliveryPhase.FAILED, "next_attempt_time": None}
    return delivery.model_copy(update=changes)
