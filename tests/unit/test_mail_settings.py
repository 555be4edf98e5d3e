"""SMTP settings as they stand in an .env file: what is taken, and which variable is said to be wrong."""

import pytest

from holdfast.domain.mail_settings import MailServer, Sender, read_mail_settings
from holdfast.errors import InvalidMailSettings

WHERE = "Secret shop/shop"
BASE = {"SMTP_HOST": "smtp.example.com", "ADMIN_EMAIL": "admin@example.com"}


def server(**values: str) -> MailServer:
    found = read_mail_settings({**BASE, **values}, WHERE).server
    assert found is not None
    return found


def test_without_a_host_there_is_no_mail() -> None:
    assert read_mail_settings({"SMTP_PORT": "nonsense"}, WHERE).server is None
    assert read_mail_settings({"SMTP_HOST": "  "}, WHERE).server is None


@pytest.mark.parametrize(("secure", "port"), [("true", 465), ("TRUE", 465), ("1", 465), ("false", 587), ("", 587)])
def test_the_port_follows_the_kind_of_tls(secure: str, port: int) -> None:
    assert (server(SMTP_SECURE=secure).port, server(SMTP_SECURE=secure).implicit_tls) == (port, port == 465)


def test_a_port_that_is_given_is_taken() -> None:
    assert server(SMTP_PORT=" 2525 ").port == 2525


@pytest.mark.parametrize(
    ("sender", "read"),
    [
        ("backups@example.com", Sender("backups@example.com")),
        ("Backups <backups@example.com>", Sender("backups@example.com", "Backups")),
        ('"TimeTrack, backups" <b@example.com>', Sender("b@example.com", "TimeTrack, backups")),
    ],
)
def test_a_sender_may_have_a_name(sender: str, read: Sender) -> None:
    assert server(FROM_EMAIL=sender).sender == read


def test_who_sends_where_nobody_is_named() -> None:
    assert server(SMTP_USER="me@example.com", SMTP_PASSWORD="x").sender.address == "me@example.com"
    assert server(SMTP_USER="apikey", SMTP_PASSWORD="x").sender.address == "admin@example.com"


def test_several_admins_are_told() -> None:
    settings = read_mail_settings({**BASE, "ADMIN_EMAIL": "a@example.com, b@example.com,a@example.com"}, WHERE)
    assert settings.admins == ("a@example.com", "b@example.com")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_HOST", "smtp.example.com/path"),
        ("SMTP_HOST", "smtp example"),
        ("SMTP_PORT", "0"),
        ("SMTP_PORT", "65536"),
        ("SMTP_PORT", "smtp"),
        ("SMTP_PORT", "٣"),
        ("SMTP_PORT", "9" * 5000),
        ("SMTP_SECURE", "starttls"),
        ("ADMIN_EMAIL", "admin"),
        ("ADMIN_EMAIL", "a@example.com\r\nBcc: b@example.com"),
        ("ADMIN_EMAIL", "a@exa mple.com"),
        ("ADMIN_EMAIL", "a@b..example.com"),
        ("FROM_EMAIL", "nobody"),
        ("FROM_EMAIL", "A\r\nBcc: x@example.com <a@example.com>"),
        ("FROM_EMAIL", "a@example.com, b@example.com"),
    ],
)
def test_a_wrong_value_is_named_and_not_quoted(name: str, value: str) -> None:
    with pytest.raises(InvalidMailSettings, match=f"^{name} in Secret shop/shop ") as caught:
        server(**{name: value})
    assert caught.value.hint
    assert "Bcc" not in str(caught.value)


def test_half_a_login_is_said() -> None:
    with pytest.raises(InvalidMailSettings, match="SMTP_PASSWORD in Secret shop/shop is missing"):
        server(SMTP_USER="me")
    with pytest.raises(InvalidMailSettings, match="SMTP_USER in Secret shop/shop is missing") as caught:
        server(SMTP_PASSWORD="hunter2")
    assert "hunter2" not in str(caught.value)


def test_nothing_shows_the_password() -> None:
    assert "hunter2" not in repr(server(SMTP_USER="me", SMTP_PASSWORD="hunter2"))
    assert "hunter2" not in str(server(SMTP_USER="me", SMTP_PASSWORD="hunter2"))
