"""Heartbeats over HTTP, to a real server."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from holdfast.errors import HookRefused, HookUnavailable, InvalidUri
from holdfast.hooks.ping import HttpPinger
from tests.support.certificate import make_certificate
from tests.support.fake_pinger import FakePinger
from tests.support.pinger_contract import PingerContract


class Hook:
    """An HTTP server that answers every GET with ``code``, after ``delay`` seconds."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.code, self.delay, self.heard = 200, 0.0, list[str]()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                time.sleep(hook.delay)
                if hook.code == 200:
                    hook.heard.append(self.path)
                self.send_response(hook.code)
                if hook.code == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._scheme = "https" if context else "http"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}/{PingerContract.SECRET}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    yield hook
    hook.stop()


@pytest.fixture
def pinger() -> HttpPinger:
    return HttpPinger(timeout_seconds=1)


class TestHttpPinger(PingerContract):
    @pytest.fixture
    def url(self, hook: Hook) -> str:
        return hook.url

    @pytest.fixture
    def heard(self, hook: Hook) -> Callable[[], Sequence[str]]:
        return lambda: hook.heard

    @pytest.fixture
    def refuse(self, hook: Hook) -> Callable[[bool], None]:
        def refuse(lasting: bool) -> None:
            hook.code = 404 if lasting else 503

        return refuse


class TestFakePinger(PingerContract):
    @pytest.fixture
    def pinger(self) -> FakePinger:
        return FakePinger()

    @pytest.fixture
    def url(self) -> str:
        return f"https://hc.example.com/{self.SECRET}"

    @pytest.fixture
    def heard(self, pinger: FakePinger) -> Callable[[], Sequence[str]]:
        return lambda: pinger.heard

    @pytest.fixture
    def refuse(self, pinger: FakePinger) -> Callable[[bool], None]:
        def refuse(lasting: bool) -> None:
            pinger.failing = lambda: HookRefused("no") if lasting else HookUnavailable("later")

        return refuse


def test_a_redirect_is_not_followed(hook: Hook, pinger: HttpPinger) -> None:
    hook.code = 302
    with pytest.raises(HookRefused, match="answers 302"):
        pinger.ping(hook.url)
    assert not hook.heard


def test_a_server_that_is_slow_is_left(hook: Hook, pinger: HttpPinger) -> None:
    hook.delay = 2
    with pytest.raises(HookUnavailable, match="in time"):
        pinger.ping(hook.url)


def test_nobody_listens(hook: Hook, pinger: HttpPinger) -> None:
    url = hook.url
    hook.stop()
    with pytest.raises(HookUnavailable, match=r"127\.0\.0\.1 cannot be reached: Connection refused"):
        pinger.ping(url)


def test_a_certificate_of_a_stranger_is_not_taken(tmp_path: Path, pinger: HttpPinger) -> None:
    certificate, key, _ = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    hook = Hook(context)
    try:
        with pytest.raises(HookUnavailable, match="certificate is not good") as caught:
            pinger.ping(hook.url)
        assert PingerContract.SECRET not in str(caught.value)
        assert not hook.heard
    finally:
        hook.stop()


@pytest.mark.parametrize(
    "url",
    ["http://", "https://a b/", "http://x\r\nHost: y/", "http://[::1", "http://x:0/", "http://x:99999/", "http://ö/"],
)
def test_what_cannot_be_a_url_is_said(url: str, pinger: HttpPinger) -> None:
    with pytest.raises(InvalidUri):
        pinger.ping(url)
