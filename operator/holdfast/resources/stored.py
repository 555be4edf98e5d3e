"""Objects as the API server has them: perhaps in the words of a newer release, which is about to take over, or was here
before.

What such a release wrote is read as far as it is known: a word that is not is taken as not said, and everything else
counts. Two things follow. Whoever writes a status leaves alone what was not read (``services/write_status.py``), and
nobody acts on a wish that was not read whole (``services/understand.py``).
"""

from collections.abc import Callable, Collection, Sequence
from copy import deepcopy
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, model_validator

from holdfast.resources.base import Status

_UNKNOWN_WORDS = frozenset({"enum", "literal_error", "extra_forbidden"})
_Path = tuple[int | str, ...]
_T = TypeVar("_T")


def as_far_as_known(
    read: Callable[[dict[str, Any]], _T], data: dict[str, Any], parts: Collection[str] | None = None
) -> tuple[_T, tuple[str, ...]]:
    """What ``read`` makes of ``data`` without the words that are not known, and the paths of these.

    ``parts``: the fields below which they may stand; None: anywhere. Any other fault raises what ``read`` does.
    """
    unread: list[_Path] = []
    try:
        return read(data), ()
    except ValidationError as first:
        left, error = deepcopy(data), first
    while path := _left_out(left, error, unread, parts):
        unread.append(path)
        try:
            return read(left), tuple(".".join(map(str, one)) for one in unread)
        except ValidationError as another:
            error = another
    raise error


class Stored(Status):
    """``parts``: where unknown words may stand. Not in the spec of a policy: its condition Ready names them there."""

    parts: ClassVar[frozenset[str]] = frozenset({"status"})
    unread: Annotated[tuple[str, ...], Field(exclude=True)] = ()
    """Paths of what was not read, such as ``status.consistency.level``."""

    @model_validator(mode="wrap")
    @classmethod
    def _as_far_as_known(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, dict):
            return handler(data)
        found, unread = as_far_as_known(handler, data, cls.parts)
        return found.model_copy(update={"unread": unread}) if unread else found


def _left_out(
    data: dict[str, Any], error: ValidationError, before: Sequence[_Path], parts: Collection[str] | None
) -> _Path | None:
    """Take one unknown word out of ``data``; or, where it had to be there, all that hangs on it. Its path, if any."""
    for one in error.errors(include_input=False, include_url=False):
        path = one["loc"]
        possible = parts is None or (path[0] in parts and len(path) > 1)
        if possible and one["type"] in _UNKNOWN_WORDS:
            return path if _take(data, path) else None
        if path in before and len(path) > 1 and one["type"] == "missing":
            return path[:-1] if _take(data, path[:-1]) else None
    return None


def _take(data: Any, path: _Path) -> bool:
    """Whether it was there."""
    for step in path[:-1]:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return False
    try:
        del data[path[-1]]
    except (KeyError, IndexError, TypeError):
        return False
    return True
