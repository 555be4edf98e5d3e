"""What happens arrives as a mail: the operator in its pod, a worker in its own, and a real SMTP server with TLS."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests import cluster
from tests.e2e.site import Site
from tests.support.kubectl import Kubectl
from tests.support.mongod import Mongod
from tests.support.smtp_server import ADMIN, PASSWORD, SmtpServer


@pytest.fixture
def own_mongod(kubernetes: cluster.Cluster, tmp_path: Path) -> Iterator[Mongod]:
    """One that may be stopped, and keeps its data meanwhile."""
    address = kubernetes.node_address
    parameters = {"enableTestCommands": "1"}
    with Mongod(
        bind=("127.0.0.1", address), advertise=address, directory=tmp_path / "mongod", parameters=parameters
    ) as server:
        yield server


def test_a_success_a_failure_a_recovery_and_a_signup_are_told(
    own_mongod: Mongod, site: Site, smtp: SmtpServer, operator: Kubectl
) -> None:
    site.mongod = own_mongod
    site.fill()
    site.secret_with_mail(site.uri(), smtp)
    # Its source is away for a while, which health would tell too.
    site.policy(job={"backoffLimit": 0}, health={"ping": False}, notifications={"newUsers": {"collectSeconds": 0}})
    site.kubectl.wait("backuppolicy/timetrack", "condition=NotificationsReady")
    site.kubectl.wait("backuppolicy/timetrack", "condition=NewUsersReady")

    backup_id = site.back_up()["backupId"]
    first = smtp.wait(1, 60)[0]
    assert (first["To"], "succeeded" in first["Subject"]) == (ADMIN, True)
    assert backup_id in text_of(first)

    own_mongod.stop()
    site.ended(site.start(), "Failed")
    failure = smtp.wait(2, 60)[1]
    assert "FAILED" in failure["Subject"]
    assert "Check that the server runs" in text_of(failure)
    site.kubectl.wait("backuppolicy/timetrack", "condition=NewUsersReady=false")

    own_mongod.start()
    run = site.start()
    site.ended(run)
    recovery = smtp.wait(3, 60)[2]
    assert "good again" in recovery["Subject"]
    site.kubectl.wait(f"backuprun/{run}", "jsonpath={.status.notifications.deliveries[0].phase}=Sent")

    site.kubectl.wait("backuppolicy/timetrack", "condition=NewUsersReady")
    person = {"name": "Ada Lovelace", "email": "ada@example.org"}
    own_mongod.client[site.database]["users"].insert_one({**person, "createdAt": datetime.now(UTC)})
    signup = smtp.wait(4, 60)[3]
    assert signup["Subject"].startswith(f"1 new user of {site.database}")
    assert "- Ada Lovelace, ada@example.org" in text_of(signup)

    smtp.stays_at(4)
    said = site.everything_said() + operator("logs", "deployment/holdfast")
    assert [secret for secret in (PASSWORD, site.password, *person.values()) if secret in said] == []


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())
