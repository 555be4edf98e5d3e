"""What became of those who hold locks."""

from collections.abc import Mapping
from enum import Enum
from typing import Protocol


class Fate(Enum):
    """What became of a process."""

    UNKNOWN = "unknown"
    """It may be at work."""
    GONE = "gone"
    """Nobody runs it any more, as far as anybody knows; a machine that is cut off may."""
    ENDED = "ended"
    """It has ended, for certain."""


class Witness(Protocol):
    """Knows what became of the holders of locks. Never raises; whoever is not sure says UNKNOWN."""

    def myself(self) -> Mapping[str, str]:
        """What this process writes into its locks, so that others can ask for it; empty if nobody could."""
        ...

    def fate(self, holder: Mapping[str, str], /) -> Fate:
        """Of the process that wrote this into its lock."""
        ...
