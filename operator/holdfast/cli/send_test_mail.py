"""``holdfast test-mail``."""

import os
from datetime import UTC, datetime
from typing import Annotated

import typer

from holdfast.domain.mail_settings import ADMIN, HOST, is_address, read_mail_settings
from holdfast.errors import InvalidMailSettings
from holdfast.ports import Letter


def send_test_mail(
    to: Annotated[str | None, typer.Option("--to", metavar="ADDRESS", help="Default: ADMIN_EMAIL.")] = None,
) -> None:
    """Send a test mail with the settings of the environment: SMTP_HOST, SMTP_USER and the rest of an .env file."""
    # They bring the resources of Kubernetes along: only who needs them pays.
    from holdfast.services.send_sample import hand_in
    from holdfast.specs.sample_letters import Sample, check_facts
    from holdfast.wiring.telling import open_mailer

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
    letter = Letter("", "", datetime.now(UTC), Sample.TEST, check_facts(str(settings.server)))
    sent = hand_in(open_mailer(), settings.server, letter, settings.admins)
    for address in sent.taken:
        typer.echo(f"{settings.server} took a mail for {address}.", err=True)
    if sent.refusal is not None:
        raise sent.refusal
