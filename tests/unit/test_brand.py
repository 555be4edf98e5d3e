"""Mails present themselves by name, colour, link and logo, and load nothing for it."""

import re
from base64 import b64encode
from email.message import EmailMessage

import pytest

from holdfast.domain.mail_settings import Sender
from holdfast.errors import InvalidSpec
from holdfast.mail.brand import LOGO_ID, LOGO_LIMIT, Brand, read_logo
from holdfast.mail.render import Renderer
from tests.support.letters import PIXEL, letters


def rendered(brand: Brand) -> EmailMessage:
    return Renderer(brand).render(letters()["backup_success"], Sender("backups@example.com"))


def html_of(message: EmailMessage) -> str:
    body = message.get_body(("html",))
    assert body is not None
    return str(body.get_content())


def test_a_name_a_colour_and_a_link_are_shown() -> None:
    message = rendered(Brand("Ops of <Shop>", "#123456", "https://holdfast.example.com/"))
    html = html_of(message)
    assert "Ops of &lt;Shop&gt;" in html
    assert 'href="https://holdfast.example.com/"' in html
    assert "#123456" in html
    text = message.get_body(("plain",))
    assert text is not None
    assert "https://holdfast.example.com/" in text.get_content()


def test_a_logo_travels_inside_of_the_mail() -> None:
    message = rendered(Brand(logo=read_logo(b64encode(PIXEL).decode())))
    [logo] = [part for part in message.walk() if part.get_content_maintype() == "image"]
    assert (logo.get_content(), logo.get_content_type()) == (PIXEL, "image/png")
    assert logo["Content-ID"] == f"<{LOGO_ID}>"
    assert logo.get_content_disposition() == "inline"
    assert re.findall(r'src="([^"]*)"', html_of(message)) == [f"cid:{LOGO_ID}"]


def test_without_a_logo_there_is_no_image() -> None:
    message = rendered(Brand(logo=read_logo(" \n")))
    assert "<img" not in html_of(message)
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("%%%", "no Base64"),
        (b64encode(b"<svg onload='alert(1)'>").decode(), "no PNG, JPEG or GIF"),
        (b64encode(PIXEL + bytes(LOGO_LIMIT)).decode(), "has 49"),
    ],
)
def test_what_mail_programs_do_not_show_is_refused(text: str, words: str) -> None:
    with pytest.raises(InvalidSpec, match=words):
        read_logo(text)


@pytest.mark.parametrize(
    ("colour", "in_the_dark"), [("#1f5fa8", "#628fc2"), ("#000000", "#8c8c8c"), ("#ffffff", "#ffffff")]
)
def test_a_link_can_be_read_in_the_dark_too(colour: str, in_the_dark: str) -> None:
    assert Brand(colour=colour).dark_colour == in_the_dark
