"""The dashboard in a real browser, before a real API server, an operator, and workers that really work.

HOLDFAST_PICTURES=FOLDER keeps a picture of each page, in three widths, by day and by night.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.integration.kube.conftest import Namespace, token_of
from tests.integration.kube.shop import Shop
from tests.integration.kube.test_web import run
from tests.support.browser import DESKTOP, SCHEMES, browser, picture, sticking_out, window
from tests.support.mongod import Mongod
from tests.support.web_process import WebProcess

HOSTILE = "<img src=x onerror=document.title='taken'>"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDTHS = (360, 800, 1440)
SECONDS = 20_000


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=SECONDS)
    with browser() as opened:
        yield opened


@pytest.fixture
def restorer(here: Namespace) -> str:
    """A token of who may do all that a page offers."""
    here.kubectl("create", "serviceaccount", "restorer")
    for role in ("view", "edit", "download", "restore"):
        options = (f"--clusterrole=default:holdfast:{role}", f"--serviceaccount={here.name}:restorer")
        here.kubectl("create", "rolebinding", f"restorer-{role}", *options)
    return token_of(here, "restorer")


@contextmanager
def signed_in(chromium: Browser, web: WebProcess, token: str, path: str = "/") -> Iterator[Page]:
    """A page of somebody who came by the form. Whatever it logs or throws fails the test."""
    problems: list[str] = []
    with window(chromium, DESKTOP) as page:
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if "Security Policy" in message.text else None)
        page.goto(f"http://127.0.0.1:{web.port}{path}")
        page.get_by_label("Token of the cluster").fill(token)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"**{path}")
        yield page
        assert problems == []


def test_a_run_is_watched_to_its_end_without_a_reload(
    shop: Shop, web: WebProcess, viewer: str, chromium: Browser
) -> None:
    here = shop.here
    with signed_in(chromium, web, viewer) as page:
        card = page.get_by_role("article", name="shop")
        expect(card).to_contain_text("No runs yet.")
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        here.apply(run("by-hand"))
        card.get_by_role("link", name="by-hand").click()
        page.wait_for_url("**/by-hand")
        page.evaluate("document.body.dataset.mine = 'not loaded anew'")
        phase = page.locator("#phase")
        expect(phase).to_have_text("Pending")
        pod = shop.start("by-hand")
        expect(phase).to_have_text("Succeeded")
        assert pod.end() == 0
        expect(page.get_by_role("row", name="timeEntries")).to_contain_text("200")
        assert page.evaluate("document.body.dataset.mine") == "not loaded anew"
        page.get_by_role("link", name="shop", exact=True).click()
        expect(page.get_by_role("region", name="Runs", exact=True)).to_contain_text("by-hand")
        page.get_by_role("link", name="Policies").click()
        expect(card.get_by_role("link", name="Succeeded")).to_have_attribute("href", f"/runs/{here.name}/by-hand")


def test_a_backup_is_started_and_a_restore_planned_and_done(
    shop: Shop, web: WebProcess, restorer: str, chromium: Browser
) -> None:
    here, database = shop.here, shop.database.name
    shop.back_up()
    shop.damage()
    with signed_in(chromium, web, restorer, f"/policies/{here.name}/shop") as page:
        page.get_by_role("link", name="Plan a restore").click()
        page.get_by_label("Replace collections").check()
        inspect(page, "restore-form")
        page.get_by_role("button", name="Show the plan").click()
        phase = page.locator("#phase")
        expect(phase).to_have_text("Pending")
        assert shop.start(f"restore-{page.url.rpartition('/')[2]}").end() == 0
        expect(phase).to_have_text("Succeeded")
        expect(page.get_by_role("row", name="timeEntries")).to_contain_text("Replace")
        inspect(page, "plan")
        page.get_by_label("name to confirm").fill("another")
        page.get_by_role("button", name=f"Restore into {database}").click()
        expect(page.get_by_role("alert")).to_contain_text("is not")
        page.get_by_label("name to confirm").fill(database)
        page.get_by_role("button", name=f"Restore into {database}").click()
        expect(phase).to_have_text("Pending")
        assert shop.start(f"restore-{page.url.rpartition('/')[2]}").end() == 0
        expect(phase).to_have_text("Succeeded")
        expect(page.locator("#state")).to_contain_text("Equal")
        inspect(page, "restore")
        assert shop.is_clean()
        page.get_by_role("link", name="shop", exact=True).click()
        page.get_by_role("button", name="Back up now").click()
        expect(phase).to_have_text("Pending")
        assert shop.start(page.url.rpartition("/")[2]).end() == 0
        expect(phase).to_have_text("Succeeded")
        page.get_by_role("button", name="Hold").click()
        expect(phase).to_contain_text("held")
        with page.expect_download() as begun:
            page.get_by_role("link", name="Download").click()
        assert json.loads(begun.value.path().read_text())["collections"]["users"]["count"] == 5
        inspect(page, "run-held")


def test_who_may_only_look_is_offered_nothing_to_do(
    shop: Shop, web: WebProcess, viewer: str, chromium: Browser
) -> None:
    with signed_in(chromium, web, viewer, f"/policies/{shop.here.name}/shop") as page:
        expect(page.get_by_role("heading", level=1)).to_contain_text("shop")
        expect(page.get_by_role("button")).to_have_text(["Sign out"])
        expect(page.get_by_role("link", name="Plan a restore")).to_have_count(0)
        page.goto(f"http://127.0.0.1:{web.port}/policies/{shop.here.name}/shop/restore")
        expect(page.get_by_role("heading", level=1)).to_have_text("You may not do this")


def test_what_stands_in_names_and_errors_is_text_and_nothing_else(
    shop: Shop, web: WebProcess, viewer: str, chromium: Browser
) -> None:
    shop.database[HOSTILE].insert_one({"_id": 1})
    shop.back_up()
    failed = {"name": HOSTILE, "phase": "Failed", "error": HOSTILE}
    shop.here.apply(run("other"))
    shop.here.tell("br/other", {"phase": "Failed", "message": HOSTILE, "warnings": [HOSTILE], "collections": [failed]})
    with signed_in(chromium, web, viewer, f"/runs/{shop.here.name}/by-hand") as page:
        expect(page.get_by_role("rowheader", name=HOSTILE)).to_be_visible()
        assert page.locator("main img").count() == 0
        page.goto(f"http://127.0.0.1:{web.port}/runs/{shop.here.name}/other")
        expect(page.get_by_role("cell", name=HOSTILE)).to_be_visible()
        expect(page.locator("#state")).to_contain_text(HOSTILE)
        assert page.locator("main img").count() == 0
        assert page.title() == "other · Holdfast"


def test_a_failure_is_read_with_what_to_do(
    shop: Shop, mongod: Mongod, web: WebProcess, viewer: str, chromium: Browser
) -> None:
    here = shop.here
    here.kubectl("delete", "secret", "shop")
    uri = mongod.uri_for("nobody", "wrong", database=shop.database.name)
    here.kubectl("create", "secret", "generic", "shop", f"--from-literal=MONGODB_URI={uri}")
    here.apply(run("by-hand"))
    assert shop.start("by-hand").end() != 0
    here.wait_for_status("br", "by-hand", phase="Failed")
    with signed_in(chromium, web, viewer, f"/runs/{here.name}/by-hand") as page:
        expect(page.locator("#phase")).to_have_text("Failed")
        expect(page.locator("#state")).to_contain_text("Authentication failed")


def test_who_may_see_nothing_is_told_how_to_be_let_in(
    here: Namespace, web: WebProcess, stranger: str, chromium: Browser
) -> None:
    with signed_in(chromium, web, stranger) as page:
        expect(page.get_by_role("heading", level=1)).to_have_text("You may not see any policy")
        expect(page.locator("pre")).to_contain_text(f"--user=system:serviceaccount:{here.name}:stranger")


def test_each_page_serves_those_who_do_not_see_and_fits_every_window(
    shop: Shop, web: WebProcess, viewer: str, chromium: Browser
) -> None:
    shop.back_up("first")
    shop.back_up("second")
    place = shop.here.name
    pages = {
        "home": "/",
        "policy": f"/policies/{place}/shop",
        "run": f"/runs/{place}/first",
        "lost": f"/runs/{place}/x",
    }
    with window(chromium) as page:
        page.goto(f"http://127.0.0.1:{web.port}/sign-in")
        inspect(page, "sign-in")
    with signed_in(chromium, web, viewer) as page:
        for name, path in pages.items():
            page.goto(f"http://127.0.0.1:{web.port}{path}")
            inspect(page, name)


def inspect(page: Page, name: str) -> None:
    """In every width nobody scrolls sideways, and axe finds nothing by day and by night."""
    folder = os.environ.get("HOLDFAST_PICTURES")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert sticking_out(page) == [], (name, width)
        for scheme in SCHEMES if folder else ():
            page.emulate_media(color_scheme=scheme)
            picture(page, Path(folder or "") / f"{name}-{width}-{scheme}.png")
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        assert flaws(page) == [], (name, scheme)


def flaws(page: Page) -> list[str]:
    """What axe finds on a page, each with the elements."""
    found = Axe().run(page, options={"resultTypes": ["violations"], "runOnly": TAGS}).response["violations"]
    return [f"{one['impact']} {one['id']}: {[node['html'][:200] for node in one['nodes']]}" for one in found]
