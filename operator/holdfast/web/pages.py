"""A list in pages, by where the last one ended: what comes or goes meanwhile shifts nothing."""

import base64
import binascii
import json
from collections.abc import Sequence

from holdfast.errors import InvalidSpec
from holdfast.services.look_up import Place


def page(places: Sequence[Place], after: str | None, limit: int) -> tuple[slice, str | None]:
    """Given all places in their order: which of them are on the page after ``after``, and what comes after that.

    Raises InvalidSpec if nobody was ever told such an ``after``.
    """
    last = _read(after) if after else None
    start = next((number for number, place in enumerate(places) if last is None or place > last), len(places))
    end = start + limit
    return slice(start, end), _write(places[end - 1]) if end < len(places) else None


def _write(place: Place) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _read(after: str) -> Place:
    try:
        match json.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4))):
            case [int() | float() as made, str() as namespace, str() as name]:
                return float(made), namespace, name
    except (ValueError, binascii.Error, RecursionError, OverflowError):
        pass
    raise InvalidSpec("`after` is not of a page of this list.", hint="Take it from the page before, or leave it out.")
