"""How mails look in a real browser, on a phone and on a desk, by day and by night.

HOLDFAST_PICTURES=FOLDER keeps a picture of each.
"""

import os
from base64 import b64encode
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route

from holdfast.domain.mail_settings import Sender
from holdfast.mail.brand import LOGO_ID, Brand, Logo
from holdfast.mail.render import Renderer
from tests.support.browser import DESKTOP, PHONE, SCHEMES, browser, picture, sticking_out, window
from tests.support.letters import PIXEL, letters

LETTERS = letters()
_SIZES = {"phone": PHONE, "desktop": DESKTOP}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


def html_of(message: EmailMessage) -> str:
    body = message.get_body(("html",))
    assert body is not None
    return str(body.get_content())


@pytest.mark.parametrize("size", sorted(_SIZES))
@pytest.mark.parametrize("template", sorted(LETTERS))
def test_nobody_has_to_scroll_sideways_and_nothing_is_loaded(chromium: Browser, template: str, size: str) -> None:
    html = html_of(Renderer().render(LETTERS[template], Sender("backups@example.com")))
    assert looked_at(chromium, html, f"{template}-{size}", size) == []


@pytest.mark.parametrize("size", sorted(_SIZES))
def test_a_brand_of_ones_own_is_shown_with_its_logo(chromium: Browser, size: str) -> None:
    brand = Brand("Operations", "#7a1fa8", "https://holdfast.example.com/backups", Logo(PIXEL, "png"))
    html = html_of(Renderer(brand).render(LETTERS["backup_success"], Sender("backups@example.com")))
    # A mail program puts the part of the mail there.
    inline = html.replace(f"cid:{LOGO_ID}", f"data:image/png;base64,{b64encode(PIXEL).decode()}")
    assert looked_at(chromium, inline, f"brand-{size}", size) == []


def looked_at(chromium: Browser, html: str, name: str, size: str) -> list[str]:
    """What is asked of the network."""
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    with window(chromium, _SIZES[size]) as page:
        page.route("**/*", refuse)
        page.set_content(html)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            assert sticking_out(page) == []
            if folder := os.environ.get("HOLDFAST_PICTURES"):
                picture(page, Path(folder) / f"{name}-{scheme}.png")
    return asked
