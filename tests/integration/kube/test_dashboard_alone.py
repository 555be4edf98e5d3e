"""The dashboard in a real browser, where nobody but the test says what the cluster holds: no operator works here."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, expect

from holdfast.resources.base import format_time
from holdfast.wiring.opening import now
from tests.integration.kube.conftest import Namespace
from tests.integration.kube.test_dashboard import SECONDS, inspect, signed_in
from tests.integration.kube.test_resources import policy
from tests.integration.kube.test_web import run, seen
from tests.support.browser import browser
from tests.support.web_process import WebProcess


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=SECONDS)
    with browser() as opened:
        yield opened


def test_names_as_long_as_they_may_be_fit_every_window(
    here: Namespace, web: WebProcess, viewer: str, chromium: Browser
) -> None:
    name, run_name, collection = "p" * 52, "r" * 63, "c" * 200
    long_run = run(run_name)
    long_run["spec"]["policyRef"]["name"] = name
    here.apply(policy(name), long_run)
    said = {"name": collection, "phase": "Failed", "documents": 10**15, "bytes": 10**15, "error": "e" * 500}
    here.tell(f"br/{run_name}", {"phase": "Failed", "message": "m" * 900, "collections": [said]})
    with signed_in(chromium, web, viewer) as page:
        for path, heading in (
            ("/", "Policies"),
            (f"/policies/{here.name}/{name}", name),
            (f"/runs/{here.name}/{run_name}", run_name),
        ):
            page.goto(f"http://127.0.0.1:{web.port}{path}")
            expect(page.get_by_role("heading", level=1)).to_contain_text(heading)
            inspect(page, f"long-{len(path)}")


def test_a_policy_that_is_deleted_while_its_page_is_open_is_said_to_be_gone(
    here: Namespace, web: WebProcess, viewer: str, chromium: Browser
) -> None:
    here.apply(policy())
    seen(here, web, viewer, f"/api/policies?namespace={here.name}", 1)
    with signed_in(chromium, web, viewer, f"/policies/{here.name}/shop") as page:
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        here.kubectl("delete", "bp", "shop")
        expect(page.get_by_role("heading", level=1)).to_have_text("Not here")
        page.get_by_role("link", name="All policies").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("You may not see any policy")


def test_drills_are_shown_with_their_recovery_times(
    here: Namespace, web: WebProcess, viewer: str, chromium: Browser
) -> None:
    here.apply(policy())
    drills = [
        {"job": f"shop-drill-{day}", "result": "Passed", "time": f"2026-03-{day:02}T03:00:00Z", "documents": 212,
         "durationSeconds": 60 + day, "duration": f"1m{day}s", "backupId": f"202603{day:02}T020000Z-0a"}
        for day in (22, 15, 8)
    ]  # fmt: skip
    failed = {"job": "shop-drill-1", "result": "Failed", "time": "2026-03-01T03:00:00Z", "message": "A chunk is gone."}
    here.tell("bp/shop", {"lastDrill": drills[0], "drills": [*drills, failed]})
    with signed_in(chromium, web, viewer, f"/policies/{here.name}/shop") as page:
        section = page.get_by_role("region", name="Drills", exact=True)
        expect(section.get_by_role("row", name="shop-drill-15")).to_contain_text("1m15s")
        expect(section.get_by_role("row", name="shop-drill-1 Failed")).to_contain_text("A chunk is gone.")
        expect(section.get_by_role("img", name="Recovery time")).to_be_visible()
        inspect(page, "drills")


def test_times_run_and_the_last_runs_are_walked_by_arrow_keys(
    here: Namespace, web: WebProcess, viewer: str, chromium: Browser
) -> None:
    here.apply(policy(), run("one"), run("two"))
    here.tell("br/one", {"phase": "Failed", "reason": "DatabaseMissing"})
    here.tell("br/two", {"phase": "Succeeded"})
    here.tell("bp/shop", {"nextScheduleTime": format_time(now() + timedelta(hours=2))})
    seen(here, web, viewer, f"/api/runs?namespace={here.name}&phase=Succeeded", 1)
    with signed_in(chromium, web, viewer) as page:
        until = page.locator("time[data-until]")
        shown = until.text_content() or ""
        assert shown.startswith("in 1h59m"), "hours and minutes"
        here.tell("bp/shop", {"nextScheduleTime": format_time(now() + timedelta(seconds=13))})
        expect(until).to_have_text(re.compile(r"^in 1\ds$"))
        expect(until).to_have_text(re.compile(r"^in \ds$"))
        told = page.locator("[data-strip-details]")
        names = {"one": "Failed", "two": "Succeeded"}
        page.locator("[data-strip] a").last.focus()
        newest = (page.evaluate("document.activeElement.href")).rpartition("/")[2]
        expect(told).to_contain_text(names.pop(newest))
        page.keyboard.press("ArrowLeft")
        [older] = names.values()
        expect(told).to_contain_text(older)
        page.keyboard.press("Enter")
        expect(page.locator("#phase")).to_have_text(older)


def test_when_its_token_is_taken_away_an_open_page_says_that_the_session_is_over(
    here: Namespace, web: WebProcess, viewer: str, chromium: Browser
) -> None:
    here.apply(policy())
    seen(here, web, viewer, f"/api/policies?namespace={here.name}", 1)
    with signed_in(chromium, web, viewer) as page:
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        here.kubectl("delete", "serviceaccount", "viewer")
        # Who somebody is may be remembered for ten seconds.
        here.wait(lambda: web.get("/api/policies", viewer).status == 401, "its token is not known any more")
        here.apply(run("meanwhile"))
        page.wait_for_url("**/sign-in?next=*")
        expect(page.get_by_role("status")).to_contain_text("Your session is over")
