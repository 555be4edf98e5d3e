"""Opens what the operator tells people by, and what it asks and counts with."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.errors import InvalidSpec
from holdfast.mongo.probe import MongoProbe
from holdfast.mongo.signups import MongoSignups
from holdfast.ports import Mailer, Messenger, Meter, Pinger, Sample, SignupSource, SourceProbe
from holdfast.services.mail_account import House, no_house
from holdfast.settings import MailingSettings

if TYPE_CHECKING:
    from holdfast.mail.render import Renderer


@dataclass(frozen=True)
class Looks:
    """How mails and messages present themselves; what is empty is as we ship it. ``logo``: an image in Base64."""

    name: str = ""
    colour: str = ""
    link: str = ""
    logo: str = ""

    @classmethod
    def of(cls, settings: MailingSettings) -> "Looks":
        return cls(settings.mail_name, settings.mail_colour, settings.mail_link, settings.mail_logo)


def open_mailer(looks: Looks | None = None) -> Mailer:
    """What hands mail to the servers that policies name. InvalidSpec for a logo that is none."""
    # Only who sends mail pays for the engine of its templates.
    from holdfast.mail.smtp import SmtpMailer

    return SmtpMailer(_renderer(looks))


def open_house(folder: Path | None) -> House:
    """What tells the mail settings of the installation, from where its Secret is mounted; None: it has none."""
    from holdfast.mail.mounted import mounted_settings

    return partial(mounted_settings, folder) if folder else no_house


def open_messenger(schemes: Iterable[str], looks: Looks | None = None) -> Messenger:
    """What hands messages to the services that policies name, as far as ``schemes`` allows; looks as those of mails."""
    from holdfast.hooks.channels import AppriseMessenger

    return AppriseMessenger(_renderer(looks).text, tuple(schemes))


def _renderer(looks: Looks | None) -> "Renderer":
    from holdfast.mail.brand import Brand, read_logo
    from holdfast.mail.render import Renderer

    given = {key: value for key, value in asdict(looks or Looks()).items() if value and key != "logo"}
    return Renderer(Brand(**given, logo=read_logo(looks.logo if looks else "")))


def open_pinger() -> Pinger:
    """What calls the heartbeat URLs that policies name."""
    from holdfast.hooks.ping import HttpPinger

    return HttpPinger()


def open_probe() -> SourceProbe:
    """What asks sources whether they can be read."""
    return MongoProbe()


def open_signups() -> SignupSource:
    """What tells who has signed up in the applications that policies name."""
    return MongoSignups()


def open_metrics(samples: Callable[[], Iterable[Sample]], port: int) -> Meter:
    """What counts the operator's work, and answers scrapes on ``port`` (0: on none). InvalidSpec if that is taken."""
    # Only the operator pays for it.
    from holdfast.metrics.prometheus import Prometheus
    from holdfast.specs.series import FAMILIES

    metrics = Prometheus(FAMILIES, samples)
    if port:
        try:
            metrics.serve(port)
        except OSError as error:
            raise InvalidSpec(
                f"HOLDFAST_METRICS_PORT: nothing can listen on port {port}: {error.strerror}.", hint="Take another."
            ) from error
    return metrics
