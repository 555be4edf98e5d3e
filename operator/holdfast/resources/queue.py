"""Where a run stands while no more may run at once."""

from typing import Annotated

from pydantic import Field

from holdfast.resources.base import Status, Timestamp

QUEUED, CATCHING_UP = "Queued", "CatchingUp"
WAITS_ON_PURPOSE = frozenset({QUEUED, CATCHING_UP})
"""Reasons of a run that is Pending and has nothing in its way."""


class RunQueue(Status):
    """The wait of one run for its turn."""

    ahead: Annotated[int | None, Field(description="How many waited before it when it was last looked at.", ge=0)] = (
        None
    )
    seen_time: Annotated[
        Timestamp | None,
        Field(
            description="When the operator last said that it waits. A worker that hears nothing for ten minutes begins."
        ),
    ] = None
    turn_time: Annotated[Timestamp | None, Field(description="When it was let in.")] = None
