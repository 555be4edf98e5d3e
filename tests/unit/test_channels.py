"""Messages to channels: told as mail is, once; and neither of the two holds up the other."""

from base64 import b64encode

import pytest

from holdfast.errors import HookUnavailable
from holdfast.ports import BACKUP_RUN, SECRET
from tests.support.kube_objects import NAMESPACE
from tests.support.notify_site import ADMIN, HOUR, MAIL, Site

URL = "jsons://hooks.example.com/s3cr3t"


def channels(site: Site, **values: str) -> None:
    if old := site.cluster.get(SECRET, NAMESPACE, "urls"):
        site.cluster.delete(SECRET, old)
    data = {key: b64encode(value.encode()).decode() for key, value in values.items()}
    site.cluster.put(SECRET, {"metadata": {"name": "urls", "namespace": NAMESPACE}, "data": data})


def with_channels(*, mail: bool = True, **spec: object) -> Site:
    site = Site(notifications={"channels": {"urlsSecretRef": {"name": "urls"}, **spec}})
    if not mail:
        site.set_secret(**dict.fromkeys(MAIL, ""))
    channels(site, ops=URL)
    site.settle()
    return site


def told(site: Site) -> list[tuple[str, str]]:
    return [(letter.to, letter.template) for _, letter in site.messenger.sent]


def test_a_channel_is_told_once_and_so_is_mail() -> None:
    site = with_channels()
    site.ends("a")
    site.settle()
    site.settle()
    assert told(site) == [("channel:ops", "backup_failure")]
    assert site.sent() == [("backup_failure", "a")]
    assert site.messenger.sent[0][0] == URL
    assert site.condition("ChannelsReady") == ("True", "Configured", "Messages go to channel:ops (JSON).")


def test_a_channel_needs_no_mail() -> None:
    site = with_channels(mail=False)
    site.ends("a")
    site.settle()
    assert told(site) == [("channel:ops", "backup_failure")]
    assert site.condition()[1] == "NotConfigured"


def test_a_channel_is_told_only_what_it_is_to_be_told() -> None:
    site = with_channels(events=["BackupSucceeded"])
    site.ends("a")
    site.ends("b", "Succeeded")
    site.settle()
    assert told(site) == [("channel:ops", "backup_success")]


def test_a_service_that_is_away_is_tried_again_and_shown_and_mail_goes_on() -> None:
    site = with_channels()
    site.messenger.failing = lambda _: HookUnavailable("JSON did not take the message.")
    site.ends("a")
    site.settle()
    assert site.sent() == [("backup_failure", "a")]
    assert site.condition()[0] == "True"
    status, reason, message = site.condition("ChannelsReady")
    assert (status, reason) == ("False", "HookUnavailable")
    assert message == "Messages to channel:ops cannot be sent: JSON did not take the message."
    site.messenger.failing = lambda _: None
    site.clock.advance(HOUR)
    site.settle()
    assert told(site) == [("channel:ops", "backup_failure")]
    assert site.condition("ChannelsReady")[0] == "True"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"ops": "gopher://x"}, "InvalidUri"),
        ({}, "SecretMissing"),
        ({f"k{number}": URL for number in range(9)}, "InvalidSpec"),
    ],
)
def test_wrong_urls_are_a_condition_and_mail_goes_on(values: dict[str, str], reason: str) -> None:
    site = with_channels()
    channels(site, **values)
    site.ends("a")
    site.settle()
    assert site.sent() == [("backup_failure", "a")]
    assert site.condition("ChannelsReady")[:2] == ("False", reason)


def test_mail_that_waits_for_its_secret_is_not_withdrawn_when_a_channel_is_told() -> None:
    site = with_channels()
    site.mailer.failing = lambda _: HookUnavailable("away")
    site.ends("a")
    site.settle()
    site.set_secret(**{**MAIL, "SMTP_PORT": "none"})
    site.clock.advance(HOUR)
    site.settle()
    assert site.condition()[0] == "False"
    site.set_secret(**MAIL)
    site.mailer.failing = lambda _: None
    site.clock.advance(HOUR)
    site.settle()
    assert site.sent() == [("backup_failure", "a")]
    assert {one["to"]: one["phase"] for one in site.deliveries("a")} == {ADMIN: "Sent", "channel:ops": "Sent"}


def test_a_channel_that_is_gone_is_owed_nothing_more() -> None:
    site = with_channels()
    site.messenger.failing = lambda _: HookUnavailable("away")
    site.ends("a")
    site.settle()
    channels(site, other=URL)
    site.settle()
    assert {one["to"]: one.get("reason") for one in site.deliveries("a")}["channel:ops"] == "Withdrawn"


def test_no_url_is_in_a_status_or_a_letter() -> None:
    site = with_channels()
    site.ends("a")
    site.settle()
    seen = str([site.policy(), site.cluster.get(BACKUP_RUN, NAMESPACE, "a"), site.messenger.sent[0][1]])
    assert "s3cr3t" not in seen
