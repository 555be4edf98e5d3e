"""Letters over SMTP: TLS wherever it can be had, certificates checked, each try bounded in time."""

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from smtplib import (
    SMTP,
    SMTP_SSL,
    SMTPAuthenticationError,
    SMTPException,
    SMTPHeloError,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)
from threading import Timer
from typing import Any

from holdfast.domain.mail_settings import MailServer
from holdfast.errors import AuthenticationFailed, HoldfastError, InvalidMailSettings, MailRefused, MailUnavailable
from holdfast.mail.render import Renderer, one_line
from holdfast.ports import Letter

ANSWER_SECONDS = 30.0
"""For one answer of the server. RFC 5321 would allow minutes; a mail that is late is tried again."""
TOTAL_SECONDS = 90.0

WORDS_LIMIT = 300

_APP_PASSWORD = {
    "gmail": "Gmail takes an app password only, not that of the account.",
    "google": "Google takes an app password only, not that of the account.",
    "office365": "Allow authenticated SMTP for this mailbox, or use an app password.",
    "outlook": "Outlook takes an app password only, not that of the account.",
    "sendgrid": "The user is the word apikey, the password is the API key.",
    "mailgun": "The user is an SMTP user of the domain, such as postmaster@mg.example.com.",
}


class SmtpMailer:
    """The Mailer port over SMTP."""

    def __init__(
        self,
        renderer: Renderer | None = None,
        *,
        answer_seconds: float = ANSWER_SECONDS,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._renderer = renderer or Renderer()
        self._answer, self._total = answer_seconds, total_seconds

    def faults(self, own: Mapping[str, str]) -> Mapping[str, str]:
        return self._renderer.faults(own)

    def send(self, server: MailServer, letter: Letter) -> str:
        message, fault = self._renderer.compose(letter, server.sender)
        with _translated(server, letter.to), self._connection(server) as connection:
            if server.user:
                connection.login(server.user, server.password)
            connection.send_message(message, server.sender.address, [letter.to])
        return fault

    @contextmanager
    def _connection(self, server: MailServer) -> Iterator[SMTP]:
        with _Guard(self._total) as guard:
            try:
                connection = self._connect(server, guard)
                try:
                    connection.ehlo_or_helo_if_needed()
                    if not server.implicit_tls:
                        self._start_tls(connection, server)
                    yield connection
                    # The mail is taken: what becomes of the farewell does not matter.
                    with suppress(SMTPException, OSError):
                        connection.quit()
                finally:
                    connection.close()
            except (SMTPException, OSError):
                if guard.over:
                    raise MailUnavailable(f"{_name(server)} took longer than {self._total:.0f} s.") from None
                raise

    def _connect(self, server: MailServer, guard: "_Guard") -> SMTP:
        own = socket.gethostname()
        # As smtplib does, but without a look into the DNS, which nothing bounds in time.
        name = own if "." in own else "[127.0.0.1]"
        if server.implicit_tls:
            return _Secure(guard, server.host, server.port, name, timeout=self._answer, context=_context(server))
        return _Plain(guard, server.host, server.port, name, timeout=self._answer)

    @staticmethod
    def _start_tls(connection: SMTP, server: MailServer) -> None:
        if connection.has_extn("starttls"):
            connection.starttls(context=_context(server))
            connection.ehlo()
        elif server.user:
            raise InvalidMailSettings(
                f"{_name(server)} does not offer STARTTLS, so the password is not sent to it.",
                hint="Set SMTP_SECURE=true and the port of TLS (465 as a rule).",
            )


def _context(server: MailServer) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=server.authority or None)
    except (ssl.SSLError, ValueError) as error:
        raise InvalidMailSettings("SMTP_CA holds no certificates.", hint="Give them as PEM.") from error


class _Guard:
    """Cuts a connection that takes too long in all, however promptly the server sends its next byte."""

    def __init__(self, seconds: float) -> None:
        self.over = False
        self._connection: SMTP | None = None
        self._timer = Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> "_Guard":
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def watch(self, connection: SMTP) -> None:
        self._connection = connection

    def _cut(self) -> None:
        self.over = True
        sock = getattr(self._connection, "sock", None)
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


class _Plain(SMTP):
    """Under guard before it connects: smtplib waits for the greeting while it is constructed."""

    def __init__(self, guard: _Guard, *arguments: Any, **options: Any) -> None:
        guard.watch(self)
        super().__init__(*arguments, **options)


class _Secure(SMTP_SSL):
    """The same with TLS from the start."""

    def __init__(self, guard: _Guard, *arguments: Any, **options: Any) -> None:
        guard.watch(self)
        super().__init__(*arguments, **options)


@contextmanager
def _translated(server: MailServer, to: str) -> Iterator[None]:
    """What smtplib and the network raise, as errors of ours."""
    try:
        yield
    except (SMTPException, OSError) as error:
        raise _error(error, server, to) from None


def _error(error: Exception, server: MailServer, to: str) -> HoldfastError:
    if isinstance(error, SMTPRecipientsRefused):
        code, words = next(iter(error.recipients.values()))
        return _answer(code, _words(words, server), f"{_name(server)} does not take mail for {to}", server)
    if isinstance(error, SMTPAuthenticationError):
        return _login_refused(error, server)
    if isinstance(error, SMTPSenderRefused):
        said = _words(error.smtp_error, server)
        if _lasting(error.smtp_code):
            return InvalidMailSettings(
                f"{_name(server)} does not let us send as {server.sender.address}: {said}",
                hint="Set FROM_EMAIL to an address that this user may send as, and SMTP_USER where it asks for one.",
            )
        return _answer(error.smtp_code, said, f"{_name(server)} does not take mail from us now", server)
    if isinstance(error, SMTPHeloError):
        return MailUnavailable(f"{_name(server)} does not greet us: {_words(error.smtp_error, server)}")
    if isinstance(error, SMTPResponseException):
        return _answer(error.smtp_code, _words(error.smtp_error, server), f"{_name(server)} does not take it", server)
    if isinstance(error, SMTPNotSupportedError):
        return InvalidMailSettings(
            f"{_name(server)} takes no user and password.", hint="Leave SMTP_USER and SMTP_PASSWORD out."
        )
    if isinstance(error, SMTPServerDisconnected):
        if "timed out" in str(error):  # smtplib hides the time-out of an answer in this
            return MailUnavailable(f"{_name(server)} does not answer in time.")
        return MailUnavailable(f"{_name(server)} closed the connection.", hint="Check SMTP_PORT and SMTP_SECURE.")
    return _network(error, server)


def _login_refused(error: SMTPAuthenticationError, server: MailServer) -> HoldfastError:
    said = _words(error.smtp_error, server)
    if not _lasting(error.smtp_code):
        return MailUnavailable(f"{_name(server)} cannot check the password now: {said}")
    known = (hint for part, hint in _APP_PASSWORD.items() if part in server.host.lower())
    hint = next(known, "Check SMTP_USER and SMTP_PASSWORD.")
    return AuthenticationFailed(f"{_name(server)} refused the user or the password: {said}", hint=hint)


def _network(error: Exception, server: MailServer) -> HoldfastError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return InvalidMailSettings(
            f"The certificate of {_name(server)} is not good: {error.verify_message}.",
            hint="SMTP_HOST must be the name in the certificate; SMTP_CA names an authority of your own.",
        )
    if isinstance(error, ssl.SSLError):
        return InvalidMailSettings(
            f"No TLS with {_name(server)}: {error.reason or 'it speaks something else'}.",
            hint="SMTP_SECURE is true for TLS from the start (465), false for STARTTLS (587).",
        )
    if isinstance(error, socket.gaierror):
        return MailUnavailable(f"The name {server.host} is not known.", hint="Check SMTP_HOST.")
    if isinstance(error, TimeoutError):
        return MailUnavailable(f"{_name(server)} does not answer in time.", hint="Check SMTP_HOST and SMTP_PORT.")
    if isinstance(error, OSError) and error.strerror:
        hint = "Check SMTP_HOST and SMTP_PORT, and what a firewall lets through."
        return MailUnavailable(f"{_name(server)} cannot be reached: {error.strerror}.", hint=hint)
    return MailUnavailable(f"{_name(server)} broke off the conversation ({type(error).__name__}).")


def _answer(code: int, said: str, fault: str, server: MailServer) -> HoldfastError:
    del server
    message = f"{fault}: {said}"
    return MailRefused(message) if _lasting(code) else MailUnavailable(message)


def _lasting(code: int) -> bool:
    # 421 and its like: later. A server that says a password is needed (530) means our settings, but so do few.
    return 500 <= code <= 599


def _name(server: MailServer) -> str:
    return f"Mail server {server}"


def _words(said: bytes | str, server: MailServer) -> str:
    """The server's words, as one short sentence that holds no password, should it quote one."""
    text = one_line(said.decode("utf-8", "replace") if isinstance(said, bytes) else said)
    for secret in (server.password, server.user):
        if len(secret) > 3:
            text = text.replace(secret, "…")
    text = text[:WORDS_LIMIT] or "it gives no reason"
    return text if text.endswith((".", "!", "?")) else f"{text}."
