"""What a backup may claim about the moment it shows."""

from enum import StrEnum


class Consistency(StrEnum):
    """What a policy asks for."""

    REQUIRED = "Required"
    PREFERRED = "Preferred"
    NONE = "None"


class ConsistencyLevel(StrEnum):
    """What a run got: all collections at one cluster time; each at a time of its own, with what was written from there
    on up to one time; or each at a time of its own."""

    SNAPSHOT = "Snapshot"
    POINT_IN_TIME = "PointInTime"
    NONE = "None"
