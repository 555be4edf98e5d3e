"""A letter as a mail: templates with facts become text and HTML, in one message with checked headers."""

from collections.abc import Mapping
from dataclasses import asdict
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, select_autoescape

from holdfast.domain.mail_settings import Sender
from holdfast.errors import MailRefused
from holdfast.mail.brand import LOGO_ID, Brand, Logo
from holdfast.mail.own_templates import rendered
from holdfast.ports import Letter

_PACKAGED = Path(__file__).parents[1] / "templates"
_IN_THE_SOURCE = Path(__file__).parents[3] / "templates"
_FOLDER = _PACKAGED if _PACKAGED.is_dir() else _IN_THE_SOURCE

SUBJECT_LIMIT = 200
_REMEMBERED = 256
"""Sets of templates whose faults are known."""
COLOURS = {"good": "#1a7f4b", "partial": "#b26a00", "bad": "#c62f2f", "none": "#5b6675"}


class Renderer:
    """Makes messages from letters. Every value is escaped in HTML; nothing is loaded from outside."""

    def __init__(self, brand: Brand | None = None) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(_FOLDER),
            autoescape=select_autoescape(["html"], default=False),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._brand = brand or Brand()
        looks = {**asdict(self._brand), "dark_colour": self._brand.dark_colour, "logo": self._brand.logo is not None}
        self._words = {"brand": looks, "colours": COLOURS, "logo_id": LOGO_ID}
        self._environment.globals.update(self._words)
        self._faults = lru_cache(maxsize=_REMEMBERED)(self._compile)

    def _compile(self, own: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
        _, faults = rendered([name for name, _ in own], dict(own), _FOLDER, None, self._words)
        return faults

    def compose(self, letter: Letter, sender: Sender) -> tuple[EmailMessage, str]:
        """By the letter's own templates, or by ours where these cannot be used, and why that is.

        MailRefused if no message can be made of it, which another try would not change.
        """
        if not letter.own:
            return self.render(letter, sender), ""
        text, html = (f"{letter.template}.{kind}" for kind in ("txt", "html"))
        texts, faults = rendered([text, html], letter.own, _FOLDER, self._facts(letter.facts), self._words)
        if faults:
            return self.render(letter, sender), "; ".join(f"{name}: {fault}" for name, fault in faults.items())
        try:
            return _message(letter, sender, texts[text], texts[html], self._brand.logo), ""
        except (MessageError, ValueError) as error:
            raise _cannot(letter, error) from error

    def faults(self, own: Mapping[str, str]) -> Mapping[str, str]:
        """By name, why templates cannot be compiled. The same ones are looked at once."""
        return self._faults(tuple(sorted(own.items())))

    def render(self, letter: Letter, sender: Sender) -> EmailMessage:
        """By our templates. MailRefused if no message can be made of it, which another try would not change."""
        try:
            text, html = (self._fill(f"{letter.template}.{kind}", letter.facts) for kind in ("txt", "html"))
            return _message(letter, sender, text, html, self._brand.logo)
        except (TemplateError, MessageError, ValueError) as error:
            raise _cannot(letter, error) from error

    def text(self, letter: Letter) -> tuple[str, str]:
        """Subject and text alone, for what is no mail. MailRefused as above."""
        try:
            return one_line(str(letter.facts["subject"]))[:SUBJECT_LIMIT], self._fill(
                f"{letter.template}.txt", letter.facts
            )
        except (TemplateError, KeyError) as error:
            raise _cannot(letter, error) from error

    def _fill(self, name: str, facts: Mapping[str, Any]) -> str:
        return self._environment.get_template(name).render(self._facts(facts)).strip() + "\n"

    @staticmethod
    def _facts(facts: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**facts, "colour": COLOURS.get(str(facts.get("outcome")), COLOURS["none"])}


def _cannot(letter: Letter, error: Exception) -> MailRefused:
    return MailRefused(f"The mail {letter.template} cannot be made ({type(error).__name__}).", hint="Please report it.")


def _message(letter: Letter, sender: Sender, text: str, html: str, logo: Logo | None) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(one_line(sender.name), addr_spec=sender.address)
    message["To"] = Address(addr_spec=letter.to)
    message["Subject"] = one_line(str(letter.facts["subject"]))[:SUBJECT_LIMIT]
    message["Date"] = format_datetime(letter.date)
    message["Message-ID"] = f"<{letter.message_id}>"
    # No holiday notes in answer.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    # In ASCII with short lines, so that any server takes it as it is.
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    if logo is not None:
        _, page = message.iter_parts()
        page.add_related(logo.image, "image", logo.format, cid=f"<{LOGO_ID}>", disposition="inline")
    return message


def one_line(text: str) -> str:
    """``text`` as a header may hold it: names of databases are other people's words."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
