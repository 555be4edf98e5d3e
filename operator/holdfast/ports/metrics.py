"""What is measured, and who counts."""

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True)
class Family:
    """A series of measurements under one name, as Prometheus has it."""

    name: str
    type: Literal["gauge", "counter"]
    help: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a family. ``labels``: the values of its labels, in their order."""

    family: str
    labels: tuple[str, ...]
    value: float


class Meter(Protocol):
    """Counts what the operator itself does. Never raises."""

    def took(self, kind: str, seconds: float) -> None:
        """One look at an object of that kind."""
        ...

    def failed(self, kind: str, reason: str) -> None:
        """A look that failed, for a reason in one CamelCase word."""
        ...
