"""Take a Lease, renew it, and give it back: of several operators only its holder acts."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from threading import Event

from holdfast.domain.leadership import TERMS, Found, Seen, Terms, held_until, may_take, see
from holdfast.errors import HoldfastError
from holdfast.ports import LEASE, Clock, Cluster, KubeObject
from holdfast.services.fence import LeaseFence

_log = logging.getLogger("holdfast.operator")

LAST_SECONDS = 5.0
"""How long the end waits for what is under way, before the Lease is given back. Else it runs out by itself."""


@dataclass(frozen=True)
class Place:
    """Which Lease, and who we are: no other process may have this name while ours lives."""

    namespace: str
    name: str
    identity: str


class Candidate:
    """One operator among several. ``ticks``: seconds, by a clock that goes on while the process sleeps."""

    def __init__(
        self, cluster: Cluster, place: Place, ticks: Callable[[], float], clock: Clock, terms: Terms = TERMS
    ) -> None:
        self._cluster, self._place, self._ticks, self._clock, self.terms = cluster, place, ticks, clock, terms
        self._seen: Seen | None = None
        self._held: KubeObject | None = None
        self._tried = ticks()

    def silence(self) -> float:
        """Seconds since the last try to read the Lease."""
        return self._ticks() - self._tried

    @property
    def leader(self) -> str:
        """Who led when we last looked; empty if nobody did."""
        return self._seen.found.holder if self._seen else ""

    def seek(self) -> float | None:
        """Take the Lease, or renew it. Until when we may act; None if it is somebody else's, or lost.

        Raises what the cluster does: then nothing is known, and what was held before is held until it runs out.
        """
        self._tried = self._ticks()
        body = self._cluster.get(LEASE, self._place.namespace, self._place.name)
        self._seen = see(self._seen, _found(body), self._ticks())
        # While our own name is there, nobody else has led. Where it is not, another may have, be it for a moment.
        lost = self._held is not None and self.leader != self._place.identity
        if lost or not may_take(self._seen, self._place.identity, self._ticks(), self.terms):
            self._held = None
            return None
        asked = self._ticks()
        self._held = self._write(body, self._spec(body))
        return held_until(asked, self.terms) if self._held is not None else None

    def release(self) -> None:
        """Give the Lease back, if it is ours: the next one need not wait. Raises what the cluster does."""
        held, self._held = self._held, None
        if held is not None:
            self._write(held, {**self._spec(held), "holderIdentity": "", "leaseDurationSeconds": 1})

    def _write(self, body: KubeObject | None, spec: KubeObject) -> KubeObject | None:
        if body is not None:
            return self._cluster.patch(LEASE, body, {"spec": spec})
        metadata = {"namespace": self._place.namespace, "name": self._place.name}
        return self._cluster.create(LEASE, {"metadata": metadata, "spec": spec})

    def _spec(self, body: KubeObject | None) -> KubeObject:
        """For people and tools; of the times no candidate judges by them."""
        old = (body or {}).get("spec") or {}
        moment = self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {
            "holderIdentity": self._place.identity,
            "leaseDurationSeconds": int(self.terms.lease),
            "renewTime": moment,
        }
        if old.get("holderIdentity") == self._place.identity:
            return spec
        return {**spec, "acquireTime": moment, "leaseTransitions": old.get("leaseTransitions", 0) + 1}


def stand_by(candidate: Candidate, fence: LeaseFence, stop: Event) -> bool:
    """Wait until we lead, and open the fence. False if ``stop`` was set before. ``candidate.leader`` says who leads."""
    told = None
    while not stop.is_set():
        try:
            until = candidate.seek()
        except HoldfastError as error:
            _log.warning("The Lease cannot be read: %s", error)
        else:
            if until is not None:
                fence.open_until(until)
                _log.info("Leading.")
                return True
            if told != candidate.leader:
                told = candidate.leader
                _log.info("Standing by: %s leads.", told or "nobody yet")
        stop.wait(candidate.terms.pause)
    return False


def keep_leading(candidate: Candidate, fence: LeaseFence, stop: Event) -> bool:
    """Renew the Lease until ``stop`` is set, then give it back. False as soon as another has it.

    While it cannot be renewed the fence closes by itself; it opens again if nobody has taken the Lease meanwhile.
    """
    while not stop.wait(candidate.terms.pause):
        try:
            until = candidate.seek()
        except HoldfastError as error:
            _log.warning("The Lease cannot be renewed: %s", error)
        else:
            if until is None:
                return False
            fence.open_until(until)
    _resign(candidate, fence)
    return True


def _resign(candidate: Candidate, fence: LeaseFence) -> None:
    if not fence.shut(LAST_SECONDS):
        _log.warning("Something is still under way: the Lease is not given back, it runs out.")
        return
    try:
        candidate.release()
    except HoldfastError as error:
        _log.warning("The Lease cannot be given back, it runs out: %s", error)


def _found(body: KubeObject | None) -> Found:
    if body is None:
        return Found()
    spec = body.get("spec") or {}
    seconds = float(spec.get("leaseDurationSeconds") or 0)
    return Found(body["metadata"]["resourceVersion"], spec.get("holderIdentity") or "", seconds)
