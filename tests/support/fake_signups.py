"""Signups in memory. They keep the contract in ``signups_contract``."""

from collections.abc import Callable, Sequence

from holdfast.errors import HoldfastError
from holdfast.ports import Person, PersonFields, Signups, UserCollection

MOST = 1_000


class FakeSignups:
    """``joined`` holds who signed up, by id, in order; ``failing`` may raise instead of an answer. A server that has
    forgotten all that is older than ``oldest`` loses positions before that."""

    def __init__(self) -> None:
        self.joined: dict[str, Person] = {}
        self.left: set[str] = set()
        self.oldest = 0
        self.there = True
        self.asked: list[str] = []
        self.failing: Callable[[], HoldfastError | None] = lambda: None

    def sign_up(self, *people: Person) -> None:
        for person in people:
            self.joined[f'"{len(self.joined)}"'] = person

    def look(self, where: UserCollection, position: str | None, *, shown: int) -> Signups:
        self._ask(where)
        lost = position is not None and int(position) < self.oldest
        begin = len(self.joined) if position is None or lost else int(position)
        end = min(len(self.joined), begin + MOST)
        ids = list(self.joined)[begin:end]
        more = end < len(self.joined)
        return Signups(str(end), "ChangeStream", len(ids), tuple(ids[:shown]), more=more, lost=lost, there=self.there)

    def people(self, where: UserCollection, ids: Sequence[str], fields: PersonFields) -> Sequence[Person]:
        del fields
        self._ask(where)
        return [self.joined[one] for one in ids if one in self.joined and one not in self.left]

    def _ask(self, where: UserCollection) -> None:
        self.asked.append(str(where))
        if (error := self.failing()) is not None:
            raise error
