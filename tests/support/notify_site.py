"""A policy with mail, its Secret, and runs that end: for tests of what is told. And an operator that is killed."""

from base64 import b64encode
from typing import Any

from holdfast.errors import HoldfastError
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, SECRET, Kind, KubeObject
from holdfast.resources.base import format_time
from holdfast.services.notify import notify
from holdfast.specs.names import policy_labels
from tests.support.fake_cluster import FakeClock, FakeCluster
from tests.support.fake_mailer import FakeMailer
from tests.support.fake_messenger import FakeMessenger
from tests.support.fake_signups import FakeSignups
from tests.support.kube_objects import NAMESPACE, policy_body, run_body, secret_body

ADMIN = "admin@example.com"
HOUR = 3600.0
MAIL = {
    "SMTP_HOST": "smtp.example.com",
    "SMTP_USER": "mailer",
    "SMTP_PASSWORD": "hunter2",
    "FROM_EMAIL": "backups@example.com",
    "ADMIN_EMAIL": ADMIN,
}


class Site:
    """A policy, its Secret, and runs that end."""

    def __init__(self, **spec: Any) -> None:
        self.clock = FakeClock()
        self.cluster = FakeCluster(self.clock)
        self.mailer, self.messenger, self.signups = FakeMailer(), FakeMessenger(), FakeSignups()
        self.cluster.put(BACKUP_POLICY, policy_body(**spec))
        self.set_secret(**MAIL)

    def set_secret(self, **values: str) -> None:
        old = self.cluster.get(SECRET, NAMESPACE, "shop")
        if old:
            self.cluster.delete(SECRET, old)
        body = secret_body()
        body["data"] |= {name: b64encode(value.encode()).decode() for name, value in values.items()}
        self.cluster.put(SECRET, body)

    def configure(self, **email: Any) -> None:
        body = self.policy()
        assert self.cluster.patch(BACKUP_POLICY, body, {"spec": {"notifications": {"email": email}}})

    def look(self) -> float | None:
        return notify(self.cluster, self.mailer, self.messenger, self.signups, NAMESPACE, "shop", clock=self.clock)

    def settle(self) -> None:
        """Look as often as it asks to be looked at at once."""
        for _ in range(20):
            look = self.look()
            if look is None or look > 1:
                return
        raise AssertionError("it never comes to rest")

    def ends(self, name: str, phase: str = "Failed", *, after: float = 60, **status: Any) -> None:
        self.clock.advance(after)
        body = run_body(name)
        body["metadata"]["labels"] = policy_labels("shop")
        moment = format_time(self.clock())
        body["status"] = {"phase": phase, "reason": phase, "message": "M.", "completionTime": moment, **status}
        self.cluster.put(BACKUP_RUN, body)

    def policy(self) -> KubeObject:
        body = self.cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
        assert body is not None
        return body

    def condition(self, type_: str = "NotificationsReady") -> tuple[str, str, str]:
        [found] = [one for one in self.policy()["status"]["conditions"] if one["type"] == type_]
        return found["status"], found["reason"], found["message"]

    def deliveries(self, run: str) -> list[dict[str, Any]]:
        body = self.cluster.get(BACKUP_RUN, NAMESPACE, run)
        assert body is not None
        result: list[dict[str, Any]] = body["status"]["notifications"]["deliveries"]
        return result

    def sent(self) -> list[tuple[str, str]]:
        """Template, and the runs that the mail tells of."""
        return [
            (
                letter.template,
                " ".join([letter.facts["rows"][0][1].partition("/")[2], *(o["name"] for o in letter.facts["others"])]),
            )
            for letter in self.mailer.sent
        ]


class Killed(BaseException):
    """The process is gone."""


def kill_at(site: Site, line: int, *, sent_first: bool) -> None:
    """Let the operator work, kill it at the write or the mail of that number, and let another one go on.

    ``sent_first``: the mail server has the mail, and the operator dies before it hears so.
    """
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1
        if calls == line:
            raise Killed

    def failing(verb: str, kind: Kind, name: str) -> HoldfastError | None:
        del kind, name
        if verb.startswith("patch"):
            count()
        return None

    def at_mail(letter: Any) -> HoldfastError | None:
        if sent_first and calls + 1 == line:
            site.mailer.sent.append(letter)
        count()
        return None

    site.cluster.failing, site.mailer.failing = failing, at_mail
    try:
        site.settle()
    except Killed:
        site.cluster.failing, site.mailer.failing = (lambda *_: None), (lambda _: None)
        site.settle()
