"""Services that are called when something happened: a heartbeat, Slack and its like."""

from typing import Protocol

from holdfast.ports.mail import Letter


class Pinger(Protocol):
    """Calls a URL, to say that all is well; the contract is ``tests/support/pinger_contract.py``."""

    def ping(self, url: str) -> None:
        """Return when it was heard.

        HookUnavailable: try again later. HookRefused: it is not wanted there. InvalidUri: it cannot be called. None of
        them holds more of the URL than its host.
        """
        ...


class Messenger(Protocol):
    """Hands letters to services such as Slack; the contract is ``tests/support/messenger_contract.py``.

    A URL says which service, and whose. It is a secret: nothing that is raised, returned or logged holds it. Every try
    is bounded in time.
    """

    def service(self, url: str) -> str:
        """What people call the service. InvalidUri if there is none, or it is not allowed. Nothing is called."""
        ...

    def send(self, url: str, letter: Letter) -> None:
        """Return when the service has taken the letter's text. InvalidUri as above. HookUnavailable: try it later."""
        ...
