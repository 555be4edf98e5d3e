"""What is in the target of a restore that stopped half-way, for the people who have to go on from there."""

from holdfast.domain.restoring import Strategy
from holdfast.errors import HoldfastError
from holdfast.ports import Source
from holdfast.services.restore_plan import RestorePlan

SHOWN = 10


def target_state(plan: RestorePlan, source: Source) -> str:
    """Given the plan of a restore and its target, say which collections are there; nothing where it cannot be seen.

    By the counts that the server keeps: it has to be quick. Only for collection by collection: in a swap, what happens
    in scratch collections is nobody's business, and the engine itself says whether the target is as it was.
    """
    if plan.strategy is not Strategy.DIRECT:
        return ""
    try:
        catalogue = {one.name: one for one in source.catalogue()}
        there = {name: source.estimate(one).documents for name, one in catalogue.items()}
    except HoldfastError:
        return "What is in the target now could not be seen."
    wanted = [one for one in plan.collections if one.action != "skip"]
    whole = [one.target for one in wanted if one.type == "collection" and there.get(one.target) == one.documents]
    missing = [one.target for one in wanted if one.target not in there]
    other = [
        f"{one.target} ({there[one.target]} of {one.documents} documents)"
        for one in wanted
        if one.type == "collection" and one.target in there and one.target not in whole
    ]
    parts = [
        ("As many documents as in the backup", whole),
        ("not so many, or more", other),
        ("not there", missing),
    ]
    told = "; ".join(f"{what}: {_names(names)}" for what, names in parts if names)
    return f"Database {plan.database!r} now, without a comparison. {told}." if told else ""


def _names(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
