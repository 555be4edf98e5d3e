"""Which of several operators acts: the rule of a Lease, as pure functions.

The clocks of two machines may differ, so no time of day is compared with another's. Each candidate counts by a clock
of its own that never goes back: who waits, from when it last saw the Lease change; who leads, from before it asked for
its last renewal. The leader stops acting ``hold`` seconds after that, and nobody takes its place before ``lease``
seconds are over; what lies between is for clocks that run apart, and for what is still on its way.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Terms:
    """All in seconds."""

    lease: float = 15
    """How long the others wait for a sign of life."""
    hold: float = 10
    """How long the leader acts without having given one."""
    pause: float = 2
    """How often each looks."""


TERMS = Terms()


@dataclass(frozen=True)
class Found:
    """A Lease as it was read."""

    version: str | None = None
    """It changes with each write. None: there is no Lease."""
    holder: str = ""
    """Empty: it was given up, or nobody ever had it."""
    seconds: float = 0
    """How long the others must wait, by the holder's own word."""


@dataclass(frozen=True)
class Seen:
    """What a candidate knows."""

    found: Found
    since: float
    """When it first saw this version, by its own clock."""


def see(before: Seen | None, found: Found, now: float) -> Seen:
    """``now``: after the answer came. A Lease that has not changed is as old as when it was first seen."""
    return before if before is not None and before.found == found else Seen(found, now)


def may_take(seen: Seen, me: str, now: float, terms: Terms) -> bool:
    """Whether candidate ``me`` may write itself into the Lease, or renew it.

    One of the same name is this candidate before it was started anew. A Lease that is not there may just have been
    deleted under somebody who holds it: it is waited for like one that is held.
    """
    if seen.found.version is not None and seen.found.holder in ("", me):
        return True
    return now - seen.since >= max(seen.found.seconds, terms.lease)


def held_until(asked: float, terms: Terms) -> float:
    """Until when who has written the Lease may act. ``asked``: before the request was sent."""
    return asked + terms.hold
