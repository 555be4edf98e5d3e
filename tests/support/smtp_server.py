"""A real SMTP server for tests, in a thread: TLS, passwords, refusals, and the ways of the world."""

import asyncio
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "mailer", "hunter2-of-mail"
FROM, ADMIN = "backups@example.com", "admin@example.com"


@dataclass(frozen=True)
class Certificates:
    certificate: Path
    key: Path
    authority: Path

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


@dataclass
class Behaviour:
    """What the server does out of the ordinary. Answers are whole lines, such as ``451 later``; empty: as usual."""

    sender: str = ""
    recipients: dict[str, str] = field(default_factory=dict)
    data: str = ""
    greylist: set[str] = field(default_factory=set)
    """Recipients that are taken at the second try."""
    silent: bool = False
    """Takes the data, and never answers."""
    cut: bool = False
    """Takes the data, then hangs up without an answer."""


class SmtpServer:
    """``tls``: offer STARTTLS; ``implicit``: TLS from the start; ``login``: refuse who does not log in."""

    def __init__(
        self,
        certificates: Certificates | None = None,
        *,
        implicit: bool = False,
        login: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.behaviour = Behaviour()
        self.received: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []
        self.logins: list[str] = []
        self.protocols: list[str | None] = []
        self.changed = threading.Condition()
        self._certificates, self._implicit, self._login, self.host = certificates, implicit, login, host
        context = certificates.context() if certificates else None
        settings: dict[str, Any] = {"auth_require_tls": False, "timeout": 60}
        if login:
            settings["authenticator"] = self._authenticate
        if implicit:
            settings["ssl_context"] = context
        elif context:
            settings["tls_context"] = context
        self._controller = _Controller(self, hostname=host, port=port, **settings)

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.behaviour.silent = False
        self._controller.stop()

    @property
    def port(self) -> int:
        listening = self._controller.server
        assert isinstance(listening, asyncio.Server)
        port: int = listening.sockets[0].getsockname()[1]
        return port

    def settings(self, **changes: str) -> Mapping[str, str]:
        """As they stand in an .env file."""
        values = {
            "SMTP_HOST": self.host,
            "SMTP_PORT": str(self.port),
            "SMTP_SECURE": "true" if self._implicit else "false",
            "FROM_EMAIL": f"Backups <{FROM}>",
            "ADMIN_EMAIL": ADMIN,
        }
        if self._login:
            values |= {"SMTP_USER": USER, "SMTP_PASSWORD": PASSWORD}
        if self._certificates:
            values["SMTP_CA"] = self._certificates.authority.read_text()
        return {name: value for name, value in {**values, **changes}.items() if value}

    def wait(self, count: int, seconds: float = 30) -> list[EmailMessage]:
        """At least so many mails."""
        with self.changed:
            got = self.changed.wait_for(lambda: len(self.received) >= count, seconds)
        subjects = [message["Subject"] for message in self.received]
        assert got, f"{len(self.received)} of {count} mails within {seconds} s: {subjects}"
        return list(self.received)

    def wait_for(self, subject: str, seconds: float = 30) -> EmailMessage:
        """The first mail with this in its subject."""

        def found() -> EmailMessage | None:
            return next((one for one in self.received if subject in one["Subject"]), None)

        with self.changed:
            mail = self.changed.wait_for(found, seconds)
        assert mail, f"no mail with {subject!r} within {seconds} s: {[one['Subject'] for one in self.received]}"
        return mail

    def settles(self, seconds: float) -> None:
        """Wait until no mail came for so long."""
        with self.changed:
            while self.changed.wait(seconds):
                pass

    def stays_at(self, count: int, seconds: float = 3) -> None:
        """No mail comes that is too many."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while (left := deadline - time.monotonic()) > 0 and len(self.received) <= count:
                self.changed.wait(left)
        assert len(self.received) == count, [message["Subject"] for message in self.received]

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        del server, session, envelope, mechanism
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        if good:
            self.logins.append(USER)
        # Some servers quote what they refuse.
        words = f"535 5.7.8 {data.password.decode()} is not for {data.login.decode()}" if not good else None
        return AuthResult(success=good, handled=False, message=words)

    # --- aiosmtpd's hooks ------------------------------------------------------------------------------------------

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server
        if self._login and not session.authenticated:
            return "530 5.7.0 Authentication required"
        if self.behaviour.sender:
            return self.behaviour.sender
        envelope.mail_from, envelope.mail_options = address, options
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session, options
        if address in self.behaviour.greylist:
            self.behaviour.greylist.discard(address)
            return "451 4.7.1 Greylisted, try again"
        if answer := self.behaviour.recipients.get(address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.behaviour.data:
            return self.behaviour.data
        assert isinstance(envelope.content, bytes)
        with self.changed:
            self.received.append(message_from_bytes(envelope.content, policy=default))
            self.envelopes.append(envelope)
            self.protocols.append(session.ssl["cipher"][1] if session.ssl else None)
            self.changed.notify_all()
        while self.behaviour.silent:  # noqa: ASYNC110 (told from another thread)
            await asyncio.sleep(0.05)
        if self.behaviour.cut:
            transport = server.transport
            assert isinstance(transport, asyncio.Transport)
            transport.abort()
        return "250 OK"


class _Controller(Controller):
    def _trigger_server(self) -> None:
        """aiosmtpd talks to itself to see that it listens, on the port that it was told: 0 is none."""
        wanted, listening = self.port, self.server
        assert isinstance(listening, asyncio.Server)
        self.port = listening.sockets[0].getsockname()[1]
        try:
            super()._trigger_server()  # type: ignore[no-untyped-call]
        finally:
            self.port = wanted
