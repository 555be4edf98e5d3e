"""The HTTP API and the dashboard in their pod, behind their Service, with the rights that the chart gives them."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.site import Site
from tests.support.browser import browser, window
from tests.support.kubectl import Kubectl
from tests.support.smtp_server import ADMIN, SmtpServer

DOCS = Path(__file__).resolve().parents[2] / "docs" / "api.md"
LINES = [line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith("curl ")]
ROLES = ("view", "edit", "download", "restore")


@pytest.fixture
def address(operator: Kubectl) -> Iterator[str]:
    """As the docs say to reach it."""
    with operator.running("port-forward", "service/holdfast-web", ":8082", until=r"from (127\.0\.0\.1:\d+)") as found:
        yield f"http://{found[1]}"


@pytest.fixture
def token(site: Site) -> str:
    """Of somebody who may do all of it in this namespace."""
    site.kubectl("create", "serviceaccount", "somebody")
    for role in ROLES:
        who = (f"--clusterrole=holdfast-system:holdfast:{role}", f"--serviceaccount={site.namespace}:somebody")
        site.kubectl("create", "rolebinding", f"somebody-{role}", *who)
    return site.kubectl("create", "token", "somebody").strip()


def test_each_line_of_the_docs_works_in_a_cluster(
    site: Site, address: str, token: str, smtp: SmtpServer, tmp_path: Path
) -> None:
    site.fill()
    site.secret_with_mail(site.uri(), smtp)
    site.policy("shop")
    site.kubectl.wait("backuppolicy/shop", "condition=Ready")
    folder = tmp_path / "downloads"
    folder.mkdir()
    variables = {"HOLDFAST": address, "TOKEN": token, "NAMESPACE": site.namespace, "PATH": os.environ["PATH"]}
    # What is started waits for its end before it is downloaded.
    for line in sorted(LINES, key=lambda line: ("-OJ" in line, "wait=true" not in line)):
        done = subprocess.run(
            ["bash", "-c", line], env=variables, cwd=folder, capture_output=True, text=True, timeout=180
        )
        assert done.returncode == 0, line + done.stdout + done.stderr
    assert sorted(path.suffix for path in folder.iterdir()) == [".archive", ".json"]
    samples = [mail for mail in smtp.wait(1) if mail["Subject"].startswith("Sample: ")]
    assert [mail["To"] for mail in samples] == [ADMIN], "beside those of the operator"


def test_a_backup_and_a_plan_are_asked_for_and_watched_in_a_browser(site: Site, address: str, token: str) -> None:
    site.ready()
    with browser() as opened, window(opened) as page:
        expect.set_options(timeout=90_000)
        page.goto(f"{address}/policies/{site.namespace}/timetrack")
        page.get_by_label("Token of the cluster").fill(token)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Back up now").click()
        _succeeds_by_itself(page)
        page.get_by_role("link", name="Plan a restore").click()
        page.get_by_role("button", name="Show the plan").click()
        expect(page.locator("#phase")).to_have_text(re.compile("Succeeded"))
        expect(page.get_by_role("heading", name="It would do nothing")).to_be_visible()


def _succeeds_by_itself(page: Page) -> None:
    page.wait_for_url("**/runs/**")
    page.evaluate("document.body.dataset.mine = 'not loaded anew'")
    expect(page.locator("#phase")).to_have_text("Succeeded")
    expect(page.get_by_role("row", name="timeEntries")).to_contain_text("300")
    assert page.evaluate("document.body.dataset.mine") == "not loaded anew"
