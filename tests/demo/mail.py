"""The demo's mail: a real SMTP server that keeps what it gets as files, to be opened in a browser."""

from pathlib import Path
from types import TracebackType
from typing import Self

from playwright.sync_api import Error as PlaywrightError

from tests.demo.console import DemoError, say
from tests.support.browser import BrowserError, browser, picture, window
from tests.support.smtp_server import SmtpServer


class MailBox:
    """Listens on ``host`` while it is entered; ``folder`` is emptied first."""

    def __init__(self, host: str, folder: Path) -> None:
        self.host, self._folder = host, folder
        self._server = SmtpServer(host=host)

    def __enter__(self) -> Self:
        self._server.__enter__()
        self._folder.mkdir(parents=True, exist_ok=True)
        for old in self._folder.iterdir():
            old.unlink()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, trace)

    @property
    def port(self) -> int:
        return self._server.port

    def show(self, runs: int) -> None:
        """Print the mails about so many runs, and keep them. Two runs that end together may share one."""
        try:
            self._server.wait(1, 60)
            self._server.settles(5)
        except AssertionError as error:
            raise DemoError(f"No mail came about {runs} runs: {error}") from error
        for number, message in enumerate(self._server.received, 1):
            text, html = message.get_body(("plain",)), message.get_body(("html",))
            if text is None or html is None:
                raise DemoError("A mail came without text or without HTML.")
            say(f"Mail to {message['To']}: {message['Subject']}")
            if number == 1:
                say("".join(f"  | {line}\n" for line in text.get_content().splitlines()))
            path = self._folder / f"mail-{number}.html"
            path.write_text(html.get_content(), encoding="utf-8")
            path.with_suffix(".eml").write_bytes(message.as_bytes())
            say(f"It lies in {path}")
        self._picture()

    def _picture(self) -> None:
        """What each looks like. The demo goes on without, where this machine has no browser."""
        try:
            with browser() as opened:
                for page_path in sorted(self._folder.glob("mail-*.html")):
                    with window(opened) as page:
                        page.set_content(page_path.read_text(encoding="utf-8"))
                        say(f"As people see it: {picture(page, page_path.with_suffix('.png'))}")
        except (BrowserError, PlaywrightError) as error:
            say(f"There is no picture of it: {error}")
