"""Mail servers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from holdfast.domain.mail_settings import MailServer


@dataclass(frozen=True)
class Letter:
    """One mail to one address, before it is rendered: a template, and the facts that it tells."""

    message_id: str
    """Without the brackets. The same mail has the same one however often it is sent."""
    to: str
    date: datetime
    template: str
    facts: Mapping[str, Any]
    own: Mapping[str, str] = field(default_factory=dict)
    """Templates by name, such as ``backup_failure.html``, that go before those that we ship."""


class Mailer(Protocol):
    """Hands letters to a mail server; the contract is ``tests/support/mailer_contract.py``.

    Every try is bounded in time. Nothing that it raises holds a password.
    """

    def send(self, server: MailServer, letter: Letter) -> str:
        """Return when the server has taken the letter; and why the letter's own templates were not used, if so.

        MailUnavailable: try again later. MailRefused: not this letter, ever. InvalidMailSettings or
        AuthenticationFailed: not before a person has changed the settings.
        """
        ...

    def faults(self, own: Mapping[str, str]) -> Mapping[str, str]:
        """By name, what can be seen to be wrong about templates before there is a letter."""
        ...
