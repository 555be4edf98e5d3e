"""How a restore treats what is there already, by which way it goes, and how its own collections are called."""

from enum import StrEnum
from hashlib import sha256

STATE = "holdfast_restore"
"""The collection in a target where a restore at work keeps its notes; gone when it has ended."""
_SCRATCH = f"{STATE}."


class Existing(StrEnum):
    """What becomes of collections of the same names in the target."""

    FAIL = "Fail"
    DROP = "Drop"
    MERGE = "Merge"


class Strategy(StrEnum):
    """Swap: into scratch collections first, then renamed into place. Direct: collection by collection."""

    AUTO = "Auto"
    SWAP = "Swap"
    DIRECT = "Direct"


def identity_of(token: str) -> str:
    """What a restore is known by in its target: short, and fit for the name of a collection whatever the token is."""
    return sha256(token.encode()).hexdigest()[:12]


def scratch_name(token: str, target: str) -> str:
    """The collection in which ``target`` is made ready. Short, so that any name that fits has a scratch that fits."""
    return f"{_SCRATCH}{identity_of(token)}.{identity_of(target)}"


def is_own(name: str) -> bool:
    """Whether a collection belongs to a restore at work, or to one that died. It is neither backed up nor restored."""
    return name == STATE or name.startswith(_SCRATCH)


def way_of(strategy: Strategy, kind: str, target: str, *, encrypted: bool = False) -> Strategy:
    """By which way one collection goes. A view has no data; a time-series, one of Queryable Encryption (``encrypted``)
    and the server's own cannot be renamed."""
    swappable = strategy is Strategy.SWAP and kind == "collection" and not encrypted
    swappable = swappable and not target.startswith("system.")
    return Strategy.SWAP if swappable else Strategy.DIRECT


def choose_strategy(wanted: Strategy, existing: Existing, *, empty: bool, none_swappable: bool) -> tuple[Strategy, str]:
    """The strategy, and why. ``none_swappable``: nothing that is to be restored could be renamed into place."""
    if existing is Existing.MERGE:
        return Strategy.DIRECT, "Merging adds to the collections that are there."
    if wanted is not Strategy.AUTO:
        return wanted, "It was asked for."
    if empty:
        return Strategy.DIRECT, "The target database is empty."
    if none_swappable:
        return Strategy.DIRECT, "Views and time-series collections cannot be renamed into place."
    return Strategy.SWAP, "The target database is not empty: nobody is to read half a restore."
