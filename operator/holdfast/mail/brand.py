"""How mails present themselves: a name, a colour, a link and a logo, all of it inside of the mail."""

import binascii
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass, field

from holdfast.errors import InvalidSpec

LOGO_LIMIT = 48 * 1024
"""Bytes. It travels with every mail."""
LOGO_ID = "logo@holdfast"
"""By which the HTML of a mail names the part of it that is the logo: many mail programs show no other kind of image."""
DARK_CARD = "#1e232b"
READABLE = 4.5
"""The contrast that WCAG asks of text."""

_FORMATS = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif"}


@dataclass(frozen=True)
class Logo:
    """An image as a mail carries it. ``format``: png, jpeg or gif."""

    image: bytes = field(repr=False)
    format: str


@dataclass(frozen=True)
class Brand:
    """``link`` leads to a dashboard, or is empty."""

    name: str = "Holdfast"
    colour: str = "#1f5fa8"
    link: str = ""
    logo: Logo | None = None

    @property
    def dark_colour(self) -> str:
        """The colour in the dark: as much lighter as it takes to be read there."""
        red, green, blue = _channels(self.colour)
        for step in range(21):
            mixed = [round(value + (255 - value) * step / 20) for value in (red, green, blue)]
            if _contrast(mixed, _channels(DARK_CARD)) >= READABLE:
                break
        return "#" + "".join(f"{value:02x}" for value in mixed)


def read_logo(text: str) -> Logo | None:
    """The logo in Base64; None where there is none. InvalidSpec if it is no image that a mail can carry."""
    if not text.strip():
        return None
    try:
        image = b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        raise InvalidSpec("The logo of mails is no Base64.", hint="Give the output of: base64 logo.png") from None
    found = next((name for magic, name in _FORMATS.items() if image.startswith(magic)), None)
    if found is None:
        raise InvalidSpec("The logo of mails is no PNG, JPEG or GIF.", hint="Mail programs show no other.")
    if len(image) > LOGO_LIMIT:
        raise InvalidSpec(f"The logo of mails has {len(image)} bytes.", hint=f"It may have {LOGO_LIMIT}.")
    return Logo(image, found)


def _channels(colour: str) -> Sequence[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def _contrast(one: Sequence[int], other: Sequence[int]) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(channels: Sequence[int]) -> float:
    shares = [value / 255 for value in channels]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return sum(weight * share for weight, share in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
