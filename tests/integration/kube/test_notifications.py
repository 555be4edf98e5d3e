"""From the end of a run to a mail in somebody's box: a real operator, a real API server, real SMTP with TLS."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from holdfast.domain.phases import Phase
from holdfast.domain.worker_message import WorkerMessage
from tests.integration.kube.conftest import Namespace
from tests.integration.kube.test_operator import URI, pod_of, run_by_hand, tell, wait_ready
from tests.integration.kube.test_resources import policy
from tests.support.certificate import make_certificate
from tests.support.control_plane import ControlPlane
from tests.support.http_answer import HttpAnswer
from tests.support.mongod import Mongod
from tests.support.operator_process import OperatorProcess
from tests.support.ports import free_ports
from tests.support.smtp_server import ADMIN, PASSWORD, Certificates, SmtpServer

QUIET = {"ping": False}
"""There is no database behind these policies, and mail about that is another test's matter."""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(*make_certificate(tmp_path_factory.mktemp("certificates")))


@pytest.fixture
def smtp(certificates: Certificates) -> Iterator[SmtpServer]:
    with SmtpServer(certificates, login=True) as running:
        yield running


@pytest.fixture
def operator(control_plane: ControlPlane, tmp_path: Path) -> Iterator[OperatorProcess]:
    """One for each test, which looks at everything each second."""
    (port,) = free_ports(1)
    process = OperatorProcess(control_plane.operator_kubeconfig, tmp_path / "log", port=port, resync_seconds=1)
    yield process
    process.stop()


def set_secret(here: Namespace, **values: str) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop"}, "stringData": values}
    if here.get("secret", "shop"):
        here.kubectl("delete", "secret", "shop")
    here.apply({**body, "stringData": {"MONGODB_URI": URI, **values}})


@pytest.fixture
def ready(here: Namespace, operator: OperatorProcess, smtp: SmtpServer) -> Iterator[Namespace]:
    operator.start()
    set_secret(here, **smtp.settings())
    here.apply(policy(health=QUIET))
    wait_ready(here)
    says(here, "Configured")
    yield here
    shown = here.kubectl("get", "backuppolicies,backupruns,events", "--output=yaml") + operator.log.read_text()
    assert PASSWORD not in shown
    assert "Traceback" not in shown


def says(here: Namespace, reason: str, type_: str = "NotificationsReady") -> dict[str, Any]:
    """Wait for the policy's condition about notifications."""

    def done() -> dict[str, Any] | None:
        conditions = here.get("bp", "shop").get("status", {}).get("conditions", [])
        found: dict[str, Any] = next((one for one in conditions if one["type"] == type_), {})
        return found if found.get("reason") == reason else None

    result: dict[str, Any] = here.wait(done, f"{type_} is {reason}")
    return result


def run_ends(here: Namespace, name: str, phase: Phase) -> None:
    """A run, and the end of its worker's pod."""
    run_by_hand(here, name)
    facts = {} if phase is Phase.FAILED else {"backupId": "b", "documents": 7, "storedBytes": 2048}
    words = WorkerMessage(phase.value, "The words of the worker.", phase, facts).encode()
    code, state = (2, "Failed") if phase is Phase.FAILED else (0, "Succeeded")
    tell(here, pod_of(here, name), state, terminated={"exitCode": code, "message": words})
    here.wait_for_status("br", name, phase=phase.value)


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def delivery(here: Namespace, run: str) -> dict[str, Any]:
    """The delivery of a run, once it is over."""

    def done() -> dict[str, Any] | None:
        found = here.get("br", run).get("status", {}).get("notifications", {}).get("deliveries", [])
        return found[0] if found and found[0]["phase"] != "Owed" else None

    result: dict[str, Any] = here.wait(done, f"the delivery of {run} is over")
    return result


def test_a_failure_then_a_recovery_is_told_once_each(ready: Namespace, smtp: SmtpServer) -> None:
    run_ends(ready, "first", Phase.FAILED)
    [failure] = smtp.wait(1)
    assert (failure["To"], failure["Subject"]) == (ADMIN, f"Backup of shop FAILED ({ready.name}/shop)")
    assert "The words of the worker." in text_of(failure)
    assert smtp.protocols[0] in ("TLSv1.2", "TLSv1.3")
    assert delivery(ready, "first")["messageId"] == failure["Message-ID"].strip("<>")
    run_ends(ready, "second", Phase.SUCCEEDED)
    assert "good again" in smtp.wait(2)[1]["Subject"]
    smtp.stays_at(2)


def test_an_operator_killed_while_it_hands_in_a_mail_sends_it_again_under_the_same_name(
    ready: Namespace, operator: OperatorProcess, smtp: SmtpServer
) -> None:
    smtp.behaviour.silent = True
    run_ends(ready, "first", Phase.FAILED)
    [mail] = smtp.wait(1)  # taken, but the operator does not hear so
    [known] = ready.get("br", "first")["status"]["notifications"]["deliveries"]
    operator.kill()
    smtp.behaviour.silent = False
    assert mail["Message-ID"].strip("<>") == known["messageId"]
    assert (known["phase"], known["attempts"]) == ("Owed", 1)
    operator.start()
    again = smtp.wait(2, 90)[1]
    assert again["Message-ID"] == mail["Message-ID"]
    assert (delivery(ready, "first")["phase"], delivery(ready, "first")["attempts"]) == ("Sent", 2)


def test_the_installations_server_tells_of_a_policy_that_has_none(
    here: Namespace, control_plane: ControlPlane, smtp: SmtpServer, tmp_path: Path
) -> None:
    mounted = tmp_path / "smtp"
    mounted.mkdir()
    for name, value in smtp.settings().items():
        (mounted / name).write_text(value)
    (port,) = free_ports(1)
    kubeconfig, log = control_plane.operator_kubeconfig, tmp_path / "log"
    operator = OperatorProcess(kubeconfig, log, port=port, resync_seconds=1, smtp_folder=str(mounted))
    operator.start()
    try:
        set_secret(here)
        here.apply(policy(health=QUIET))
        assert f"by 127.0.0.1:{smtp.port}" in says(here, "Configured")["message"]
        run_ends(here, "first", Phase.FAILED)
        [mail] = smtp.wait(1)
    finally:
        operator.stop()
    assert mail["To"] == ADMIN
    assert PASSWORD not in here.kubectl("get", "backuppolicies,events", "--output=yaml") + log.read_text()


def test_an_operator_that_is_killed_again_and_again_tells_once(
    ready: Namespace, operator: OperatorProcess, smtp: SmtpServer
) -> None:
    run_ends(ready, "first", Phase.SUCCEEDED)
    smtp.wait(1)
    delivery(ready, "first")
    for _ in range(3):
        operator.kill()
        operator.start()
        ready.wait(operator.healthy, "the operator is back")
    run_ends(ready, "second", Phase.SUCCEEDED)
    smtp.wait(2)
    smtp.stays_at(2)


def test_what_happened_while_the_operator_was_away_is_one_mail(
    ready: Namespace, operator: OperatorProcess, smtp: SmtpServer
) -> None:
    for number in range(3):
        run_by_hand(ready, f"run-{number}")
        pod_of(ready, f"run-{number}")
        ready.wait_for_status("br", f"run-{number}", phase="Pending")
    operator.kill()
    for number in range(3):
        # As its worker would say it.
        ready.kubectl(
            "patch", f"br/run-{number}", "--subresource=status", "--type=merge",
            '--patch={"status":{"phase":"Failed","reason":"OOMKilled","message":"Too small.",'
            f'"completionTime":"2099-01-01T00:00:0{number}Z"}}}}',
        )  # fmt: skip
    operator.start()
    [mail] = smtp.wait(1)
    assert "FAILED (3 times)" in mail["Subject"]
    smtp.stays_at(1)


def test_a_wrong_password_is_said_and_no_backup_suffers(ready: Namespace, smtp: SmtpServer) -> None:
    set_secret(ready, **smtp.settings(SMTP_PASSWORD="wrong-password"))
    run_ends(ready, "first", Phase.SUCCEEDED)
    message = says(ready, "AuthenticationFailed")["message"]
    assert "SMTP_PASSWORD" in message
    assert "wrong-password" not in ready.kubectl("get", "backuppolicies,backupruns,events", "--output=yaml")
    assert ready.kubectl("wait", "--for=condition=Ready", "bp/shop", "--timeout=1s")


def test_a_recipient_that_is_refused_is_said_in_the_words_of_the_server(ready: Namespace, smtp: SmtpServer) -> None:
    smtp.behaviour.recipients[ADMIN] = "550 5.1.1 No such user here"
    run_ends(ready, "first", Phase.SUCCEEDED)
    assert "No such user here" in says(ready, "MailRefused")["message"]
    assert delivery(ready, "first")["phase"] == "Failed"
    events = ready.kubectl("get", "events", "--field-selector=reason=NotificationFailed", "--output=yaml")
    assert "No such user here" in events


def test_a_good_backup_is_told_to_the_heartbeat(ready: Namespace) -> None:
    with HttpAnswer() as hook:
        ready.kubectl("create", "secret", "generic", "beat", f"--from-literal=HEARTBEAT_URL={hook.url}/hunter2-of-mail")
        ready.apply(policy(health=QUIET, notifications={"heartbeat": {"urlSecretRef": {"name": "beat"}}}))
        run_ends(ready, "first", Phase.FAILED)
        run_ends(ready, "second", Phase.SUCCEEDED)
        ready.wait(lambda: hook.requests, "the heartbeat is heard")
        ready.wait(
            lambda: ready.get("bp", "shop")["status"]["notifications"].get("heartbeat", {}).get("run") == "second",
            "the policy says so",
        )
        assert [request.target for request in hook.requests] == ["/hunter2-of-mail"]


def _told(here: Namespace) -> list[str]:
    return [one["phase"] for one in here.get("bp", "shop")["status"]["notifications"]["deliveries"]]


def test_who_signs_up_is_told_once_also_over_the_death_of_the_operator(
    here: Namespace, operator: OperatorProcess, smtp: SmtpServer, mongod: Mongod, database: Database[dict[str, Any]]
) -> None:
    operator.start()
    user = f"user-{database.name}"
    password = mongod.create_user(user, [{"role": "read", "db": database.name}])
    uri = mongod.uri_for(user, password, database=database.name)
    set_secret(here, **smtp.settings(), MONGODB_URI=uri)
    here.apply(policy(health=QUIET, notifications={"newUsers": {"collectSeconds": 0}}))
    says(here, "CollectionMissing", "NewUsersReady")
    database.users.insert_one({"name": "Ada", "email": "ada@example.org"})
    says(here, "Watching", "NewUsersReady")
    [first] = smtp.wait(1)
    assert first["Subject"] == f"1 new user of {database.name} ({here.name}/shop)"
    assert "Ada, ada@example.org" in text_of(first)
    here.wait(lambda: _told(here) == ["Sent"], "the mail is crossed out")
    operator.kill()
    database.users.insert_many([{"name": "Ben"}, {"name": "Cleo"}])
    operator.start()
    second = smtp.wait(2)[1]
    assert "- Ben" in text_of(second)
    smtp.stays_at(2)
    kept = here.kubectl("get", "backuppolicies", "--output=yaml") + operator.log.read_text()
    for secret in ("Ada", "ada@example.org", "Ben", password):
        assert secret not in kept


def test_mails_are_made_by_templates_of_a_config_map_as_far_as_they_are_good(
    ready: Namespace, smtp: SmtpServer
) -> None:
    data = {"backup_success.txt": "All is well with {{ database }}.", "backup_success.html": "{{ nobody }}"}
    ready.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mails"}, "data": data})
    ready.apply(policy(health=QUIET, notifications={"email": {"templatesRef": {"name": "mails"}}}))
    says(ready, "Configured", "TemplatesReady")
    run_ends(ready, "first", Phase.SUCCEEDED)
    assert "is complete, and every part of it" in text_of(smtp.wait(1)[0])
    assert "backup_success.html: 'nobody' is undefined" in says(ready, "TemplateFailed", "TemplatesReady")["message"]
    mended = {**data, "backup_success.html": "<p>All is well.</p>"}
    ready.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mails"}, "data": mended})
    says(ready, "Configured", "TemplatesReady")
    run_ends(ready, "second", Phase.SUCCEEDED)
    assert text_of(smtp.wait(2)[1]).strip() == "All is well with shop."


def test_without_settings_mail_is_off_and_comes_on_with_them(
    here: Namespace, operator: OperatorProcess, smtp: SmtpServer
) -> None:
    operator.start()
    set_secret(here)
    here.apply(policy(health=QUIET))
    wait_ready(here)
    says(here, "NotConfigured")
    run_ends(here, "before", Phase.SUCCEEDED)
    # Times are in whole seconds: what ends in the very second that mail comes on is told.
    ended = datetime.fromisoformat(here.get("br", "before")["status"]["completionTime"])
    here.wait(lambda: datetime.now(UTC) >= ended + timedelta(seconds=1), "the next second")
    set_secret(here, **smtp.settings())
    says(here, "Configured")
    run_ends(here, "after", Phase.SUCCEEDED)
    smtp.wait(1)
    smtp.stays_at(1)
    assert not here.get("br", "before")["status"].get("notifications")
