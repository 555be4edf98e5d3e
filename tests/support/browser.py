"""A real browser for the tests, Debian's Chromium: pages and mails as people see them, and pictures of them."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from tests.cluster.errors import ClusterError
from tests.cluster.layout import layout
from tests.cluster.packages import install

# With fonts that are the same wherever the tests run, so that a width means something.
_PACKAGES = ("chromium", "fonts-dejavu-core", "fonts-liberation")
# It talks to nobody but the page under test.
_QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
PHONE = (320, 640)
DESKTOP = (1280, 800)
Scheme = Literal["light", "dark"]
SCHEMES: Sequence[Scheme] = ("light", "dark")

# What reaches over the right edge of the window, as short descriptions. A box that scrolls by itself, or says by three
# dots that there is more, may hold what is wider; one that only cuts off may not.
_STICKING_OUT = """() => {
  const width = document.documentElement.clientWidth;
  const scrolls = (box) => {
    for (let outer = box.parentElement; outer && outer !== document.body; outer = outer.parentElement) {
      const { overflowX, textOverflow } = getComputedStyle(outer);
      if (["auto", "scroll"].includes(overflowX) || textOverflow === "ellipsis") return true;
    }
    return false;
  };
  const name = (box) => `${box.tagName.toLowerCase()} ${(box.textContent || "").trim().slice(0, 40)}`;
  const boxes = [...document.body.querySelectorAll("*")]
    .filter((box) => box.getBoundingClientRect().right > width + 0.5 && !scrolls(box))
    .map((box) => `${name(box)}: ${Math.round(box.getBoundingClientRect().right)} of ${width} px`);
  const wide = document.documentElement.scrollWidth;
  return wide > width && !boxes.length ? [`the page: ${wide} of ${width} px`] : boxes;
}"""


class BrowserError(Exception):
    """There is no browser; the message says what to install."""


def chromium() -> Path:
    """The program, installed on first use where this may be done. BrowserError if it cannot be had."""
    if own := os.environ.get("HOLDFAST_CHROMIUM"):
        return Path(own)
    if _missing():
        _install()
    return Path(shutil.which("chromium") or "/usr/bin/chromium")


@contextmanager
def browser() -> Iterator[Browser]:
    """A Chromium without a window, for as long as the block lasts.

    Its client keeps an event loop running in this thread meanwhile: a fixture of a session would break every later
    test that runs one, so let a fixture of a module hold it.
    """
    root = ("--no-sandbox",) if os.geteuid() == 0 else ()
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(), args=[*_QUIET, *root])
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def window(opened: Browser, size: tuple[int, int] = DESKTOP, scheme: Scheme = "light") -> Iterator[Page]:
    """An empty page of its own: no cookies or storage of another. A phone's has a touch screen and sharp pixels."""
    phone = size[0] <= PHONE[0]
    context = opened.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        device_scale_factor=2 if phone else 1,
        has_touch=phone,
        is_mobile=phone,
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="Etc/UTC",
    )
    try:
        yield context.new_page()
    finally:
        context.close()


def sticking_out(page: Page) -> Sequence[str]:
    """What reaches over the right edge, each with its place; empty where nothing does."""
    found: list[str] = page.evaluate(_STICKING_OUT)
    return found


def picture(page: Page, path: Path) -> Path:
    """The whole page, from top to bottom, as a PNG at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path, full_page=True, animations="disabled")
    return path


def _missing() -> Sequence[str]:
    return () if shutil.which("chromium") else _PACKAGES


def _install() -> None:
    needs = f"Chromium is needed: install the Debian packages {' '.join(_PACKAGES)}, or set HOLDFAST_CHROMIUM."
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise BrowserError(needs)
    try:
        install(layout(), _missing, "chromium")
    except ClusterError as problem:
        raise BrowserError(f"{needs} {problem}") from problem
