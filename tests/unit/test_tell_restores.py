"""The end of a restore, and a backup that never started, are told once, whatever is killed."""

from typing import Any

import pytest

from holdfast.errors import AuthenticationFailed, MailUnavailable
from holdfast.ports import BACKUP_POLICY, RESTORE_RUN, KubeObject, Letter
from holdfast.resources.base import format_time
from tests.support.kube_objects import NAMESPACE, restore_body
from tests.support.notify_site import ADMIN, HOUR, Site, kill_at


@pytest.fixture
def site() -> Site:
    site = Site()
    site.settle()
    return site


def restored(site: Site, name: str = "back", phase: str = "Failed", *, mode: str = "Apply", **status: Any) -> None:
    site.clock.advance(60)
    body = restore_body(name, mode=mode, **status.pop("spec", {}))
    ended = {"completionTime": format_time(site.clock())} if phase != "Restoring" else {}
    body["status"] = {"phase": phase, "reason": phase, "message": "So it was.", **ended, **status}
    site.cluster.put(RESTORE_RUN, body)


def templates(site: Site) -> list[str]:
    return [letter.template for letter in site.mailer.sent]


def names_in(letter: Letter) -> list[str]:
    lead = letter.facts["rows"][0][1].partition("/")[2]
    return [lead, *(other["name"] for other in letter.facts["others"])]


def status_of(site: Site, name: str = "back") -> dict[str, Any]:
    body = site.cluster.get(RESTORE_RUN, NAMESPACE, name)
    assert body is not None
    found: dict[str, Any] = body["status"]
    return found


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        ("Succeeded", ["restore_success"]),
        ("Failed", ["restore_failure"]),
        ("Cancelled", []),
        ("Restoring", []),
    ],
)
def test_each_end_of_a_restore_has_its_mail_once(site: Site, phase: str, expected: list[str]) -> None:
    restored(site, phase=phase)
    site.settle()
    site.settle()
    assert templates(site) == expected
    assert all(letter.facts["run"]["message"] == "So it was." for letter in site.mailer.sent)


def test_a_plan_is_not_told(site: Site) -> None:
    restored(site, phase="Succeeded", mode="Plan")
    site.settle()
    assert not site.mailer.tried
    assert "notifications" not in status_of(site)


def test_a_restore_of_another_policy_is_that_ones_business(site: Site) -> None:
    restored(site, spec={"source": {"policyRef": {"name": "other"}, "latest": True}})
    site.settle()
    assert not site.mailer.tried


def test_a_restore_that_names_a_run_is_told_by_the_policy_of_that_run(site: Site) -> None:
    restored(site, spec={"source": {"backupRunRef": {"name": "shop-1"}}}, policy="shop")
    site.settle()
    assert templates(site) == ["restore_failure"]


def test_a_restore_from_before_mail_was_set_up_is_not_told() -> None:
    site = Site()
    restored(site)
    site.clock.advance(60)
    site.settle()
    assert not site.mailer.tried


def test_restores_that_ended_while_the_operator_was_away_are_one_mail(site: Site) -> None:
    for number in range(12):
        restored(site, f"back-{number}")
    site.settle()
    [letter] = site.mailer.sent
    assert letter.facts["rows"][0] == ("Restore", f"{NAMESPACE}/back-11")
    assert (len(letter.facts["others"]), letter.facts["more"]) == (10, 1)


def test_who_does_not_want_restores_is_not_told_of_them(site: Site) -> None:
    site.configure(events=["BackupFailed", "RestoreFailed"])
    restored(site, phase="Succeeded")
    restored(site, "second", phase="Failed")
    site.settle()
    assert templates(site) == ["restore_failure"]


def test_a_mail_about_a_restore_that_is_refused_shows_in_the_condition(site: Site) -> None:
    site.mailer.failing = lambda _: AuthenticationFailed("535 no")
    restored(site)
    site.settle()
    status, _, message = site.condition()
    assert status == "False"
    assert f"Mail to {ADMIN} cannot be sent: 535 no" in message


@pytest.mark.parametrize("sent_first", [False, True])
@pytest.mark.parametrize("line", range(1, 10))
def test_killed_at_any_write_restores_are_told(line: int, sent_first: bool) -> None:
    site = Site()
    site.settle()
    restored(site)
    restored(site, "second", phase="Succeeded")
    kill_at(site, line, sent_first=sent_first)
    site.clock.advance(HOUR)
    site.settle()
    # Each restore is in one mail; that mail may have come twice, recognisably.
    by_id = {letter.message_id: names_in(letter) for letter in site.mailer.sent}
    assert sorted(name for names in by_id.values() for name in names) == ["back", "second"]
    for name in ("back", "second"):
        assert status_of(site, name)["notifications"]["deliveries"][0]["phase"] == "Sent"


# --- backups that never started ---------------------------------------------------------------------------------------


def missed(site: Site, count: int = 1) -> None:
    site.clock.advance(60)
    now = format_time(site.clock.now)
    told = {"count": count, "last": now, "settledUntil": now, "schedule": "0 2 * * * Etc/UTC"}
    body: KubeObject | None = site.cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
    assert body is not None
    assert site.cluster.patch_status(BACKUP_POLICY, body, {"missedSchedules": told}) is not None


def test_a_backup_that_never_started_is_told_once(site: Site) -> None:
    missed(site)
    site.settle()
    site.settle()
    assert templates(site) == ["schedule_missed"]


def test_a_row_of_missed_backups_is_two_mails(site: Site) -> None:
    for count in range(1, 6):
        missed(site, count)
        site.settle()
    assert templates(site) == ["schedule_missed"]
    look = site.look()
    assert look is not None
    site.clock.advance(look)
    site.settle()
    assert templates(site) == ["schedule_missed"] * 2
    assert dict(site.mailer.sent[1].facts["rows"])["Missed so far"] == "5"
    site.clock.advance(7 * HOUR)
    site.settle()
    assert templates(site) == ["schedule_missed"] * 2


def test_what_is_missed_while_the_mail_server_is_away_is_one_mail(site: Site) -> None:
    site.mailer.failing = lambda _: MailUnavailable("away")
    for count in range(1, 4):
        missed(site, count)
        site.settle()
    site.mailer.failing = lambda _: None
    site.clock.advance(HOUR)
    site.settle()
    assert templates(site) == ["schedule_missed"]
    assert len({letter.message_id for letter in site.mailer.tried}) == 1


def test_a_missed_backup_from_before_mail_was_set_up_is_not_told() -> None:
    site = Site()
    missed(site)
    site.clock.advance(60)
    site.settle()
    assert not site.mailer.tried


@pytest.mark.parametrize("sent_first", [False, True])
@pytest.mark.parametrize("line", range(1, 5))
def test_killed_at_any_write_a_missed_backup_is_told(line: int, sent_first: bool) -> None:
    site = Site()
    site.settle()
    missed(site)
    kill_at(site, line, sent_first=sent_first)
    site.clock.advance(HOUR)
    site.settle()
    assert set(templates(site)) == {"schedule_missed"}
    assert len({letter.message_id for letter in site.mailer.sent}) == 1
