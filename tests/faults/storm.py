"""The loop that strikes and heals, and keeps a record of it."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.cluster.layout import Layout
from tests.faults.plan import Fault, Target
from tests.faults.targets import PART_OF, Victim, keep_parts

TICK_SECONDS = 0.2
AIM_SECONDS = 75.0
"""How long a worker is waited for: a minute brings the next."""


@dataclass
class Storm:
    """Carries out a plan. `struck` counts what was; `missed` names what there was nothing to strike for."""

    plan: Sequence[Fault]
    victims: Mapping[Target, Victim]
    where: Layout
    say: Callable[[str], None]
    struck: Counter[Fault] = field(default_factory=Counter)
    missed: list[Fault] = field(default_factory=list)
    came_back: list[str] = field(default_factory=list)
    outages: list[tuple[datetime, datetime]] = field(default_factory=list)
    """When the API server or etcd was struck; they do not overlap."""
    _since: datetime | None = None
    _until: dict[Fault, float] = field(default_factory=dict)
    """What is struck now, and until when."""

    def rage(self, seconds: float) -> None:
        """Strike for so long, and leave nothing struck behind."""
        begin = time.monotonic()
        waiting = list(self.plan)
        try:
            while (now := time.monotonic() - begin) < seconds:
                for fault in [fault for fault, until in self._until.items() if until <= now]:
                    self._heal(fault, now)
                for fault in [fault for fault in waiting if fault.at <= now]:
                    if self._strike(fault, now) or now > fault.at + AIM_SECONDS:
                        waiting.remove(fault)
                self._keep(now)
                time.sleep(TICK_SECONDS)
        finally:
            for fault in list(self._until):
                self._heal(fault, time.monotonic() - begin)
            self._keep(time.monotonic() - begin)
        self.missed += [fault for fault in self.plan if fault not in self.struck]

    def _strike(self, fault: Fault, now: float) -> bool:
        if any(fault.target is other.target for other in self._until):
            return False  # it came late to this one: one fault at a time for each
        what = self.victims[fault.target].strike(fault)
        if what:
            self.struck[fault] += 1
            self._until[fault] = now + fault.seconds
            self.say(f"{now:6.1f} s  {fault} ({what}) for {fault.seconds:.0f} s")
        return bool(what)

    def _heal(self, fault: Fault, now: float) -> None:
        del self._until[fault]
        self.victims[fault.target].heal(fault)
        self.say(f"{now:6.1f} s  {fault}: over")

    def _keep(self, now: float) -> None:
        struck = [PART_OF[fault.target] for fault in self._until if fault.target in PART_OF]
        out = bool(struck)
        if out and self._since is None:
            self._since = datetime.now(UTC)
        elif self._since is not None and not out:
            self.outages.append((self._since, datetime.now(UTC)))
            self._since = None
        for part in keep_parts(self.where, struck):
            self.came_back.append(part)
            self.say(f"{now:6.1f} s  {part} ended by itself and was started again")
