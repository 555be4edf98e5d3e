"""Brings letters to whom they are for: by mail, or to a channel."""

from dataclasses import dataclass

from holdfast.domain.channels import is_channel
from holdfast.errors import InvalidMailSettings
from holdfast.ports import Letter, Mailer, Messenger
from holdfast.services.mail_account import Account


@dataclass(frozen=True)
class Courier:
    """All that is needed to bring one letter to one recipient of an account."""

    mailer: Mailer
    messenger: Messenger
    account: Account

    def send(self, letter: Letter) -> None:
        """Raises what the mailer and the messenger do."""
        if is_channel(letter.to):
            self.messenger.send(self.account.urls[letter.to], letter)
        elif self.account.server is None:
            raise InvalidMailSettings(f"There is no mail server for {letter.to}.", hint="Add the SMTP settings.")
        else:
            self.mailer.send(self.account.server, letter)

    @property
    def domain(self) -> str:
        """The right side of a Message-ID."""
        server = self.account.server
        return server.sender.address.rpartition("@")[2] if server else "holdfast.dev"
