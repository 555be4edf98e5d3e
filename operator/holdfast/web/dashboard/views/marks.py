"""How something does, as a word with a colour and a shape: nobody has to tell colours apart."""

import re
from dataclasses import dataclass
from enum import StrEnum

from holdfast.domain.health import Verdict
from holdfast.domain.phases import CollectionPhase, Phase, RestorePhase


class Tone(StrEnum):
    """Each has its own colour and its own shape."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    BUSY = "busy"
    IDLE = "idle"


@dataclass(frozen=True)
class Mark:
    word: str
    tone: Tone


_TONES: dict[str, Tone] = {
    Verdict.HEALTHY: Tone.GOOD,
    Verdict.WARNING: Tone.WARN,
    Verdict.CRITICAL: Tone.BAD,
    Phase.SUCCEEDED: Tone.GOOD,
    Phase.PARTIALLY_FAILED: Tone.WARN,
    Phase.FAILED: Tone.BAD,
    Phase.RUNNING: Tone.BUSY,
    Phase.VERIFYING: Tone.BUSY,
    RestorePhase.PLANNING: Tone.BUSY,
    RestorePhase.RESTORING: Tone.BUSY,
    CollectionPhase.MISSING: Tone.WARN,
    "Passed": Tone.GOOD,
}
"""All others are idle: they wait, or were called off."""

UNKNOWN = Mark("Unknown", Tone.IDLE)


def mark(word: Phase | RestorePhase | CollectionPhase | Verdict | str | None) -> Mark:
    """Of a phase, a verdict or the result of a drill. What has no phase yet is pending."""
    if word is None:
        return Mark("Pending", Tone.IDLE)
    return Mark(words(str(word)), _TONES.get(str(word), Tone.IDLE))


def words(camel: str) -> str:
    """``PartiallyFailed`` as ``Partially failed``."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", camel)
    return " ".join([parts[0], *(part if part.isupper() else part.lower() for part in parts[1:])]) if parts else camel
