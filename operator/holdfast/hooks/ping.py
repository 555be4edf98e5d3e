"""A GET to a URL that a Secret holds. The URL is as secret as a password: no message holds more of it than its host."""

import http.client
import ssl
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from holdfast.errors import HookRefused, HookUnavailable, InvalidUri
from holdfast.version import VERSION

TIMEOUT_SECONDS = 10.0

_HINT = "The form is https://example.com/path."


class HttpPinger:
    """The Pinger port over HTTP. It follows no redirect: who owns the URL may say where it is."""

    def __init__(self, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._timeout = timeout_seconds
        self._opener = urllib.request.build_opener(_NoRedirects)

    def ping(self, url: str) -> None:
        host = _host(url)
        request = urllib.request.Request(url, headers={"User-Agent": f"holdfast/{VERSION}"})  # noqa: S310
        try:
            with self._opener.open(request, timeout=self._timeout):
                return
        except urllib.error.HTTPError as error:
            with error:
                code = error.code
            if code == 429 or code >= 500:
                raise HookUnavailable(f"{host} answers {code}.") from None
            raise HookRefused(f"{host} answers {code}.", hint="Check the URL in the Secret.") from None
        except (OSError, http.client.HTTPException) as error:
            raise HookUnavailable(f"{host} cannot be reached: {_why(error)}.") from None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and url.isprintable()
    except ValueError:
        good = False
    if not good or " " in url or not url.isascii():
        raise InvalidUri("The URL is none that can be called.", hint=_HINT)
    return str(parts.hostname)


def _why(error: Exception) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, TimeoutError):
        return "it does not answer in time"
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate is not good ({reason.verify_message})"
    strerror = reason.strerror if isinstance(reason, OSError) else None
    return (strerror or type(reason).__name__).rstrip(".")
