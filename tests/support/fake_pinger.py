"""A pinger in memory. It keeps the contract in ``pinger_contract``."""

from collections.abc import Callable

from holdfast.errors import HoldfastError, InvalidUri


class FakePinger:
    """``heard`` holds the URLs that were called; ``failing`` may raise before one is."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.failing: Callable[[], HoldfastError | None] = lambda: None

    def ping(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise InvalidUri("The URL is none that can be called.")
        if (error := self.failing()) is not None:
            raise error
        self.heard.append(url)
