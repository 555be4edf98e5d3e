"""Who signs up is told once, and no more of them than a policy wants, whatever is killed or fails in between."""

from datetime import UTC, datetime
from typing import Any

import pytest

from holdfast.domain.new_users import masked_address, masked_name
from holdfast.errors import AuthenticationFailed, HoldfastError, MailUnavailable, NotAuthorized, SourceUnavailable
from holdfast.ports import BACKUP_POLICY, Kind, Letter, Person, Signups, UserCollection
from holdfast.services.watch_users import UserWatch
from tests.support.kube_objects import NAMESPACE
from tests.support.notify_site import ADMIN, HOUR, Killed, Site

MINUTE = 60.0
JOINED = datetime(2026, 3, 1, 11, 59, tzinfo=UTC)


def person(name: str) -> Person:
    return Person(name, f"{name.lower()}@example.org", JOINED)


class NewUsers(Site):
    """A policy that wants to be told of new users, followed from its first minute on."""

    def __init__(self, **new_users: Any) -> None:
        super().__init__(notifications={"newUsers": new_users})
        self.restart()
        self.look()
        self.watch()

    def restart(self) -> None:
        """The operator forgets all that is not written."""
        self.watcher = UserWatch(self.cluster, self.signups, self.messenger, self.clock)

    def watch(self, after: float = 0.0) -> float | None:
        self.clock.advance(after)
        self.cluster.writes.clear()
        return self.watcher.look(NAMESPACE, "shop")

    def minute(self) -> None:
        """All that an operator does in a minute."""
        self.watch(MINUTE)
        self.settle()

    def sign_up(self, *names: str) -> None:
        self.signups.sign_up(*map(person, names))

    def letters(self) -> list[Letter]:
        return [letter for letter in self.mailer.sent if letter.template == "new_user"]

    def told(self) -> list[tuple[str, list[str], int]]:
        """Of each mail: subject, names, and how many more."""
        return [
            (
                letter.facts["subject"].partition(" (")[0],
                [one["name"] for one in letter.facts["people"]],
                letter.facts["more"],
            )
            for letter in self.letters()
        ]

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.policy()["status"]["notifications"]["newUsers"]
        return found


@pytest.fixture
def site() -> NewUsers:
    return NewUsers()


def test_somebody_who_signs_up_is_told_to_the_admin(site: NewUsers) -> None:
    site.sign_up("Ada")
    site.minute()
    [letter] = site.mailer.sent
    assert (letter.template, letter.to) == ("new_user", ADMIN)
    assert letter.facts["people"] == [
        {"name": "Ada", "address": "ada@example.org", "time": "Sun 01 Mar 2026, 11:59 UTC"}
    ]
    assert site.told() == [("1 new user of timetrack", ["Ada"], 0)]


def test_each_is_told_once(site: NewUsers) -> None:
    site.sign_up("Ada")
    for _ in range(30):
        site.minute()
    site.sign_up("Ben")
    for _ in range(30):
        site.minute()
    assert [names for _, names, _ in site.told()] == [["Ada"], ["Ben"]]


def test_who_comes_within_a_quarter_of_an_hour_is_one_mail(site: NewUsers) -> None:
    site.sign_up("Ada")
    site.minute()
    for name in ("Ben", "Cleo", "Dan"):
        site.sign_up(name)
        site.minute()
    assert len(site.mailer.sent) == 1
    site.clock.advance(15 * MINUTE)
    site.settle()
    assert site.told()[1:] == [("3 new users of timetrack", ["Ben", "Cleo", "Dan"], 0)]


def test_an_import_is_one_mail_with_a_count(site: NewUsers) -> None:
    site.sign_up(*(f"U{number}" for number in range(2_500)))
    assert site.watch(MINUTE) == 0.0
    while site.watch() == 0.0:
        pass
    site.settle()
    [(subject, names, more)] = site.told()
    assert subject == "2,500 new users of timetrack"
    assert (len(names), more) == (20, 2_480)


def test_no_name_and_no_address_lies_in_the_cluster(site: NewUsers) -> None:
    site.sign_up("Ada")
    site.minute()
    assert site.told()
    assert "Ada" not in str(site.policy())
    assert "ada@" not in str(site.policy())


def test_the_subject_names_nobody(site: NewUsers) -> None:
    site.sign_up("Ada")
    site.minute()
    facts = site.mailer.sent[0].facts
    assert "Ada" not in facts["subject"] + facts["preview"]


def test_a_masked_person_is_told_by_initials() -> None:
    site = NewUsers(detail="Masked")
    site.signups.sign_up(Person("Ada Lovelace", "ada@example.org", JOINED))
    site.minute()
    [told] = site.mailer.sent[0].facts["people"]
    assert (told["name"], told["address"]) == ("A. L.", "a…@example.org")


@pytest.mark.parametrize(
    ("text", "mask", "masked"),
    [
        ("ada lovelace king of x", masked_name, "a. l. k."),
        ("", masked_name, ""),
        ("ada@example.org", masked_address, "a…@example.org"),
        ("@example.org", masked_address, "…@example.org"),
        ("ada", masked_address, "a…"),
        ("", masked_address, ""),
    ],
)
def test_masks(text: str, mask: Any, masked: str) -> None:
    assert mask(text) == masked


def test_a_count_names_nobody_and_reads_nobody() -> None:
    site = NewUsers(detail="Count")
    site.signups.people = lambda *_: pytest.fail("somebody's document is read")  # type: ignore[method-assign]
    site.sign_up("Ada", "Ben")
    site.minute()
    assert site.told() == [("2 new users of timetrack", [], 0)]
    assert "ids" not in str(site.state()) or site.state()["told"]["ids"] == []


def test_who_has_left_before_the_mail_goes_is_not_named(site: NewUsers) -> None:
    site.sign_up("Ada", "Ben")
    site.signups.left.add('"0"')
    site.minute()
    facts = site.mailer.sent[0].facts
    assert ([one["name"] for one in facts["people"]], facts["gone"], facts["more"]) == (["Ben"], 1, 0)


def test_an_operator_that_restarts_misses_nobody_and_tells_nobody_twice(site: NewUsers) -> None:
    for number in range(6):
        site.restart()
        site.sign_up(f"U{number}")
        site.minute()
        site.restart()
        site.clock.advance(HOUR)
        site.minute()
    assert [names for _, names, _ in site.told()] == [[f"U{number}"] for number in range(6)]


def test_who_came_while_the_operator_was_down_is_told(site: NewUsers) -> None:
    site.restart()
    site.sign_up("Ada")
    site.watch(5 * HOUR)
    site.settle()
    assert [names for _, names, _ in site.told()] == [["Ada"]]


@pytest.mark.parametrize("line", range(1, 7))
@pytest.mark.parametrize("sent_first", [False, True])
def test_killed_at_any_line_each_is_told_and_only_one_mail_can_come_again(line: int, sent_first: bool) -> None:
    site, calls = NewUsers(), 0

    def count(letter: Any = None) -> None:
        nonlocal calls
        calls += 1
        if calls == line:
            if letter and sent_first:
                site.mailer.sent.append(letter)
            raise Killed

    def failing(verb: str, kind: Kind, name: str) -> HoldfastError | None:
        del kind, name
        if verb.startswith("patch"):
            count()
        return None

    site.sign_up("Ada")
    site.cluster.failing, site.mailer.failing = failing, count
    try:
        site.minute()
        died = False
    except Killed:
        died = True
    site.cluster.failing, site.mailer.failing = (lambda *_: None), (lambda _: None)
    site.restart()
    for _ in range(40):
        site.minute()
    assert died is (line <= calls)
    assert {letter.facts["people"][0]["name"] for letter in site.mailer.sent} == {"Ada"}
    assert len({letter.message_id for letter in site.mailer.sent}) == 1


def test_two_operators_at_once_count_nobody_twice(site: NewUsers) -> None:
    other = UserWatch(site.cluster, site.signups, site.messenger, site.clock)
    site.sign_up("Ada")
    look = site.signups.look

    def slow(*arguments: Any, **options: Any) -> Any:
        site.signups.look = look  # type: ignore[method-assign]
        found = look(*arguments, **options)
        other.look(NAMESPACE, "shop")
        return found

    site.signups.look = slow  # type: ignore[method-assign]
    site.watch(MINUTE)
    assert site.state()["pending"]["count"] == 1
    site.minute()
    assert site.told() == [("1 new user of timetrack", ["Ada"], 0)]


def test_nothing_is_written_while_nobody_signs_up_but_each_hour(site: NewUsers) -> None:
    for minute in range(1, 60):
        site.watch(MINUTE)
        assert site.cluster.writes == [], minute
    site.watch(MINUTE)
    assert len(site.cluster.writes) == 1
    assert site.state()["positionTime"] == "2026-03-01T13:00:00Z"


def test_it_goes_on_from_where_it_was_and_not_from_where_that_was_written(site: NewUsers) -> None:
    positions: list[str | None] = []
    look = site.signups.look

    def noting(where: UserCollection, position: str | None, *, shown: int) -> Signups:
        positions.append(position)
        return look(where, position, shown=shown)

    site.signups.look = noting  # type: ignore[method-assign]
    site.signups.joined |= {'"others"': person("Otto")}
    site.watch(MINUTE)
    site.watch(MINUTE)
    assert positions == ["0", "1"]


def test_a_server_that_has_forgotten_is_said_and_gone_on_with(site: NewUsers) -> None:
    site.restart()
    site.sign_up("Lost")
    site.signups.oldest = 1
    site.watch(50 * HOUR)
    site.settle()
    assert site.told() == [("New users of timetrack: some may be missing", [], 0)]
    assert site.letters()[0].facts["missing"] == "from Sun 01 Mar 2026, 12:00 UTC to Tue 03 Mar 2026, 14:00 UTC"
    [note] = [note for note in site.cluster.notes if "may not be told" in note]
    assert "between 2026-03-01T12:00:00Z and 2026-03-03T14:00:00Z, some may not be told" in note
    site.sign_up("Ada")
    site.clock.advance(HOUR)
    site.minute()
    assert site.told()[1:] == [("1 new user of timetrack", ["Ada"], 0)]
    assert site.letters()[1].facts["missing"] == ""


def test_a_collection_that_is_not_there_is_a_condition(site: NewUsers) -> None:
    assert site.condition("NewUsersReady") == (
        "True", "Watching", "New users of timetrack.users are followed by a change stream."
    )  # fmt: skip
    site.signups.there = False
    site.watch(MINUTE)
    assert site.condition("NewUsersReady")[:2] == ("False", "CollectionMissing")
    site.signups.there = True
    site.watch(MINUTE)
    assert site.condition("NewUsersReady")[:2] == ("True", "Watching")


@pytest.mark.parametrize("error", [NotAuthorized, AuthenticationFailed, SourceUnavailable])
def test_a_source_that_cannot_be_followed_is_a_condition_and_nobody_is_missed(
    site: NewUsers, error: type[HoldfastError]
) -> None:
    site.signups.failing = lambda: error("It does not work.", hint="Mend it.")
    site.sign_up("Ada")
    site.watch(MINUTE)
    assert site.condition("NewUsersReady") == (
        "False", error.reason, "New users are not followed: It does not work. Mend it."
    )  # fmt: skip
    site.signups.failing = lambda: None
    site.minute()
    assert [names for _, names, _ in site.told()] == [["Ada"]]


def test_other_mail_does_not_wait_for_a_source_that_cannot_be_read(site: NewUsers) -> None:
    site.sign_up("Ada")
    site.watch(MINUTE)
    site.signups.failing = lambda: SourceUnavailable("It is down.")
    site.ends("one")
    site.settle()
    assert [letter.template for letter in site.mailer.sent] == ["backup_failure"]


def test_a_mail_waits_an_hour_for_the_names_and_goes_without_them_then(site: NewUsers) -> None:
    site.sign_up("Ada")
    site.watch(MINUTE)
    site.signups.failing = lambda: SourceUnavailable("It is down.")
    site.clock.advance(50 * MINUTE)
    site.settle()
    assert site.told() == []
    site.clock.advance(10 * MINUTE)
    site.settle()
    assert site.told() == [("1 new user of timetrack", [], 0)]
    assert site.mailer.sent[0].facts["unread"] == "It is down."


def test_while_a_mail_is_tried_who_comes_is_told_in_the_next(site: NewUsers) -> None:
    site.mailer.failing = lambda _: MailUnavailable("Later.")
    site.sign_up("Ada")
    site.minute()
    site.sign_up("Ben")
    site.minute()
    site.mailer.failing = lambda _: None
    for _ in range(60):
        site.minute()
    assert [names for _, names, _ in site.told()] == [["Ada"], ["Ben"]]


def test_who_comes_while_nobody_is_to_be_told_is_not_made_up_for(site: NewUsers) -> None:
    site.configure(suspend=True)
    site.sign_up("Ada")
    site.minute()
    assert site.condition("NewUsersReady")[:2] == ("False", "Suspended")
    site.configure(suspend=False)
    site.minute()
    site.sign_up("Ben")
    site.minute()
    assert [names for _, names, _ in site.told()] == [["Ben"]]


def test_nobody_reads_where_nobody_wants_to_know(site: NewUsers) -> None:
    site.configure(events=["BackupFailed"])
    site.watch(MINUTE)
    site.signups.asked.clear()
    site.watch(MINUTE)
    assert site.signups.asked == []


def test_wrong_mail_settings_are_mended_one_day_and_nobody_is_missed(site: NewUsers) -> None:
    site.set_secret(SMTP_HOST="smtp.example.com", SMTP_USER="mailer")
    site.sign_up("Ada")
    site.minute()
    assert site.told() == []
    site.set_secret(SMTP_HOST="smtp.example.com", ADMIN_EMAIL=ADMIN, FROM_EMAIL=ADMIN)
    site.minute()
    assert [names for _, names, _ in site.told()] == [["Ada"]]


def test_a_policy_that_asks_for_nothing_is_not_read_and_gets_no_condition() -> None:
    site = Site()
    watcher = UserWatch(site.cluster, site.signups, site.messenger, site.clock)
    site.look()
    before = site.policy()
    assert watcher.look(NAMESPACE, "shop") is None
    assert site.policy() == before
    assert site.signups.asked == []


def test_a_policy_that_no_longer_asks_forgets_what_it_knew(site: NewUsers) -> None:
    assert site.cluster.patch(BACKUP_POLICY, site.policy(), {"spec": {"notifications": {"newUsers": None}}})
    site.watch(MINUTE)
    assert "newUsers" not in site.policy()["status"]["notifications"]
    assert "NewUsersReady" not in str(site.policy()["status"]["conditions"])


def test_another_collection_begins_anew(site: NewUsers) -> None:
    site.sign_up("Ada")
    changed = {"spec": {"notifications": {"newUsers": {"collection": "members"}}}}
    assert site.cluster.patch(BACKUP_POLICY, site.policy(), changed)
    site.minute()
    assert site.told() == []
    assert site.state()["watched"] == "timetrack.members"
