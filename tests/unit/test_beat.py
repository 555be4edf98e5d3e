"""A good backup is told to the heartbeat URL, once; silence is left to whoever watches it."""

from base64 import b64encode
from typing import Any

import pytest

from holdfast.errors import HookRefused, HookUnavailable
from holdfast.ports import BACKUP_POLICY, SECRET, KubeObject
from holdfast.resources.base import format_time
from holdfast.services.beat import beat
from tests.support.fake_cluster import FakeClock, FakeCluster
from tests.support.fake_pinger import FakePinger
from tests.support.kube_objects import NAMESPACE, policy_body

URL = "https://hc.example.com/7b1f-hunter2"
HEARTBEAT = {"urlSecretRef": {"name": "heartbeat"}}
HOUR = 3600.0


class Site:
    """A policy with a heartbeat, and its good backups."""

    def __init__(self, *, secret: str | None = URL) -> None:
        self.clock = FakeClock()
        self.cluster = FakeCluster(self.clock)
        self.pinger = FakePinger()
        self.cluster.put(BACKUP_POLICY, policy_body(notifications={"heartbeat": HEARTBEAT}))
        if secret is not None:
            data = {"HEARTBEAT_URL": b64encode(secret.encode()).decode()}
            self.cluster.put(SECRET, {"metadata": {"name": "heartbeat", "namespace": NAMESPACE}, "data": data})

    def look(self) -> float | None:
        return beat(self.cluster, self.pinger, NAMESPACE, "shop", clock=self.clock)

    def policy(self) -> KubeObject:
        body = self.cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
        assert body is not None
        assert "hunter2" not in str(body)
        return body

    def good(self, name: str) -> None:
        last = {"name": name, "completionTime": format_time(self.clock())}
        assert self.cluster.patch_status(BACKUP_POLICY, self.policy(), {"lastSuccessfulRun": last})

    def condition(self) -> tuple[str, str, str]:
        [one] = [one for one in self.policy()["status"]["conditions"] if one["type"] == "HeartbeatReady"]
        return one["status"], one["reason"], one["message"]

    def heartbeat(self) -> dict[str, Any]:
        found: dict[str, Any] = self.policy()["status"]["notifications"]["heartbeat"]
        return found


@pytest.fixture
def site() -> Site:
    return Site()


def test_each_good_backup_is_told_once(site: Site) -> None:
    site.look()
    assert not site.pinger.heard
    for name in ("a", "b"):
        site.good(name)
        site.look()
        site.look()
    assert site.pinger.heard == [URL, URL]
    assert site.heartbeat()["run"] == "b"
    assert site.condition()[:2] == ("True", "Configured")


def test_nothing_is_written_when_nothing_changes(site: Site) -> None:
    site.good("a")
    site.look()
    site.cluster.writes.clear()
    site.look()
    assert site.cluster.writes == []


def test_a_call_that_fails_is_tried_again_later_and_later(site: Site) -> None:
    site.pinger.failing = lambda: HookUnavailable("hc.example.com answers 503.")
    site.good("a")
    assert site.look() == 60
    assert site.condition()[:2] == ("False", "HookUnavailable")
    assert "hc.example.com answers 503." in site.condition()[2]
    site.clock.advance(30)
    assert site.look() == 30
    site.clock.advance(30)
    assert site.look() == 120
    site.pinger.failing = lambda: None
    site.clock.advance(120)
    assert site.look() is None
    assert site.pinger.heard == [URL]
    assert site.condition()[:2] == ("True", "Configured")
    assert "attempts" not in site.heartbeat()


def test_a_url_that_does_not_want_it_is_said(site: Site) -> None:
    site.pinger.failing = lambda: HookRefused("hc.example.com answers 404.")
    site.good("a")
    site.look()
    assert site.condition()[:2] == ("False", "HookRefused")
    assert ("Warning", "HookRefused") in site.cluster.recorded


def test_a_backup_of_yesterday_is_no_sign_of_life(site: Site) -> None:
    site.good("a")
    site.clock.advance(25 * HOUR)
    site.look()
    assert not site.pinger.heard


@pytest.mark.parametrize(
    ("secret", "reason", "said"),
    [(None, "SecretMissing", "There is no Secret default/heartbeat"), ("", "SecretMissing", "HEARTBEAT_URL")],
)
def test_a_secret_that_is_missing_is_said(secret: str | None, reason: str, said: str) -> None:
    site = Site(secret=secret)
    site.good("a")
    site.look()
    assert site.condition()[:2] == ("False", reason)
    assert said in site.condition()[2]


def test_a_url_that_makes_no_sense_is_said_and_not_quoted() -> None:
    site = Site(secret="hunter2")
    site.good("a")
    site.look()
    assert site.condition()[:2] == ("False", "InvalidUri")


def test_without_a_heartbeat_nothing_is_said_of_one(site: Site) -> None:
    site.good("a")
    site.look()
    assert site.cluster.patch(BACKUP_POLICY, site.policy(), {"spec": {"notifications": {"heartbeat": None}}})
    site.look()
    status = site.policy()["status"]
    assert not [one for one in status["conditions"] if one["type"] == "HeartbeatReady"]
    assert "notifications" not in status
    site.cluster.writes.clear()
    site.look()
    assert site.cluster.writes == []
