"""Pages from templates, and the two files that they load: all of it our own, nothing from outside."""

from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from holdfast.domain.human import human_bytes, human_duration
from holdfast.resources.base import format_time
from holdfast.version import VERSION
from holdfast.web.dashboard.door import SECRET_FIELD, Visitor
from holdfast.web.dashboard.views.marks import words
from holdfast.web.dashboard.views.strip import moment

HEADERS = {
    # No script or style in the page itself: what somebody smuggles into a name is text, and nothing else.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    # Not no-referrer: a browser would then not say either that a form comes from here.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
FOR_EVER = "public, max-age=31536000, immutable"
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

_HERE = Path(__file__).parent


class StaticFiles:
    """Style, script and picture, in memory. Their path changes with them, so that browsers may keep them for ever."""

    def __init__(self) -> None:
        self._files = {path.name: path.read_bytes() for path in sorted((_HERE / "static").iterdir())}
        self.path = f"/static/{sha256(b''.join(self._files.values())).hexdigest()[:12]}"

    def answer(self, name: str) -> Response | None:
        """None if there is no such file."""
        content = self._files.get(name)
        if content is None:
            return None
        return Response(content, media_type=TYPES[Path(name).suffix], headers={"Cache-Control": FOR_EVER})


class Pages:
    """Fills templates. Every value is escaped: names and messages are other people's words."""

    def __init__(self, files: StaticFiles, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(static=files.path, version=VERSION, secret_field=SECRET_FIELD)
        self._environment.filters.update(
            bytes=human_bytes, span=human_duration, count="{:,}".format, moment=moment, wire=format_time, words=words
        )

    def page(
        self,
        template: str,
        visitor: Visitor | None,
        facts: Mapping[str, Any],
        status: HTTPStatus = HTTPStatus.OK,
    ) -> Response:
        """``visitor``: None where nobody has signed in."""
        text = self._environment.get_template(template).render({**facts, "visitor": visitor, "now": self._clock()})
        return Response(text, status_code=status, headers=HEADERS, media_type="text/html")
