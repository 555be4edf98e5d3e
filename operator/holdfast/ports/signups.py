"""People who sign up with an application."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol


@dataclass(frozen=True)
class UserCollection:
    """Where an application keeps its users. ``origin`` is where the URI came from, for messages."""

    uri: str = field(repr=False)
    origin: str
    read_preference: str
    database: str
    collection: str

    def __str__(self) -> str:
        return f"{self.database}.{self.collection}"


@dataclass(frozen=True)
class Signups:
    """What came into a collection since the last look. ``position`` is where the next one begins."""

    position: str
    way: Literal["ChangeStream", "Ids"]
    """How they are noticed: told by the server, or found by their ``_id``, where a server tells nothing."""
    count: int = 0
    ids: tuple[str, ...] = ()
    """The first of them, as Extended JSON."""
    more: bool = False
    """There may be more already."""
    lost: bool = False
    """The position given was of no use any more: what came since then is not known."""
    there: bool = True
    """Whether there is such a collection."""


@dataclass(frozen=True)
class Person:
    """All that is ever read of a user. What is not there is empty."""

    name: str
    address: str
    time: datetime | None


@dataclass(frozen=True)
class PersonFields:
    """Where it lies in a user's document, with dots between names."""

    name: str
    address: str
    time: str


class SignupSource(Protocol):
    """Tells who has signed up; the contract is ``tests/support/signups_contract.py``.

    Each call takes a few seconds at most, and reads nothing but what it returns. The errors of Source; InvalidSpec
    where the collection cannot be followed.
    """

    def look(self, where: UserCollection, position: str | None, *, shown: int) -> Signups:
        """What came since ``position``, oldest first; from None on, nothing has come yet. ``shown`` bounds the ids."""
        ...

    def people(self, where: UserCollection, ids: Sequence[str], fields: PersonFields) -> Sequence[Person]:
        """Those of these users who are still there, in the order of the ids."""
        ...
