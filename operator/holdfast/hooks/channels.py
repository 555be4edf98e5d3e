"""Messages to services such as Slack, Teams or PagerDuty, by Apprise. The URL is as secret as a password: no message
holds more of it than the name of its service, and Apprise itself logs nothing.

A policy's author chooses the URL, and this process calls it. So it is bounded here: HTTPS with a certificate that is
checked, by POST, to services that the operator allows, without redirects, without files, in bounded time; and of the
answer nobody learns more than whether it was good.
"""

import logging
from collections.abc import Callable, Collection
from typing import Any

from apprise import Apprise, AppriseAsset, AppriseAttachment, NotifyBase, NotifyFormat, NotifyType

from holdfast.domain.channels import SCHEMES
from holdfast.errors import HookUnavailable, InvalidUri
from holdfast.ports import Letter
from holdfast.version import VERSION

CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
URL_LIMIT = 4096

Write = Callable[[Letter], tuple[str, str]]
"""A letter's subject and text."""

_TYPES = {"good": NotifyType.SUCCESS, "partial": NotifyType.WARNING, "bad": NotifyType.FAILURE}


class AppriseMessenger:
    """Implements :class:`holdfast.ports.Messenger`. ``schemes``: what the operator allows."""

    def __init__(self, write: Write, schemes: Collection[str] = SCHEMES) -> None:
        self._write, self._schemes = write, frozenset(schemes)
        logging.getLogger("apprise").disabled = True  # it quotes URLs, and what services answer

    def service(self, url: str) -> str:
        return str(self._open(url).service_name)

    def send(self, url: str, letter: Letter) -> None:
        service = self._open(url)
        subject, text = self._write(letter)
        kind = _TYPES.get(str(letter.facts.get("outcome")), NotifyType.INFO)
        try:
            taken = service.notify(body=text, title=subject, notify_type=kind, body_format=NotifyFormat.TEXT)
        except Exception as error:  # noqa: BLE001 (what each of the services may raise is told nowhere)
            # Its words may quote the URL.
            raise HookUnavailable(f"{service.service_name} cannot be told ({type(error).__name__}).") from None
        if not taken:
            raise HookUnavailable(
                f"{service.service_name} did not take the message.", hint="Check the URL in the Secret."
            )

    def _open(self, url: str) -> NotifyBase:
        scheme, colon, _ = url.partition("://")
        scheme = scheme.lower()
        # Services have web addresses of their own, which Apprise knows; it makes no call for them.
        if not colon or len(url) > URL_LIMIT or not url.isprintable() or scheme not in {*self._schemes, "https"}:
            raise InvalidUri("The URL names no channel that this operator allows.", hint=self._hint())
        asset = AppriseAsset(app_id="Holdfast", app_desc=f"Holdfast {VERSION}", http_redirects=False, async_mode=False)
        service = Apprise.instantiate(url, asset=asset)
        if service is None:
            raise InvalidUri("The URL is none that Apprise understands.", hint=self._hint())
        if not _schemes_of(service) & self._schemes:
            raise InvalidUri(f"This operator allows no channel to {service.service_name}.", hint=self._hint())
        if _loads_files(service) or getattr(service, "method", "POST") != "POST":
            raise InvalidUri("The URL of a channel has no template, no attachment and no method of its own.")
        service.verify_certificate, service.redirects = True, False
        service.socket_connect_timeout, service.socket_read_timeout = CONNECT_SECONDS, READ_SECONDS
        service.retry, service.wait = 0, 0.0
        return service

    def _hint(self) -> str:
        return f"It begins with one of {', '.join(sorted(self._schemes))}." if self._schemes else "It allows none."


def _schemes_of(service: NotifyBase) -> set[str]:
    """Only those that are encrypted."""
    found: Any = service.secure_protocol
    return {found} if isinstance(found, str) else set(found or ())


def _loads_files(service: NotifyBase) -> bool:
    """Whether it would read a file of this process, or call a second URL."""
    return any(isinstance(value, AppriseAttachment) and len(value) for value in vars(service).values())
