"""Brings letters to whom they are for: by mail, or to a channel."""

from dataclasses import dataclass, field, replace

from holdfast.domain.channels import is_channel
from holdfast.errors import InvalidMailSettings
from holdfast.ports import Letter, Mailer, Messenger
from holdfast.services.mail_account import Account
from holdfast.services.own_templates import OwnTemplates

FAULT_LIMIT = 1024


@dataclass(frozen=True)
class Courier:
    """All that is needed to bring one letter to one recipient of an account."""

    mailer: Mailer
    messenger: Messenger
    account: Account
    own: OwnTemplates = field(default_factory=OwnTemplates)
    """Of the policy, for mail."""

    def send(self, letter: Letter) -> str:
        """Why the policy's own templates were not used, if so. Raises what the mailer and the messenger do."""
        if is_channel(letter.to):
            self.messenger.send(self.account.urls[letter.to], letter)
            return ""
        if self.account.server is None:
            raise InvalidMailSettings(f"There is no mail server for {letter.to}.", hint="Add the SMTP settings.")
        fault = self.mailer.send(self.account.server, replace(letter, own=self.own.usable))
        said = f"The mail was made by the templates that Holdfast ships, not by yours ({self.own.version}): {fault}."
        return said[:FAULT_LIMIT] if fault else ""

    @property
    def domain(self) -> str:
        """The right side of a Message-ID."""
        server = self.account.server
        return server.sender.address.rpartition("@")[2] if server else "holdfast.dev"
