"""The browser of the tests sees what people would see."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.browser import DESKTOP, PHONE, browser, picture, sticking_out, window

_HEAD = '<meta name="viewport" content="width=device-width">'
_WIDE = f'{_HEAD}<div style="width:400px">too wide</div>'


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


def test_it_tells_what_sticks_out_of_a_phone(chromium: Browser) -> None:
    with window(chromium, PHONE) as page:
        page.set_content(_WIDE)
        assert sticking_out(page) == ["div too wide: 408 of 320 px"]


def test_the_same_fits_on_a_desk(chromium: Browser) -> None:
    with window(chromium, DESKTOP) as page:
        page.set_content(_WIDE)
        assert sticking_out(page) == []


def test_what_is_cut_off_sticks_out_and_what_scrolls_does_not(chromium: Browser) -> None:
    with window(chromium, PHONE) as page:
        for overflow, found in (("hidden", 1), ("auto", 0)):
            page.set_content(f'{_HEAD}<div style="overflow-x:{overflow}"><p style="width:400px">wide</p></div>')
            assert len(sticking_out(page)) == found


def test_it_prefers_what_it_is_told_to(chromium: Browser) -> None:
    for scheme in ("light", "dark"):
        with window(chromium, scheme=scheme) as page:
            assert page.evaluate(f"matchMedia('(prefers-color-scheme: {scheme})').matches")


def test_a_picture_is_as_tall_as_the_page(chromium: Browser, tmp_path: Path) -> None:
    with window(chromium, PHONE) as page:
        page.set_content(f'{_HEAD}<body style="margin:0"><div style="height:1000px">tall</div>')
        header = picture(page, tmp_path / "pictures" / "tall.png").read_bytes()[:24]
    # The size of a PNG, in pixels of a sharp screen.
    assert [int.from_bytes(header[at : at + 4], "big") for at in (16, 20)] == [640, 2000]
