"""How a restore treats what is there already, and by which way it goes."""

from enum import StrEnum


class Existing(StrEnum):
    """What becomes of collections of the same names in the target."""

    FAIL = "Fail"
    DROP = "Drop"
    MERGE = "Merge"


class Strategy(StrEnum):
    """Swap: into a scratch database first, then renamed into place. Direct: collection by collection."""

    AUTO = "Auto"
    SWAP = "Swap"
    DIRECT = "Direct"
