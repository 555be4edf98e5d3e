"""Have the server say that it takes what cannot be made ready aside, before anything is dropped for it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from holdfast.domain.restoring import Strategy
from holdfast.errors import HoldfastError, NotAuthorized
from holdfast.ports import Target
from holdfast.services.restore_notes import Notes
from holdfast.services.restore_plan import Chosen, Decision


def try_out(decision: Decision, target: Target, notes: Notes) -> None:
    """Where anything is to be replaced, make each collection and view that is written directly under a scratch name,
    and drop it again. Raises what the server says, in terms of what is restored.

    A plan knows what versions refuse; not what the server's feature compatibility version does, where the user may not
    ask for it, nor which stages a view may have.
    """
    if not decision.plan.replaced:
        return
    with suppress(NotAuthorized):  # who may have no collection of another name cannot try
        for one in _written_directly(decision.chosen):
            name, scratch = one.plan.target, notes.scratch(one.plan.target)
            notes.make(name, scratch, None)
            target.drop(scratch)
            try:
                target.create(scratch, one.record.options, one.record.type)
            except NotAuthorized:
                raise
            except HoldfastError as error:
                raise untouched(error, {scratch: name}) from error
            finally:
                target.drop(scratch)


def untouched(error: HoldfastError, titles: Mapping[str, str]) -> HoldfastError:
    """The error in terms of what is restored: nobody knows the scratch collections."""
    message = error.message
    for scratch, name in titles.items():
        message = message.replace(scratch, name)
    return type(error)(f"{message} The target is as it was.", hint=error.hint)


def _written_directly(chosen: Sequence[Chosen]) -> Sequence[Chosen]:
    return [one for one in chosen if one.plan.action != "merge" and one.plan.way is Strategy.DIRECT]
