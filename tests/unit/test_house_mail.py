"""The mail server that an installation lends to policies which bring none."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from holdfast.errors import InvalidMailSettings, SecretMissing
from holdfast.mail.mounted import mounted_settings
from holdfast.ports import BACKUP_POLICY, SECRET
from holdfast.services.mail_account import Account, NoMail, mail_account
from holdfast.services.notify import notify
from holdfast.services.write_status import parse_policy
from tests.support.kube_objects import NAMESPACE
from tests.support.notify_site import MAIL, Site

HOUSE = {
    "SMTP_HOST": "mail.example.org",
    "SMTP_USER": "house",
    "SMTP_PASSWORD": "s3cret-of-the-house",
    "FROM_EMAIL": "house@example.org",
    "ADMIN_EMAIL": "caretaker@example.org",
}


def site(*, secret: Mapping[str, str] | None = None, **email: object) -> Site:
    """A policy whose own Secret has these settings for mail; None: it has no Secret at all."""
    made = Site(notifications={"email": email})
    if secret is None:
        body = made.cluster.get(SECRET, NAMESPACE, "shop")
        assert body is not None
        made.cluster.delete(SECRET, body)
    else:
        made.set_secret(**secret)
    return made


def account(of: Site, house: Mapping[str, str] = HOUSE) -> Account | NoMail:
    return mail_account(of.cluster, parse_policy(of.policy()), lambda: house)


def server_and_recipients(found: Account | NoMail) -> tuple[str, list[str]]:
    assert isinstance(found, Account)
    return str(found.server), list(found.recipients)


def test_a_policy_without_a_server_is_told_of_by_that_of_the_installation() -> None:
    assert server_and_recipients(account(site(secret={}))) == ("mail.example.org:587", ["caretaker@example.org"])


def test_who_is_told_stays_the_policys_own_business() -> None:
    assert server_and_recipients(account(site(secret={"ADMIN_EMAIL": "me@example.com"})))[1] == ["me@example.com"]
    named = site(secret={"ADMIN_EMAIL": "me@example.com"}, recipients=[{"address": "you@example.com"}])
    assert server_and_recipients(account(named))[1] == ["you@example.com"]


def test_a_server_of_its_own_goes_before() -> None:
    assert server_and_recipients(account(site(secret=MAIL)))[0] == "smtp.example.com:587"


def test_a_secret_that_is_named_for_mail_is_the_only_one() -> None:
    assert isinstance(account(site(secret={}, secretRef={"name": "shop"})), NoMail)
    with pytest.raises(SecretMissing):
        account(site(secret={}, secretRef={"name": "elsewhere"}))


def test_a_lost_secret_of_the_source_is_no_reason_to_keep_silent() -> None:
    assert server_and_recipients(account(site()))[1] == ["caretaker@example.org"]
    with pytest.raises(SecretMissing):
        account(site(), house={})


def test_what_is_wrong_with_it_is_said_by_its_own_name_and_without_its_password() -> None:
    with pytest.raises(InvalidMailSettings) as caught:
        account(site(secret={}), house={**HOUSE, "SMTP_PORT": "many"})
    assert str(caught.value).startswith("SMTP_PORT in the installation's own mail Secret (smtp.existingSecret)")
    assert "s3cret" not in str(caught.value)
    with pytest.raises(InvalidMailSettings, match="ADMIN_EMAIL in Secret default/shop"):
        account(site(secret={"ADMIN_EMAIL": "nobody"}))


def test_without_a_host_it_lends_nothing() -> None:
    assert isinstance(account(site(secret={}), house={"SMTP_USER": "house"}), NoMail)


def test_a_run_is_told_of_by_it() -> None:
    told = site(secret={})

    def look() -> None:
        notify(
            told.cluster,
            told.mailer,
            told.messenger,
            told.signups,
            NAMESPACE,
            "shop",
            clock=told.clock,
            house=lambda: HOUSE,
        )

    look()
    told.ends("a")
    look()
    assert [letter.to for letter in told.mailer.sent] == ["caretaker@example.org"]
    policy = told.cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
    assert "s3cret" not in str(policy)


def test_what_is_mounted_is_read_anew_each_time(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    for name, value in HOUSE.items():
        (tmp_path / "..data" / name).write_text(value)
        (tmp_path / name).symlink_to(Path("..data") / name)
    assert mounted_settings(tmp_path) == HOUSE
    (tmp_path / "..data" / "SMTP_HOST").write_text("other.example.org")
    assert mounted_settings(tmp_path)["SMTP_HOST"] == "other.example.org"


def test_what_cannot_be_read_is_wrong_rather_than_missing(tmp_path: Path) -> None:
    (tmp_path / "SMTP_HOST").write_bytes(b"\xff")
    for folder in (tmp_path, tmp_path / "gone"):
        with pytest.raises(InvalidMailSettings, match=r"smtp\.existingSecret"):
            mounted_settings(folder)
