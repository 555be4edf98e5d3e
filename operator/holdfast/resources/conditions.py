"""Conditions, in the shape of ``metav1.Condition``."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from holdfast.resources.base import Status, Timestamp

MESSAGE_LIMIT = 4096
"""Longer messages are cut: one object must stay far below 1 MiB, and nobody reads more."""


class Condition(Status):
    """One aspect of an object's state."""

    type: Annotated[str, Field(description="Name of the condition, in CamelCase.", max_length=316)]
    status: Annotated[Literal["True", "False", "Unknown"], Field(description="Whether it holds.")]
    reason: Annotated[
        str, Field(description="Why it was last set, as one CamelCase word.", min_length=1, max_length=1024)
    ]
    message: Annotated[str, Field(description="The same for people, with what to do next.")] = ""
    last_transition_time: Annotated[Timestamp, Field(description="When the status last changed.")]
    observed_generation: Annotated[
        int | None, Field(description="The generation of the object that this was said about.", ge=0)
    ] = None


def set_condition(conditions: Sequence[Condition], new: Condition) -> tuple[Condition, ...]:
    """``conditions`` with ``new`` in its place; the time of transition stays unless the status changed."""
    kept: list[Condition] = []
    found = False
    for old in conditions:
        if old.type != new.type:
            kept.append(old)
            continue
        found = True
        moment = old.last_transition_time if old.status == new.status else new.last_transition_time
        kept.append(new.model_copy(update={"last_transition_time": moment}))
    return tuple(kept) if found else (*kept, new)


def condition(
    type_: str, holds: bool | None, reason: str, message: str, *, now: datetime, generation: int
) -> Condition:
    """A condition that holds, does not, or of which that is not known (None)."""
    return Condition(
        type=type_,
        status="Unknown" if holds is None else "True" if holds else "False",
        reason=reason,
        message=message[:MESSAGE_LIMIT],
        last_transition_time=now,
        observed_generation=generation,
    )


def find_condition(conditions: Sequence[Condition], type_: str) -> Condition | None:
    return next((one for one in conditions if one.type == type_), None)
