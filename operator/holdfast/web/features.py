"""What the API does beyond showing, as far as it is switched on."""

from dataclasses import dataclass

from holdfast.ports import Mailer
from holdfast.services.download import Opener
from holdfast.services.mail_account import House, no_house


@dataclass(frozen=True)
class Features:
    """``opener`` opens a policy's repository for a download; None: nothing is downloaded.

    ``automated``: backups that are due may be asked for without a token, by who knows ``cron_secret`` if there is one.
    ``mailer`` sends mails with sample data, by the server of ``house`` where a policy has none; None: nobody does.
    """

    opener: Opener | None = None
    automated: bool = False
    cron_secret: str | None = None
    mailer: Mailer | None = None
    house: House = no_house
