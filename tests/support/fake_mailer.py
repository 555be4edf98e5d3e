"""A mailer in memory, for tests of what sends mail. It keeps the contract in ``mailer_contract``."""

from collections.abc import Callable, Mapping

from holdfast.domain.mail_settings import MailServer
from holdfast.errors import HoldfastError
from holdfast.ports import Letter


class FakeMailer:
    """``sent`` holds what was taken; ``failing`` may raise for a letter before it is. Templates whose text says so
    are at fault: ``never compiles``, or ``fails in use``."""

    def __init__(self) -> None:
        self.sent: list[Letter] = []
        self.tried: list[Letter] = []
        self.failing: Callable[[Letter], HoldfastError | None] = lambda _letter: None

    def send(self, server: MailServer, letter: Letter) -> str:
        del server
        self.tried.append(letter)
        if (error := self.failing(letter)) is not None:
            raise error
        self.sent.append(letter)
        return "; ".join(f"{name}: it fails in use" for name, text in letter.own.items() if "fails in use" in text)

    def faults(self, own: Mapping[str, str]) -> Mapping[str, str]:
        return {name: "it never compiles" for name, text in own.items() if "never compiles" in text}
