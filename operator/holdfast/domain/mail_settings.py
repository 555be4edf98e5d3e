"""The SMTP settings of an .env file, read and checked. No message holds a value but a host or an address."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from holdfast.errors import InvalidMailSettings

ADMIN, SENDER = "ADMIN_EMAIL", "FROM_EMAIL"
HOST, PORT, SECURE = "SMTP_HOST", "SMTP_PORT", "SMTP_SECURE"
USER, PASSWORD, AUTHORITY = "SMTP_USER", "SMTP_PASSWORD", "SMTP_CA"

SUBMISSION_PORT, IMPLICIT_TLS_PORT = 587, 465

_WORD = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
ADDRESS = rf"{_WORD}(\.{_WORD})*@{_LABEL}(\.{_LABEL})*"
"""An address as we send to it. A domain with other letters is written in its ASCII form (xn--…)."""

ADDRESS_LIMIT = 254

_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0", "")


@dataclass(frozen=True)
class Sender:
    """Who a mail is from; ``name`` may be empty."""

    address: str
    name: str = ""


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed in, and as whom."""

    host: str
    port: int
    implicit_tls: bool
    sender: Sender
    user: str = ""
    password: str = field(default="", repr=False)
    authority: str = field(default="", repr=False)
    """Certificates, as PEM, that are trusted instead of the system's; empty: the system's."""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class MailSettings:
    """``server`` is None where no mail is wanted: there is no SMTP_HOST."""

    server: MailServer | None
    admins: tuple[str, ...] = ()


def read_mail_settings(values: Mapping[str, str], where: str) -> MailSettings:
    """Given the variables, and ``where`` they are for messages, return the settings.

    InvalidMailSettings names the variable that is wrong.
    """
    values = {name: value.strip() for name, value in values.items()}
    host = values.get(HOST, "")
    if not host:
        return MailSettings(None)
    if not re.fullmatch(r"[A-Za-z0-9.:_-]{1,253}", host):
        raise _wrong(HOST, where, "is not a host name", "Give the name alone, such as smtp.example.com.")
    secure = _flag(values.get(SECURE, ""), where)
    user, password = values.get(USER, ""), values.get(PASSWORD, "")
    if bool(user) != bool(password):
        given, missing = (USER, PASSWORD) if user else (PASSWORD, USER)
        raise _wrong(missing, where, f"is missing, but {given} is set", "Set both, or neither.")
    admins = read_admins(values, where)
    server = MailServer(
        host=host,
        port=_port(values.get(PORT, ""), secure, where),
        implicit_tls=secure,
        sender=_sender(values.get(SENDER, ""), user, admins, where),
        user=user,
        password=password,
        authority=values.get(AUTHORITY, ""),
    )
    return MailSettings(server, admins)


def read_admins(values: Mapping[str, str], where: str) -> tuple[str, ...]:
    """Who is told where nobody else is named. InvalidMailSettings for what is not an address."""
    return _addresses(values.get(ADMIN, ""), where)


def is_address(text: str) -> bool:
    return len(text) <= ADDRESS_LIMIT and bool(re.fullmatch(ADDRESS, text))


def _wrong(name: str, where: str, fault: str, hint: str) -> InvalidMailSettings:
    return InvalidMailSettings(f"{name} in {where} {fault}.", hint=hint)


def _flag(text: str, where: str) -> bool:
    if text.lower() in _YES:
        return True
    if text.lower() in _NO:
        return False
    raise _wrong(SECURE, where, "is neither true nor false", "true: TLS from the start; false: STARTTLS.")


def _port(text: str, secure: bool, where: str) -> int:
    if not text:
        return IMPLICIT_TLS_PORT if secure else SUBMISSION_PORT
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 65535):
        raise _wrong(PORT, where, "is not a port", "It is 465 with SMTP_SECURE=true, else 587 at most servers.")
    return int(text)


def _addresses(text: str, where: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for address in found:
        if not is_address(address):
            raise _wrong(ADMIN, where, "holds what is not an address", "Give you@example.com, several with commas.")
    return found


def _sender(text: str, user: str, admins: tuple[str, ...], where: str) -> Sender:
    if not text:
        address = user if is_address(user) else next(iter(admins), "")
        if not address:
            raise _wrong(SENDER, where, "is missing", "Set it to the address that the mails are to come from.")
        return Sender(address)
    match = re.fullmatch(r"(?:\"?([^\"<>\x00-\x1f\x7f]*?)\"?\s*<([^<>]*)>|([^<>]*))", text)
    address = (match[2] or match[3] or "").strip() if match else ""
    if not match or not is_address(address):
        raise _wrong(SENDER, where, "is not an address", "Give backups@example.com or Name <backups@example.com>.")
    return Sender(address, (match[1] or "").strip())
