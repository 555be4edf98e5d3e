"""A messenger in memory. It keeps the contract in ``messenger_contract``."""

from collections.abc import Callable

from holdfast.errors import HoldfastError, InvalidUri
from holdfast.ports import Letter


class FakeMessenger:
    """``sent`` holds what was taken, with its URL; ``failing`` may raise for a letter before it is."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Letter]] = []
        self.failing: Callable[[Letter], HoldfastError | None] = lambda _letter: None

    def service(self, url: str) -> str:
        if not url.startswith("jsons://"):
            raise InvalidUri("The URL names no channel that this operator allows.", hint="Take another.")
        return "JSON"

    def send(self, url: str, letter: Letter) -> None:
        self.service(url)
        if (error := self.failing(letter)) is not None:
            raise error
        self.sent.append((url, letter))
