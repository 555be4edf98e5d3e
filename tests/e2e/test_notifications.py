"""The end of a run arrives as a mail: the operator in its pod, a worker in its own, and a real SMTP server with TLS."""

from tests.e2e.site import Site
from tests.support.kubectl import Kubectl
from tests.support.smtp_server import ADMIN, PASSWORD, SmtpServer


def test_a_success_a_failure_and_a_recovery_are_told(site: Site, smtp: SmtpServer, operator: Kubectl) -> None:
    site.fill()
    good = site.uri()
    site.secret_with_mail(good, smtp)
    # Its source cannot be read for a while, which health would tell too.
    site.policy(job={"backoffLimit": 0}, health={"ping": False})
    site.kubectl.wait("backuppolicy/timetrack", "condition=NotificationsReady")

    backup_id = site.back_up()["backupId"]
    first = smtp.wait(1, 60)[0]
    assert (first["To"], "succeeded" in first["Subject"]) == (ADMIN, True)
    body = first.get_body(("plain",))
    assert body is not None
    assert backup_id in body.get_content()

    site.secret_with_mail(good.replace(site.password, "wrong"), smtp)
    site.ended(site.start(), "Failed")
    assert "FAILED" in smtp.wait(2, 60)[1]["Subject"]

    site.secret_with_mail(good, smtp)
    run = site.start()
    site.ended(run)
    last = smtp.wait(3, 60)[2]
    assert "good again" in last["Subject"]
    site.kubectl.wait(f"backuprun/{run}", "jsonpath={.status.notifications.deliveries[0].phase}=Sent")
    smtp.stays_at(3)
    assert PASSWORD not in site.everything_said() + operator("logs", "deployment/holdfast")
