"""What a policy says of scheduled backups that never started."""

from typing import Annotated

from pydantic import Field

from holdfast.resources.base import Status, Timestamp


class MissedSchedules(Status):
    """Scheduled backups that never started."""

    count: Annotated[
        int, Field(description="How many, since the policy was made or its schedule was changed.", ge=0)
    ] = 0
    last: Annotated[Timestamp | None, Field(description="When the newest of them was due.")] = None
    schedule: Annotated[str, Field(description="The schedule and time zone that were watched.")]
    settled_until: Annotated[Timestamp, Field(description="Scheduled backups up to here are accounted for.")]
    suspended: Annotated[bool, Field(description="Whether the schedule was suspended when it was last looked at.")] = (
        False
    )
