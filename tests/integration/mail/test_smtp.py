"""Letters over SMTP, to a real server: what arrives, and what is said when nothing does."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from holdfast.domain.mail_settings import MailServer, Sender, read_mail_settings
from holdfast.errors import AuthenticationFailed, HoldfastError, InvalidMailSettings, MailRefused, MailUnavailable
from holdfast.mail.smtp import SmtpMailer
from tests.support.certificate import make_certificate
from tests.support.fake_mailer import FakeMailer
from tests.support.mailer_contract import MailerContract, letter
from tests.support.smtp_server import ADMIN, FROM, PASSWORD, Certificates, SmtpServer

TO = "admin@example.com"


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(*make_certificate(tmp_path_factory.mktemp("certificates")))


@pytest.fixture
def smtp(certificates: Certificates) -> Iterator[SmtpServer]:
    """STARTTLS and a password, as at most providers."""
    with SmtpServer(certificates, login=True) as running:
        yield running


@pytest.fixture
def mailer() -> SmtpMailer:
    return SmtpMailer(answer_seconds=2, total_seconds=4)


def told(smtp: SmtpServer, **changes: str) -> MailServer:
    server = read_mail_settings(smtp.settings(**changes), "the test").server
    assert server is not None
    return server


def refused(mailer: SmtpMailer, server: MailServer, kind: type[HoldfastError]) -> str:
    """What is said; never the password."""
    with pytest.raises(kind) as caught:
        mailer.send(server, letter())
    assert type(caught.value) is kind
    assert PASSWORD not in str(caught.value)
    assert PASSWORD not in repr(caught.value.__cause__)
    return str(caught.value)


class TestSmtpMailer(MailerContract):
    @pytest.fixture
    def server(self, smtp: SmtpServer) -> MailServer:
        return told(smtp)

    @pytest.fixture
    def received(self, smtp: SmtpServer) -> Callable[[], Sequence[tuple[str, str]]]:
        return lambda: [(mail["To"], mail["Message-ID"].strip("<>")) for mail in smtp.received]

    @pytest.fixture
    def refuse(self, smtp: SmtpServer) -> Callable[[bool], None]:
        def refuse(lasting: bool) -> None:
            smtp.behaviour.data = "554 5.7.1 Looks like spam" if lasting else "452 4.3.1 Disk full"

        return refuse


class TestFakeMailer(MailerContract):
    @pytest.fixture
    def mailer(self) -> FakeMailer:
        return FakeMailer()

    @pytest.fixture
    def server(self) -> MailServer:
        found = read_mail_settings({"SMTP_HOST": "smtp.example.com", "FROM_EMAIL": FROM}, "the test").server
        assert found
        return found

    @pytest.fixture
    def received(self, mailer: FakeMailer) -> Callable[[], Sequence[tuple[str, str]]]:
        return lambda: [(one.to, one.message_id) for one in mailer.sent]

    @pytest.fixture
    def refuse(self, mailer: FakeMailer) -> Callable[[bool], None]:
        def refuse(lasting: bool) -> None:
            mailer.failing = lambda _: MailRefused("no") if lasting else MailUnavailable("later")

        return refuse


def test_starttls_and_a_password(smtp: SmtpServer, mailer: SmtpMailer) -> None:
    mailer.send(told(smtp), letter())
    assert smtp.logins == ["mailer"]
    assert smtp.protocols[0] in ("TLSv1.2", "TLSv1.3")


def test_tls_from_the_start(certificates: Certificates, mailer: SmtpMailer) -> None:
    with SmtpServer(certificates, implicit=True, login=True) as smtp:
        mailer.send(told(smtp), letter())
        assert smtp.logins == ["mailer"]


def test_a_server_without_tls_and_without_a_password_is_taken(mailer: SmtpMailer) -> None:
    with SmtpServer() as smtp:
        mailer.send(told(smtp), letter())
        assert smtp.protocols == [None]


def test_a_mail_has_both_forms_and_says_that_a_machine_wrote_it(smtp: SmtpServer, mailer: SmtpMailer) -> None:
    mailer.send(told(smtp), letter())
    [mail], [envelope] = smtp.received, smtp.envelopes
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert (mail["From"], mail["To"], mail["Subject"]) == (f"Backups <{FROM}>", ADMIN, "Mail works")
    assert mail["Message-ID"] == "<abc@example.com>"
    assert mail["Date"] == "Mon, 02 Mar 2026 12:00:00 +0000"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert (envelope.mail_from, envelope.rcpt_tos) == (FROM, [ADMIN])


def test_no_password_goes_over_the_wire_in_the_clear(mailer: SmtpMailer) -> None:
    with SmtpServer(login=True) as smtp:
        assert "does not offer STARTTLS" in refused(mailer, told(smtp), InvalidMailSettings)
        assert not smtp.logins


def test_a_wrong_password(smtp: SmtpServer, mailer: SmtpMailer) -> None:
    said = refused(mailer, told(smtp, SMTP_PASSWORD="not-the-password"), AuthenticationFailed)
    assert "SMTP_PASSWORD" in said
    assert "not-the-password" not in said


def test_a_certificate_of_a_stranger(smtp: SmtpServer, mailer: SmtpMailer) -> None:
    said = refused(mailer, told(smtp, SMTP_CA=""), InvalidMailSettings)
    assert "certificate" in said
    assert not smtp.logins


def test_a_certificate_for_another_name(smtp: SmtpServer, mailer: SmtpMailer) -> None:
    said = refused(mailer, told(smtp, SMTP_HOST="localhost"), InvalidMailSettings)
    assert "SMTP_HOST must be the name in the certificate" in said


def test_an_authority_that_is_none(smtp: SmtpServer, mailer: SmtpMailer) -> None:
    assert "SMTP_CA" in refused(mailer, told(smtp, SMTP_CA="no certificate"), InvalidMailSettings)


def test_tls_from_the_start_where_the_server_waits_for_starttls(smtp: SmtpServer, mailer: SmtpMailer) -> None:
    assert "SMTP_SECURE" in refused(mailer, told(smtp, SMTP_SECURE="true"), InvalidMailSettings)


def test_a_recipient_who_is_not_there(smtp: SmtpServer, mailer: SmtpMailer) -> None:
    smtp.behaviour.recipients[TO] = "550 5.1.1 No such user"
    assert "for admin@example.com: 5.1.1 No such user." in refused(mailer, told(smtp), MailRefused)


def test_a_sender_who_is_not_let(smtp: SmtpServer, mailer: SmtpMailer) -> None:
    smtp.behaviour.sender = "553 5.7.1 Not yours"
    assert "FROM_EMAIL" in refused(mailer, told(smtp), InvalidMailSettings)


def test_a_server_that_has_no_time_for_the_sender(smtp: SmtpServer, mailer: SmtpMailer) -> None:
    smtp.behaviour.sender = "450 4.2.0 Too many mails"
    assert "Too many mails" in refused(mailer, told(smtp), MailUnavailable)


def test_greylisting_is_overcome_by_another_try(smtp: SmtpServer, mailer: SmtpMailer) -> None:
    smtp.behaviour.greylist.add(TO)
    assert "Greylisted" in refused(mailer, told(smtp), MailUnavailable)
    mailer.send(told(smtp), letter())
    assert len(smtp.received) == 1


def test_a_server_that_falls_silent(smtp: SmtpServer, mailer: SmtpMailer) -> None:
    smtp.behaviour.silent = True
    assert "in time" in refused(mailer, told(smtp), MailUnavailable)


def test_a_connection_that_is_cut(smtp: SmtpServer, mailer: SmtpMailer) -> None:
    smtp.behaviour.cut = True
    refused(mailer, told(smtp), MailUnavailable)


def test_nobody_listens(mailer: SmtpMailer) -> None:
    with SmtpServer() as smtp:
        server = told(smtp)
    assert "SMTP_PORT" in refused(mailer, server, MailUnavailable)


def test_a_host_that_nobody_knows(smtp: SmtpServer, mailer: SmtpMailer) -> None:
    said = refused(mailer, told(smtp, SMTP_HOST="smtp.example.invalid"), MailUnavailable)
    assert "The name smtp.example.invalid is not known" in said


def test_something_else_listens(mailer: SmtpMailer) -> None:
    def answer() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        server = MailServer("127.0.0.1", listening.getsockname()[1], False, told_sender())
        refused(mailer, server, MailUnavailable)
        thread.join(5)


def test_a_server_that_answers_drop_by_drop_is_left(mailer: SmtpMailer) -> None:
    over = threading.Event()

    def drip() -> None:
        connection, _ = listening.accept()
        with connection:
            try:
                while not over.wait(0.5):
                    connection.sendall(b"2")
            except OSError:
                pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        server = MailServer("127.0.0.1", listening.getsockname()[1], False, told_sender())
        try:
            assert "longer than 4 s" in refused(mailer, server, MailUnavailable)
        finally:
            over.set()
            thread.join(5)


def told_sender() -> Sender:
    found = read_mail_settings({"SMTP_HOST": "x", "FROM_EMAIL": FROM}, "the test").server
    assert found
    return found.sender


def test_a_name_of_a_database_cannot_add_headers(smtp: SmtpServer, mailer: SmtpMailer) -> None:
    evil = letter()
    facts = {**evil.facts, "subject": "Backup\r\nBcc: thief@example.com\r\n\r\nbody"}
    mailer.send(told(smtp), type(evil)(evil.message_id, evil.to, evil.date, evil.template, facts))
    [mail] = smtp.received
    assert mail["Bcc"] is None
    assert mail["Subject"] == "Backup Bcc: thief@example.com body"
    assert smtp.envelopes[0].rcpt_tos == [ADMIN]


def test_the_root_of_templates_has_all_that_is_told() -> None:
    root = Path(__file__).parents[3] / "templates"
    assert {path.stem for path in root.glob("*.txt")} >= {"backup_success", "backup_failure", "test"}


def send_test_mail(smtp: SmtpServer, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """``holdfast test-mail`` with the settings of this server in its environment."""
    command = [sys.executable, "-m", "holdfast", "test-mail", *arguments]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": "operator", **smtp.settings(**changes)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_a_test_mail_on_the_command_line(smtp: SmtpServer) -> None:
    done = send_test_mail(smtp, "--to", "me@example.com")
    assert done.returncode == 0, done.stderr
    assert "took a mail for me@example.com" in done.stderr
    [mail] = smtp.received
    assert (mail["To"], mail["Subject"]) == ("me@example.com", "Mail works")


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"SMTP_PASSWORD": "not-the-password"}, 2, "refused the user or the password"),
        ({"SMTP_HOST": ""}, 2, "SMTP_HOST is not set"),
        ({"ADMIN_EMAIL": ""}, 2, "Give --to"),
        ({"SMTP_HOST": "smtp.example.invalid"}, 75, "is not known"),
    ],
)
def test_a_test_mail_that_fails_says_why(smtp: SmtpServer, changes: dict[str, str], code: int, said: str) -> None:
    done = send_test_mail(smtp, **changes)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "not-the-password" not in done.stderr
