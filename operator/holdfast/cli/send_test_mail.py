"""``holdfast test-mail``."""

import os
from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

import typer

from holdfast.domain.mail_settings import ADMIN, HOST, is_address, read_mail_settings
from holdfast.errors import InvalidMailSettings
from holdfast.ports import Letter
from holdfast.wiring import open_mailer


def send_test_mail(
    to: Annotated[str | None, typer.Option("--to", metavar="ADDRESS", help="Default: ADMIN_EMAIL.")] = None,
) -> None:
    """Send a test mail with the settings of the environment: SMTP_HOST, SMTP_USER and the rest of an .env file."""
    values = dict(os.environ)
    if to is not None:
        if not is_address(to):
            raise InvalidMailSettings("--to is not an address.", hint="Give you@example.com.")
        values[ADMIN] = to
    settings = read_mail_settings(values, "the environment")
    if settings.server is None:
        raise InvalidMailSettings(f"{HOST} is not set.", hint="Set it, with what goes with it: set -a; . ./.env.local")
    if not settings.admins:
        raise InvalidMailSettings("Nobody is named to send to.", hint=f"Give --to, or set {ADMIN}.")
    mailer, domain = open_mailer(), settings.server.sender.address.rpartition("@")[2]
    for address in settings.admins:
        facts = {"subject": "Mail works", "preview": "", "outcome": "good", "server": str(settings.server)}
        letter = Letter(f"{uuid4().hex}@{domain}", address, datetime.now(UTC), "test", facts)
        mailer.send(settings.server, letter)
        typer.echo(f"{settings.server} took a mail for {address}.", err=True)
