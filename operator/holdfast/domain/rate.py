"""How often something may be done: so many at once, and then one each so many seconds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """``burst`` at once; each that was used comes back by itself after ``seconds``."""

    burst: int
    seconds: float

    def after(self, full: float, now: float) -> float:
        """Given when all would be back, when they are after one more is used ``now``."""
        return max(full, now) + self.seconds

    def wait(self, full: float, now: float) -> float:
        """Given when all will be back, seconds until the next may be used; 0: now."""
        return max(0.0, full - now - (self.burst - 1) * self.seconds)
