"""What is struck, how, when and for how long: all of it follows from a seed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Target(StrEnum):
    WORKER = "worker"
    OPERATOR = "operator"
    API_SERVER = "API server"
    ETCD = "etcd"
    MONGOD = "mongod"
    STORE = "store"
    MAIL_SERVER = "mail server"


class Way(StrEnum):
    KILL = "kill"
    FREEZE = "freeze"
    """It stays, holds its connections, and says nothing (SIGSTOP)."""
    SILENCE = "silence"
    """Packets to it, or from it if it is a pod, vanish."""
    RESET = "reset"
    """Connections to it, or from it if it is a pod, are refused and broken."""


_ALL = tuple(Way)
WAYS: Mapping[Target, Sequence[Way]] = {
    Target.WORKER: _ALL,
    Target.OPERATOR: _ALL,
    Target.API_SERVER: _ALL,
    Target.ETCD: _ALL,
    Target.MONGOD: _ALL,
    Target.STORE: _ALL,
    Target.MAIL_SERVER: (Way.SILENCE, Way.RESET),  # it lives in the process of the test
}
GAP = (3.0, 12.0)
"""Seconds between the beginnings of two faults. They overlap, on different targets."""
LENGTH = (2.0, 30.0)
"""Seconds until what was struck is healed."""
REST = 3.0
"""Seconds that a target has to itself between two faults of its own."""
LATEST_AIM = 8.0


@dataclass(frozen=True)
class Fault:
    """All in seconds, ``at`` from the beginning. ``aim``: how old a worker is when it is struck."""

    at: float
    target: Target
    way: Way
    seconds: float
    aim: float

    def __str__(self) -> str:
        return f"{self.way} {self.target}"


def plan(seed: int, seconds: float) -> list[Fault]:
    """The faults of a run so long. All that can be done is done before the deck is shuffled again."""
    random = Random(seed)  # noqa: S311 (repeatable, not secret)
    deck = _deck(random)
    free = dict.fromkeys(WAYS, 0.0)
    waiting: list[tuple[Target, Way]] = []
    faults: list[Fault] = []
    at = random.uniform(*GAP)
    while (at := max(at, min(free.values()))) < seconds:  # all may be under a fault, or resting
        chosen = next((pair for pair in waiting if free[pair[0]] <= at), None)
        if chosen is not None:
            waiting.remove(chosen)
        while chosen is None:
            pair = next(deck)
            if free[pair[0]] <= at:
                chosen = pair
            else:
                waiting.append(pair)
        target, way = chosen
        length = min(random.uniform(*LENGTH), seconds - at)
        faults.append(Fault(at, target, way, length, random.uniform(0, LATEST_AIM)))
        free[target] = at + length + REST
        at += random.uniform(*GAP)
    return faults


def _deck(random: Random) -> Iterator[tuple[Target, Way]]:
    pairs = [(target, way) for target, ways in WAYS.items() for way in ways]
    pairs += [(Target.WORKER, way) for way in WAYS[Target.WORKER]]  # it is what all of this is about
    while True:
        random.shuffle(pairs)
        yield from pairs
