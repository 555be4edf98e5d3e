"""Messages to a real server over TLS, by Apprise."""

import json
import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from apprise.plugins import N_MGR

from holdfast.domain.channels import SCHEMES
from holdfast.errors import HookUnavailable, InvalidUri
from holdfast.hooks import channels
from holdfast.hooks.channels import AppriseMessenger
from holdfast.mail.render import Renderer
from tests.support.certificate import make_certificate
from tests.support.fake_messenger import FakeMessenger
from tests.support.letters import letters
from tests.support.messenger_contract import MessengerContract

SLACK = "T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
SECRET = MessengerContract.SECRET


class Webhook:
    """An HTTPS server that takes JSON, and answers with ``code`` after ``delay`` seconds."""

    def __init__(self, folder: Path) -> None:
        self.code, self.delay = 200, 0.0
        self.heard: list[dict[str, Any]] = []
        self.asked: list[str] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                time.sleep(hook.delay)
                hook.asked.append(self.path)
                text = self.rfile.read(int(self.headers["Content-Length"]))
                if hook.code == 200:
                    hook.heard.append(json.loads(text))
                self.send_response(hook.code)
                if hook.code == 307:
                    self.send_header("Location", "/elsewhere")
                answer = SECRET.encode()
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                with suppress(OSError):  # it may have gone
                    self.wfile.write(answer)

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        certificate, key, self.authority = make_certificate(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"jsons://app:{SECRET}@127.0.0.1:{self._server.server_address[1]}/{SECRET}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    hook = Webhook(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(hook.authority))
    yield hook
    hook.stop()


@pytest.fixture
def messenger() -> AppriseMessenger:
    return AppriseMessenger(Renderer().text)


class TestAppriseMessenger(MessengerContract):
    @pytest.fixture
    def url(self, hook: Webhook) -> str:
        return hook.url

    @pytest.fixture
    def heard(self, hook: Webhook) -> Callable[[], Sequence[object]]:
        return lambda: hook.heard

    @pytest.fixture
    def refuse(self, hook: Webhook) -> Callable[[], None]:
        def refuse() -> None:
            hook.code = 403

        return refuse


class TestFakeMessenger(MessengerContract):
    @pytest.fixture
    def messenger(self) -> FakeMessenger:
        return FakeMessenger()

    @pytest.fixture
    def url(self) -> str:
        return f"jsons://{SECRET}/"

    @pytest.fixture
    def heard(self, messenger: FakeMessenger) -> Callable[[], Sequence[object]]:
        return lambda: messenger.sent

    @pytest.fixture
    def refuse(self, messenger: FakeMessenger) -> Callable[[], None]:
        def refuse() -> None:
            messenger.failing = lambda _: HookUnavailable("no")

        return refuse


def test_a_message_is_the_text_of_the_mail(hook: Webhook, messenger: AppriseMessenger) -> None:
    messenger.send(hook.url, letters()["backup_failure"])
    [heard] = hook.heard
    assert heard["title"] == "Backup of timetrack FAILED (24 times) (team/timetrack)"
    assert heard["type"] == "failure"
    assert "The database db.example.org:27017 does not answer." in heard["message"]
    assert "<" not in heard["message"]


def test_a_certificate_that_is_not_good_is_not_trusted_whatever_the_url_says(
    hook: Webhook, messenger: AppriseMessenger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(HookUnavailable):
        messenger.send(f"{hook.url}?verify=no", letters()["test"])
    assert not hook.asked


def test_a_redirect_is_not_followed_whatever_the_url_says(hook: Webhook, messenger: AppriseMessenger) -> None:
    hook.code = 307
    with pytest.raises(HookUnavailable):
        messenger.send(f"{hook.url}?redirect=yes", letters()["test"])
    assert hook.asked == [f"/{SECRET}"]


def test_a_slow_service_is_left_after_our_time_not_that_of_the_url(
    hook: Webhook, messenger: AppriseMessenger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "READ_SECONDS", 0.2)
    hook.delay = 2
    begin = time.monotonic()
    with pytest.raises(HookUnavailable):
        messenger.send(f"{hook.url}?rto=60&retry=5", letters()["test"])
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize(
    "url",
    [
        f"slack://{SLACK}/?template=/etc/passwd",
        f"slack://{SLACK}/?Template=http://169.254.169.254/",
        "jsons://localhost/?method=DELETE",
        "json://localhost/",
        "https://example.com/hook",
        "https://" + "a" * 5000,
        f"slack://{SLACK}/\n",
    ],
)
def test_a_url_that_reads_files_or_calls_in_another_way_is_refused(messenger: AppriseMessenger, url: str) -> None:
    with pytest.raises(InvalidUri):
        messenger.service(url)


def test_the_web_address_of_a_service_is_understood(messenger: AppriseMessenger) -> None:
    assert messenger.service(f"https://hooks.slack.com/services/{SLACK}") == "Slack"


def test_what_the_operator_does_not_allow_is_refused() -> None:
    messenger = AppriseMessenger(Renderer().text, ("discord",))
    for url in (f"slack://{SLACK}", f"https://hooks.slack.com/services/{SLACK}"):
        with pytest.raises(InvalidUri, match="discord"):
            messenger.service(url)


def test_each_scheme_that_is_allowed_is_one_of_apprise_and_encrypted() -> None:
    for scheme in SCHEMES:
        secure = N_MGR[scheme].secure_protocol
        assert scheme in ((secure,) if isinstance(secure, str) else secure)


def test_nothing_is_logged(hook: Webhook, messenger: AppriseMessenger, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for code in (200, 500):
        hook.code = code
        try:
            messenger.send(hook.url, letters()["test"])
        except HookUnavailable:
            assert code == 500
    with pytest.raises(InvalidUri):
        messenger.service(f"slack://{SECRET}")
    assert not [record for record in caplog.records if record.name.startswith("apprise")]
