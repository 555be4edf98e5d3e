"""The end of a run is told once, whatever is killed; what cannot be told is said, and fails nothing."""

from datetime import timedelta

import pytest

from holdfast.domain.notifications import Event
from holdfast.errors import AuthenticationFailed, ClusterUnavailable, HoldfastError, MailRefused, MailUnavailable
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, Kind
from holdfast.resources.base import format_time
from holdfast.resources.notifications import Delivery
from holdfast.services.notify import notify
from holdfast.services.outbox import owe
from holdfast.services.post import place_of
from tests.support.fake_mailer import FakeMailer
from tests.support.kube_objects import NAMESPACE, URI
from tests.support.notify_site import ADMIN, HOUR, MAIL, Site, kill_at


@pytest.fixture
def site() -> Site:
    site = Site()
    site.settle()
    return site


def test_a_run_that_fails_is_told_once(site: Site) -> None:
    site.ends("a")
    site.settle()
    site.settle()
    assert site.sent() == [("backup_failure", "a")]
    [delivery] = site.deliveries("a")
    assert (delivery["to"], delivery["event"], delivery["phase"]) == (ADMIN, "BackupFailed", "Sent")
    assert delivery["messageId"] == site.mailer.sent[0].message_id
    assert delivery["messageId"].endswith("@example.com")


@pytest.mark.parametrize(
    ("phases", "templates"),
    [
        (["Succeeded"], ["backup_success"]),
        (["PartiallyFailed"], ["backup_partial"]),
        (["Failed", "Succeeded"], ["backup_failure", "backup_recovered"]),
        (
            ["PartiallyFailed", "Cancelled", "Succeeded", "Succeeded"],
            ["backup_partial", "backup_recovered", "backup_success"],
        ),
        (["Cancelled"], []),
        (["Running"], []),
    ],
)
def test_each_end_has_its_mail(site: Site, phases: list[str], templates: list[str]) -> None:
    for number, phase in enumerate(phases):
        site.ends(f"run-{number}", phase)
        site.settle()
    assert [template for template, _ in site.sent()] == templates


def test_nothing_is_written_when_nothing_changes(site: Site) -> None:
    site.ends("a")
    site.settle()
    site.cluster.writes.clear()
    site.settle()
    assert site.cluster.writes == []


def test_what_ended_before_mail_was_set_up_is_not_told() -> None:
    site = Site()
    site.ends("old")
    site.clock.advance(1)
    site.settle()
    assert not site.mailer.sent
    old = site.cluster.get(BACKUP_RUN, NAMESPACE, "old")
    assert old is not None
    assert "notifications" not in old["status"]


def test_a_storm_is_two_mails_with_a_count(site: Site) -> None:
    for number in range(40):
        site.ends(f"run-{number:02}")
        site.settle()
    site.clock.advance(6 * HOUR)
    site.settle()
    assert [len(names.split()) for _, names in site.sent()] == [1, 11]
    second = site.mailer.sent[1]
    assert (second.facts["problems"], second.facts["more"]) == (39, 28)
    assert "39 times" in second.facts["subject"]


def test_what_happened_while_the_operator_was_away_is_one_mail(site: Site) -> None:
    for number in range(300):
        site.ends(f"run-{number:03}", "Succeeded" if number % 2 else "Failed")
    site.settle()
    assert len(site.mailer.sent) == 1
    assert site.mailer.sent[0].facts["more"] == 289


def test_a_good_backup_tells_of_the_failures_that_waited(site: Site) -> None:
    for name, phase in (("a", "Failed"), ("b", "Failed"), ("c", "Succeeded")):
        site.ends(name, phase)
        site.settle()
    assert site.sent() == [("backup_failure", "a"), ("backup_recovered", "c b")]


def test_each_recipient_is_told_what_it_wants() -> None:
    recipients = [{"address": "ops@example.com", "events": ["BackupFailed"]}, {"address": "boss@example.com"}]
    site = Site(notifications={"email": {"recipients": recipients, "events": ["BackupSucceeded"]}})
    site.settle()
    for name, phase in (("a", "Failed"), ("b", "Succeeded")):
        site.ends(name, phase)
        site.settle()
    assert [(letter.to, letter.template) for letter in site.mailer.sent] == [
        ("ops@example.com", "backup_failure"),
        ("boss@example.com", "backup_success"),
    ]
    assert site.deliveries("b")[0]["to"] == "boss@example.com"


def test_a_refusal_for_now_is_tried_again_under_the_same_name(site: Site) -> None:
    site.mailer.failing = lambda _: MailUnavailable("Mail server smtp.example.com:587 does not answer in time.")
    site.ends("a")
    assert site.look() == 60
    assert site.condition()[:2] == ("False", "MailUnavailable")
    assert "does not answer in time" in site.condition()[2]
    site.mailer.failing = lambda _: None
    site.settle()
    assert not site.mailer.sent
    site.clock.advance(60)
    site.settle()
    assert site.sent() == [("backup_failure", "a")]
    assert len({letter.message_id for letter in site.mailer.tried}) == 1
    assert site.condition()[:2] == ("True", "Configured")
    assert site.deliveries("a")[0]["attempts"] == 2
    assert "error" not in site.deliveries("a")[0]


def test_after_a_day_a_mail_is_given_up_with_the_words_of_the_server(site: Site) -> None:
    site.mailer.failing = lambda _: MailUnavailable("451 Come back later.")
    site.ends("a")
    for _ in range(200):
        look = site.look()
        if look is None:
            break
        site.clock.advance(look)
    [delivery] = site.deliveries("a")
    assert (delivery["phase"], delivery["error"]) == ("Failed", "451 Come back later.")
    assert 90 < delivery["attempts"] < 110
    assert ("Warning", "NotificationFailed") in site.cluster.recorded
    assert site.condition()[:2] == ("False", "MailUnavailable")


def test_a_mail_that_is_refused_for_good_is_not_tried_again(site: Site) -> None:
    site.mailer.failing = lambda _: MailRefused("550 No such user.")
    site.ends("a")
    site.settle()
    site.clock.advance(HOUR)
    site.settle()
    assert len(site.mailer.tried) == 1
    assert site.deliveries("a")[0]["phase"] == "Failed"
    assert site.condition()[:2] == ("False", "MailRefused")


def test_one_recipient_that_is_refused_does_not_hold_up_another() -> None:
    recipients = [{"address": "gone@example.com"}, {"address": "here@example.com"}]
    site = Site(notifications={"email": {"recipients": recipients}})
    site.settle()
    site.mailer.failing = lambda letter: MailRefused("550 No.") if letter.to.startswith("gone") else None
    site.ends("a")
    site.settle()
    assert [letter.to for letter in site.mailer.sent] == ["here@example.com"]


def test_a_mail_server_that_is_back_after_hours_gets_two_mails(site: Site) -> None:
    site.mailer.failing = lambda _: MailUnavailable("away")
    for number in range(10):
        site.ends(f"run-{number}", "Succeeded", after=HOUR)
        site.look()
    site.mailer.failing = lambda _: None
    site.clock.advance(HOUR)
    site.settle()
    assert [len(names.split()) for _, names in site.sent()] == [1, 9]


def test_a_wrong_password_is_a_condition_and_mended_by_the_right_one(site: Site) -> None:
    site.mailer.failing = lambda _: AuthenticationFailed("The server refused the user or the password.")
    site.ends("a")
    site.look()
    assert site.condition()[:2] == ("False", "AuthenticationFailed")
    assert ("Warning", "AuthenticationFailed") in site.cluster.recorded
    site.mailer.failing = lambda _: None
    site.clock.advance(60)
    site.settle()
    assert site.sent() == [("backup_failure", "a")]
    assert ("Normal", "Configured") in site.cluster.recorded


def test_without_smtp_settings_mail_is_off_and_says_so() -> None:
    site = Site()
    site.set_secret()
    site.ends("a")
    site.settle()
    status, reason, message = site.condition()
    assert (status, reason) == ("False", "NotConfigured")
    assert "SMTP_HOST" in message
    assert not site.cluster.recorded
    assert not site.mailer.tried


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({**MAIL, "SMTP_PORT": "none"}, "InvalidMailSettings"),
        ({**MAIL, "ADMIN_EMAIL": ""}, "InvalidMailSettings"),
        ({**MAIL, "SMTP_USER": ""}, "InvalidMailSettings"),
    ],
)
def test_wrong_settings_are_a_condition(values: dict[str, str], reason: str) -> None:
    site = Site()
    site.set_secret(**values)
    site.settle()
    assert site.condition()[:2] == ("False", reason)
    assert "hunter2" not in str(site.policy())


def test_a_secret_that_is_missing_is_a_condition_and_what_happened_is_told_later(site: Site) -> None:
    site.configure(secretRef={"name": "mail"})
    site.settle()
    assert site.condition()[:2] == ("False", "SecretMissing")
    site.ends("a")
    site.settle()
    site.configure(secretRef=None)
    site.settle()
    assert site.sent() == [("backup_failure", "a")]


def test_what_happens_while_mail_is_suspended_is_not_made_up_for(site: Site) -> None:
    site.mailer.failing = lambda _: MailUnavailable("away")
    site.ends("a")
    site.look()
    site.configure(suspend=True)
    site.settle()
    assert site.condition()[:2] == ("True", "Suspended")
    site.ends("b")
    site.settle()
    site.clock.advance(HOUR)
    site.mailer.failing = lambda _: None
    site.configure(suspend=False)
    site.settle()
    assert not site.mailer.sent
    assert site.deliveries("a")[0]["phase"] == "Failed"
    site.ends("c")
    site.settle()
    assert site.sent() == [("backup_failure", "c")]


def test_somebody_who_is_not_named_any_more_gets_nothing(site: Site) -> None:
    site.mailer.failing = lambda _: MailUnavailable("away")
    site.ends("a")
    site.look()
    site.mailer.failing = lambda _: None
    site.configure(recipients=[{"address": "new@example.com"}])
    site.clock.advance(HOUR)
    site.settle()
    assert not site.mailer.sent
    assert site.deliveries("a")[0]["reason"] == "Withdrawn"
    assert site.condition()[:2] == ("True", "Configured")


def test_a_newcomer_is_not_told_of_the_past(site: Site) -> None:
    site.ends("a")
    site.settle()
    site.configure(recipients=[{"address": ADMIN}, {"address": "new@example.com"}])
    site.clock.advance(HOUR)
    site.settle()
    assert [letter.to for letter in site.mailer.sent] == [ADMIN]


def test_a_second_operator_at_work_does_not_send_the_same(site: Site) -> None:
    other = FakeMailer()
    site.mailer.failing = lambda _: _other_operator(site, other)
    site.ends("a")
    site.settle()
    assert len(site.mailer.sent) + len(other.sent) == 1


def test_what_another_operator_has_claimed_meanwhile_is_left_to_it(site: Site) -> None:
    other = FakeMailer()
    other.failing = lambda _: MailUnavailable("The other one has no luck, and will try again.")
    site.ends("a")
    reads = 0

    def failing(verb: str, kind: Kind, name: str) -> HoldfastError | None:
        nonlocal reads
        reads += (verb, kind, name) == ("get", BACKUP_RUN, "a")
        if reads == 2:  # the first was to write down what is owed, this one is to claim it
            reads += 1
            notify(site.cluster, other, site.messenger, site.signups, NAMESPACE, "shop", clock=site.clock)
        return None

    site.cluster.failing = failing
    site.look()
    assert (len(other.tried), len(site.mailer.tried)) == (1, 0)


def test_what_is_written_down_is_not_written_anew(site: Site) -> None:
    site.ends("a")
    site.settle()
    body = site.cluster.get(BACKUP_RUN, NAMESPACE, "a")
    assert body is not None
    owe(site.cluster, place_of(BACKUP_RUN, body), [Delivery(to=ADMIN, event=Event.BACKUP_FAILED)])
    assert site.deliveries("a")[0]["phase"] == "Sent"


def _other_operator(site: Site, mailer: FakeMailer) -> HoldfastError | None:
    """Another operator looks while this one is just sending."""
    site.mailer.failing = lambda _: None
    notify(site.cluster, mailer, site.messenger, site.signups, NAMESPACE, "shop", clock=site.clock)
    return None


@pytest.mark.parametrize("sent_first", [False, True])
@pytest.mark.parametrize("line", range(1, 25))
def test_killed_at_any_write_nothing_is_lost_and_only_the_mail_at_hand_is_told_twice(
    line: int, sent_first: bool
) -> None:
    site = Site()
    site.settle()
    for number in range(4):
        site.ends(f"run-{number}")
    kill_at(site, line, sent_first=sent_first)
    for _ in range(3):
        site.clock.advance(6 * HOUR)
        site.settle()
    told = [name for _, names in site.sent() for name in names.split()]
    assert set(told) == {"run-0", "run-1", "run-2", "run-3"}
    by_id = {letter.message_id: names for letter, (_, names) in zip(site.mailer.sent, site.sent(), strict=True)}
    # Each run is in one mail; that mail may have come twice, recognisably.
    once = [name for names in by_id.values() for name in names.split()]
    assert sorted(once) == sorted(set(told))
    assert all(site.deliveries(name)[0]["phase"] == "Sent" for name in set(told))


def test_a_cluster_that_is_away_is_tried_again(site: Site) -> None:
    site.ends("a")
    site.cluster.failing = lambda verb, _kind, _name: ClusterUnavailable("away") if verb == "patch_status" else None
    with pytest.raises(ClusterUnavailable):
        site.look()
    site.cluster.failing = lambda *_: None
    site.settle()
    assert site.sent() == [("backup_failure", "a")]


def test_no_secret_is_in_a_letter_or_a_status(site: Site) -> None:
    site.ends("a")
    site.settle()
    shown = str(site.mailer.sent) + str(site.policy()) + str(site.deliveries("a"))
    assert "hunter2" not in shown
    assert URI not in shown


def test_a_policy_that_goes_or_makes_no_sense_is_left_alone() -> None:
    site = Site()
    assert (
        notify(site.cluster, site.mailer, site.messenger, site.signups, NAMESPACE, "nobody", clock=site.clock) is None
    )
    assert site.cluster.patch(BACKUP_POLICY, site.policy(), {"spec": {"schedule": {"cron": 5}}})
    assert site.look() is None


def test_a_look_says_when_the_next_is_due(site: Site) -> None:
    site.ends("a")
    site.settle()
    site.ends("b", after=60)
    assert site.look() == timedelta(hours=6).total_seconds() - 60


def monday(site: Site, *, hour: float = 8) -> None:
    """Go on to the next Monday, in UTC: the tests begin on a Sunday at noon."""
    seconds = (site.clock.now.replace(hour=0, minute=0, second=0) + timedelta(days=1, hours=hour)) - site.clock.now
    site.clock.advance(seconds.total_seconds())


def test_a_week_is_summed_up_once(site: Site) -> None:
    site.ends("a", "Succeeded", storedBytes=4096)
    site.settle()
    monday(site, hour=7.99)
    site.settle()
    assert len(site.mailer.sent) == 1
    monday_at = site.look()
    assert monday_at is not None
    site.clock.advance(monday_at)
    site.settle()
    site.settle()
    assert [letter.template for letter in site.mailer.sent] == ["backup_success", "weekly_summary"]
    assert site.mailer.sent[1].facts["headline"] == "1 of 1 backups good"
    notes = site.policy()["status"]["notifications"]
    assert (notes["summaryTime"], notes["deliveries"][0]["phase"]) == ("2026-03-02T08:00:00Z", "Sent")


def test_a_summary_that_was_due_while_the_operator_was_away_is_made_up_for_once(site: Site) -> None:
    site.clock.advance(17 * 24 * HOUR)
    site.settle()
    site.settle()
    assert [letter.template for letter in site.mailer.sent] == ["weekly_summary"]
    assert "Mon 09 Mar 2026" in site.mailer.sent[0].facts["from"]


def test_a_summary_is_tried_again_and_no_run_waits_for_it(site: Site) -> None:
    site.mailer.failing = lambda letter: MailUnavailable("away") if letter.template == "weekly_summary" else None
    monday(site)
    site.look()
    site.ends("a")
    site.look()
    assert site.sent() == [("backup_failure", "a")]
    site.mailer.failing = lambda _: None
    site.clock.advance(HOUR)
    site.settle()
    assert site.mailer.sent[-1].template == "weekly_summary"
    assert len({letter.message_id for letter in site.mailer.tried if letter.template == "weekly_summary"}) == 1


def test_no_summary_of_the_time_before_mail_was_set_up() -> None:
    site = Site()
    monday(site, hour=9)
    site.settle()
    assert not site.mailer.tried


@pytest.mark.parametrize("sent_first", [False, True])
@pytest.mark.parametrize("line", range(1, 7))
def test_killed_at_any_write_a_summary_is_told(line: int, sent_first: bool) -> None:
    site = Site()
    site.settle()
    monday(site)
    kill_at(site, line, sent_first=sent_first)
    site.clock.advance(HOUR)
    site.settle()
    assert {letter.template for letter in site.mailer.sent} == {"weekly_summary"}
    assert len({letter.message_id for letter in site.mailer.sent}) == 1


# --- drills ----------------------------------------------------------------------------------------------------------


def drill_ends(site: Site, result: str, job: str = "shop-drill-1") -> None:
    site.clock.advance(60)
    told = {"job": job, "result": result, "time": format_time(site.clock.now), "message": "So it was."}
    body = site.cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
    assert body is not None
    assert site.cluster.patch_status(BACKUP_POLICY, body, {"lastDrill": told}) is not None


def templates(site: Site) -> list[str]:
    return [letter.template for letter in site.mailer.sent]


@pytest.mark.parametrize(("result", "template"), [("Passed", "drill_passed"), ("Failed", "drill_failed")])
def test_a_drill_is_told_once(site: Site, result: str, template: str) -> None:
    site.settle()
    drill_ends(site, result)
    site.settle()
    site.settle()
    assert templates(site) == [template]
    assert site.mailer.sent[0].facts["run"]["message"] == "So it was."


def test_each_drill_is_told_and_a_summary_does_not_take_its_place(site: Site) -> None:
    site.settle()
    drill_ends(site, "Failed")
    monday(site)
    site.settle()
    drill_ends(site, "Passed", "shop-drill-2")
    site.settle()
    assert sorted(templates(site)) == ["drill_failed", "drill_passed", "weekly_summary"]


def test_a_drill_from_before_mail_was_set_up_is_not_told() -> None:
    site = Site()
    drill_ends(site, "Failed")
    site.clock.advance(60)
    site.settle()
    assert not site.mailer.tried


@pytest.mark.parametrize("sent_first", [False, True])
@pytest.mark.parametrize("line", range(1, 5))
def test_killed_at_any_write_a_drill_is_told(line: int, sent_first: bool) -> None:
    site = Site()
    site.settle()
    drill_ends(site, "Failed")
    kill_at(site, line, sent_first=sent_first)
    site.clock.advance(HOUR)
    site.settle()
    assert set(templates(site)) == {"drill_failed"}
    assert len({letter.message_id for letter in site.mailer.sent}) == 1


# --- health ----------------------------------------------------------------------------------------------------------


def health_is(site: Site, verdict: str, check: str = "RecentBackup") -> None:
    site.clock.advance(60)
    since = format_time(site.clock.now)
    checks = [{"name": check, "status": verdict, "message": "So it is.", "since": since}]
    told = {"verdict": verdict, "since": since, "message": "So it is.", "checks": checks}
    body = site.cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
    assert body is not None
    assert site.cluster.patch_status(BACKUP_POLICY, body, {"health": told}) is not None


def test_health_that_becomes_critical_is_told_once_and_so_is_its_end(site: Site) -> None:
    site.settle()
    for verdict in ("Healthy", "Warning", "Critical", "Warning", "Healthy", "Warning", "Healthy"):
        health_is(site, verdict)
        site.settle()
        site.settle()
    assert templates(site) == ["health_critical", "health_recovered"]
    assert site.mailer.sent[0].facts["run"]["message"] == "So it is."


def test_failed_backups_and_drills_are_not_told_twice(site: Site) -> None:
    site.settle()
    for verdict in ("Critical", "Healthy"):
        health_is(site, verdict, "BackupIntegrity")
        site.settle()
    assert templates(site) == []


def test_each_time_that_health_becomes_critical_is_told(site: Site) -> None:
    site.settle()
    for verdict in ("Critical", "Warning", "Critical"):
        health_is(site, verdict)
        site.settle()
    assert templates(site) == ["health_critical", "health_critical"]


def test_health_from_before_mail_was_set_up_is_not_told() -> None:
    site = Site()
    health_is(site, "Critical")
    site.clock.advance(60)
    site.settle()
    assert not site.mailer.tried


def test_what_is_owed_of_health_goes_out_although_it_is_better_meanwhile(site: Site) -> None:
    site.settle()
    site.mailer.failing = lambda _letter: MailUnavailable("busy")
    health_is(site, "Critical")
    site.settle()
    health_is(site, "Warning")
    site.mailer.failing = lambda _letter: None
    site.clock.advance(HOUR)
    site.settle()
    assert templates(site) == ["health_critical"]


@pytest.mark.parametrize("sent_first", [False, True])
@pytest.mark.parametrize("line", range(1, 5))
def test_killed_at_any_write_health_is_told(line: int, sent_first: bool) -> None:
    site = Site()
    site.settle()
    health_is(site, "Critical")
    kill_at(site, line, sent_first=sent_first)
    site.clock.advance(HOUR)
    site.settle()
    assert set(templates(site)) == {"health_critical"}
    assert len({letter.message_id for letter in site.mailer.sent}) == 1
