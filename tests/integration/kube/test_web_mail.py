"""Test mails over HTTP and from the dashboard: real SMTP with TLS, a real API server, and the rights of the chart."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.integration.kube.conftest import Namespace, token_of
from tests.integration.kube.test_dashboard import inspect, signed_in
from tests.integration.kube.test_dashboard_actions import Person
from tests.integration.kube.test_notifications import set_secret, text_of
from tests.integration.kube.test_resources import policy
from tests.integration.kube.test_web import LINES, audited_in, is_problem, run_line, seen
from tests.support.browser import browser
from tests.support.certificate import make_certificate
from tests.support.smtp_server import ADMIN, PASSWORD, USER, Certificates, SmtpServer
from tests.support.web_process import WebProcess

MAIL = "/api/admin/test-email"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(*make_certificate(tmp_path_factory.mktemp("certificates")))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture
def smtp(certificates: Certificates) -> Iterator[SmtpServer]:
    with SmtpServer(certificates, login=True) as running:
        yield running


@pytest.fixture
def path(here: Namespace, web: WebProcess, viewer: str, smtp: SmtpServer) -> str:
    """Of a policy with mail, seen by the API."""
    set_secret(here, **smtp.settings())
    here.apply(policy())
    seen(here, web, viewer, f"/api/policies?namespace={here.name}", 1)
    return f"{MAIL}?namespace={here.name}&policy=shop"


def test_how_mail_is_set_up_is_told_without_secrets(path: str, web: WebProcess, poster: str, smtp: SmtpServer) -> None:
    answer = web.get(path, poster)
    assert answer.status == 200
    told = answer.json
    assert (told["configured"], told["server"], told["recipients"]) == (True, f"127.0.0.1:{smtp.port}", [ADMIN])
    assert PASSWORD not in answer.text
    assert USER not in answer.text
    assert not smtp.received


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        ("test", "Mail works"),
        ("new_user", "Sample: 1 new user"),
        ("backup_success", "Sample: Backup of"),
        ("backup_failure", "Sample: Backup of"),
        ("weekly_summary", "Sample: Week of"),
    ],
)
def test_each_kind_comes_to_who_gets_the_mails_of_the_policy(
    path: str, web: WebProcess, poster: str, smtp: SmtpServer, here: Namespace, kind: str, subject: str
) -> None:
    answer = web.get(f"{path}&kind={kind}", poster, "POST")
    assert answer.status == 200, answer.text
    assert answer.json["recipients"] == [ADMIN]
    [mail] = smtp.wait(1)
    assert mail["To"] == ADMIN
    assert mail["Subject"].startswith(subject)
    assert kind == "test" or "This is a sample" in text_of(mail)
    who = f"system:serviceaccount:{here.name}:poster"
    [line] = audited_in(web, here)
    assert (line["who"], line["action"], line["name"], line["result"]) == (who, "TestMail", "shop", "Done")
    here.wait(lambda: who in here.kubectl("get", "events", "--field-selector=reason=TestMailSent"), "an event says so")


def test_a_mail_goes_nowhere_but_to_the_recipients_of_the_policy(
    path: str, web: WebProcess, poster: str, smtp: SmtpServer
) -> None:
    elsewhere = "to=victim@example.org&recipients=victim@example.org"
    answer = web.get(f"{path}&{elsewhere}", poster, "POST", body=b'{"to": "victim@example.org"}')
    assert answer.status == 200
    assert [one.rcpt_tos for one in smtp.envelopes] == [[ADMIN]]


def test_what_the_mail_server_refuses_is_told_in_its_words(
    path: str, web: WebProcess, poster: str, smtp: SmtpServer, here: Namespace
) -> None:
    smtp.behaviour.recipients[ADMIN] = "550 5.1.1 No such user here"
    answer = web.get(path, poster, "POST")
    assert answer.status == 409
    assert "No such user here" in answer.json["detail"]
    assert [one["result"] for one in audited_in(web, here)] == ["MailRefused"]
    _event_says(here, "No such user here")


def test_a_wrong_password_is_told_and_not_quoted(
    path: str, web: WebProcess, poster: str, smtp: SmtpServer, here: Namespace
) -> None:
    set_secret(here, **smtp.settings(SMTP_PASSWORD="hunter3-of-mail"))
    answer = web.get(path, poster, "POST")
    assert is_problem(answer, 409)
    assert "refused the user or the password" in answer.json["detail"]
    assert "hunter3" not in answer.text + web.log.read_text()


def test_where_mail_is_off_it_is_told(path: str, web: WebProcess, poster: str, here: Namespace) -> None:
    set_secret(here)
    told = web.get(path, poster).json
    assert (told["configured"], told["reason"]) == (False, "NotConfigured")
    assert is_problem(web.get(path, poster, "POST"), 409)
    assert [one["result"] for one in audited_in(web, here)] == ["InvalidMailSettings"]
    _event_says(here, "Mail is off")


def test_a_policy_without_a_mail_server_is_lent_that_of_the_installation(
    path: str, web: WebProcess, poster: str, smtp: SmtpServer, here: Namespace
) -> None:
    set_secret(here, ADMIN_EMAIL="own@example.com")
    for name, value in smtp.settings().items():
        (web.smtp_folder / name).write_text(value)
    try:
        assert web.get(path, poster).json["recipients"] == ["own@example.com"]
        assert web.get(path, poster, "POST").status == 200
    finally:
        for file in web.smtp_folder.iterdir():
            file.unlink()
    assert [one.rcpt_tos for one in smtp.envelopes] == [["own@example.com"]]


def test_who_may_only_look_neither_sees_nor_sends(path: str, web: WebProcess, viewer: str, smtp: SmtpServer) -> None:
    assert is_problem(web.get(path, viewer), 403)
    assert is_problem(web.get(path, viewer, "POST"), 403)
    assert is_problem(web.get(path, None, "POST"), 401)
    assert not smtp.received


def test_nobody_sends_many(path: str, web: WebProcess, poster: str, smtp: SmtpServer, here: Namespace) -> None:
    answers = [web.get(path, poster, "POST") for _ in range(6)]
    assert [one.status for one in answers] == [200] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert len(smtp.received) == 5
    assert [one["result"] for one in audited_in(web, here)] == ["Done"] * 5 + ["TooManyRequests"]


def test_mails_are_made_by_the_templates_of_the_policy(
    here: Namespace, web: WebProcess, viewer: str, poster: str, smtp: SmtpServer
) -> None:
    here.kubectl("create", "configmap", "mails", "--from-literal=backup_success.txt=As we like it.")
    set_secret(here, **smtp.settings())
    here.apply(policy(notifications={"email": {"templatesRef": {"name": "mails"}}}))
    seen(here, web, viewer, f"/api/policies?namespace={here.name}", 1)
    answer = web.get(f"{MAIL}?namespace={here.name}&kind=backup_success", poster, "POST")
    assert answer.status == 200, answer.text
    assert text_of(smtp.received[0]).startswith("As we like it.")


@pytest.mark.parametrize("line", [line for line in LINES if "/test-email" in line])
def test_each_line_of_the_docs_works(
    path: str, here: Namespace, web: WebProcess, poster: str, line: str, tmp_path: Path
) -> None:
    del path
    done = run_line(line, web, poster, here, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["policy"] == "shop"


def test_from_the_page_of_a_policy_by_who_may_edit_it(
    path: str, here: Namespace, web: WebProcess, smtp: SmtpServer
) -> None:
    del path
    here.kubectl("create", "serviceaccount", "editor")
    for role in ("view", "edit"):
        options = (f"--clusterrole=default:holdfast:{role}", f"--serviceaccount={here.name}:editor")
        here.kubectl("create", "rolebinding", f"editor-{role}", *options)
    editor = Person(here, web, token_of(here, "editor"))
    assert "Send a test mail" in editor.look("/policies/{}/shop").text
    answer = editor.send("/policies/{}/shop/test-mail")
    assert answer.status == 200
    assert f"took a test mail for {ADMIN}" in answer.text
    smtp.wait(1)
    smtp.behaviour.recipients[ADMIN] = "550 5.1.1 No such user here"
    refused = editor.send("/policies/{}/shop/test-mail")
    assert refused.status == 409
    assert "No such user here" in refused.text


def test_the_button_sends_a_mail_and_says_what_became_of_it(
    path: str, here: Namespace, web: WebProcess, smtp: SmtpServer, chromium: Browser
) -> None:
    del path
    here.kubectl("create", "serviceaccount", "clicker")
    for role in ("view", "edit"):
        options = (f"--clusterrole=default:holdfast:{role}", f"--serviceaccount={here.name}:clicker")
        here.kubectl("create", "rolebinding", f"clicker-{role}", *options)
    with signed_in(chromium, web, token_of(here, "clicker"), f"/policies/{here.name}/shop") as page:
        page.get_by_role("button", name="Send a test mail").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("The mail is on its way")
        expect(page.locator("main")).to_contain_text(ADMIN)
        inspect(page, "mail-sent")
        assert len(smtp.wait(1)) == 1
        smtp.behaviour.recipients[ADMIN] = "550 5.1.1 No such user here"
        page.get_by_role("link", name="Back to shop").click()
        page.get_by_role("button", name="Send a test mail").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("That cannot be done")
        expect(page.locator("main")).to_contain_text("No such user here")
        inspect(page, "mail-refused")


def test_from_the_page_of_a_policy_by_nobody_else(path: str, here: Namespace, web: WebProcess, viewer: str) -> None:
    del path
    somebody = Person(here, web, viewer)
    assert "Send a test mail" not in somebody.look("/policies/{}/shop").text
    assert somebody.send("/policies/{}/shop/test-mail").status == 403


def _event_says(here: Namespace, words: str) -> None:
    """One about the policy tells who tried, and why it failed."""
    who = f"system:serviceaccount:{here.name}:poster could not send"
    options = ("--field-selector=involvedObject.name=shop,reason=TestMailFailed,type=Warning", "-o", "json")
    here.wait(lambda: (shown := here.kubectl("get", "events", *options)) and who in shown and words in shown, words)
