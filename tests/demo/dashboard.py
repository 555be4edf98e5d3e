"""The demo's look at the dashboard: its address, opened in a browser as a viewer, and a picture of what it shows."""

import re
from pathlib import Path

from playwright.sync_api import Error as BrowserTrouble
from playwright.sync_api import expect

from tests.demo.console import DemoError, Shell, say
from tests.support.browser import DESKTOP, BrowserError, browser, picture, window

SERVICE = "service/holdfast-web"
SECONDS = 30_000


def open_dashboard(shell: Shell, system: str, namespace: str, policy: str, folder: Path) -> None:
    """Sign in as who may look into ``namespace``, and keep a picture of the policy's page in ``folder``."""
    for kind, name, *options in (
        ("serviceaccount", "viewer"),
        ("rolebinding", "viewer", "--clusterrole=view", f"--serviceaccount={namespace}:viewer"),
    ):
        shell.run("kubectl", "create", kind, name, *options, "--namespace", namespace)
    token = shell.run("kubectl", "create", "token", "viewer", "--namespace", namespace).strip()
    command = ("kubectl", "port-forward", "--namespace", system, SERVICE, ":8082")
    with shell.running(*command, until=re.compile(r"Forwarding from (127\.0\.0\.1:\d+)")) as found:
        address = f"http://{found[1]}"
        say(f"The dashboard: {address}")
        try:
            path = _picture(address, token, f"/policies/{namespace}/{policy}", folder / "dashboard.png")
        except (BrowserError, BrowserTrouble, AssertionError) as error:
            raise DemoError(f"The dashboard cannot be shown in a browser: {error}") from error
    say(f"Its picture lies in {path}")


def _picture(address: str, token: str, path: str, file: Path) -> Path:
    expect.set_options(timeout=SECONDS)
    with browser() as opened, window(opened, DESKTOP) as page:
        page.goto(address + path)
        page.get_by_label("Token of the cluster").fill(token)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        expect(page.get_by_role("region", name="Runs", exact=True)).to_contain_text("Succeeded")
        expect(page.get_by_role("region", name="Restores", exact=True)).to_contain_text("Equal")
        return picture(page, file)
