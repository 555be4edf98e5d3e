"""A probe in memory. It keeps the contract in ``probe_contract``."""

from collections.abc import Callable

from holdfast.domain.mongodb_uri import uri_database
from holdfast.errors import HoldfastError


class FakeProbe:
    """``asked`` holds how each source was asked; ``failing`` may raise instead of an answer."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.failing: Callable[[], HoldfastError | None] = lambda: None

    def probe(self, uri: str, *, origin: str, read_preference: str) -> str:
        uri_database(uri, origin)
        self.asked.append(read_preference)
        if (error := self.failing()) is not None:
            raise error
        return "Replica set rs0"
