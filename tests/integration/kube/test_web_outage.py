"""The API server is away for a while: nothing old passes for new meanwhile, and all comes back by itself."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.integration.kube.conftest import Namespace
from tests.integration.kube.test_dashboard import signed_in
from tests.integration.kube.test_resources import policy
from tests.integration.kube.test_web import is_problem, run, seen
from tests.integration.kube.test_web_events import stream
from tests.support.browser import browser
from tests.support.control_plane import ControlPlane
from tests.support.relay import Relay
from tests.support.web_process import WebProcess


@pytest.fixture(scope="module")
def relay(control_plane: ControlPlane) -> Iterator[Relay]:
    with Relay(control_plane.port) as relay:
        yield relay


@pytest.fixture(scope="module")
def web(control_plane: ControlPlane, relay: Relay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    """It reaches the API server by the relay alone."""
    folder = tmp_path_factory.mktemp("web")
    (folder / "key").write_text("k" * 32)
    api, key = f"https://127.0.0.1:{relay.port}", str(folder / "key")
    process = WebProcess(control_plane, folder, api=api, session_key_file=key)
    try:
        process.start()
        yield process
    finally:
        process.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=30_000)
    with browser() as opened:
        yield opened


@pytest.fixture
def cut(relay: Relay) -> Iterator[Relay]:
    """It is whole again when the test has ended."""
    yield relay
    relay.mend()


def test_a_stream_tells_of_the_loss_and_afterwards_of_what_it_missed(
    here: Namespace, web: WebProcess, viewer: str, cut: Relay
) -> None:
    here.apply(policy())
    seen(here, web, viewer, f"/api/policies?namespace={here.name}", 1)
    with stream(web, viewer, f"/api/events?namespace={here.name}") as events:
        assert events.next()["event"] == "ready"
        cut.cut()
        assert events.next()["event"] == "lost"
        assert is_problem(web.get("/readyz"), 503)
        assert web.get("/healthz").status == 200, "to start it anew would not help"
        here.apply(run("meanwhile"))
        here.wait(lambda: web.get("/api/policies", viewer).status == 503, "nobody is known any more")
        refusal = web.get("/api/policies", viewer)
        assert is_problem(refusal, 503)
        assert int(refusal.headers["retry-after"]) > 0
        cut.mend()
        told = {events.next()["event"] for _ in range(2)}
        assert told == {"ready", "change"}
    assert web.get("/readyz").status == 200
    seen(here, web, viewer, f"/api/runs?namespace={here.name}", 1)


def test_an_open_page_says_that_it_is_not_live_and_catches_up(
    here: Namespace, web: WebProcess, viewer: str, cut: Relay, chromium: Browser
) -> None:
    here.apply(policy())
    seen(here, web, viewer, f"/api/policies?namespace={here.name}", 1)
    with signed_in(chromium, web, viewer, f"/policies/{here.name}/shop") as page:
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        cut.cut()
        expect(page.get_by_text("Not live", exact=True)).to_be_visible()
        here.apply(run("meanwhile"))
        cut.mend()
        expect(page.get_by_role("row", name="meanwhile")).to_be_visible()
        expect(page.get_by_text("Live", exact=True)).to_be_visible()


def test_an_open_page_goes_on_with_another_process(
    here: Namespace, web: WebProcess, viewer: str, chromium: Browser
) -> None:
    here.apply(policy())
    seen(here, web, viewer, f"/api/policies?namespace={here.name}", 1)
    with signed_in(chromium, web, viewer, f"/policies/{here.name}/shop") as page:
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        web.stop()
        expect(page.get_by_text("Not live", exact=True)).to_be_visible()
        here.apply(run("meanwhile"))
        web.start()
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        expect(page.get_by_role("row", name="meanwhile")).to_be_visible()


def test_a_page_that_is_opened_meanwhile_says_what_is_the_matter(
    here: Namespace, web: WebProcess, viewer: str, cut: Relay, chromium: Browser
) -> None:
    here.apply(policy())
    with signed_in(chromium, web, viewer) as page:
        cut.cut()
        expect(page.get_by_text("Not live", exact=True)).to_be_visible()
        # Who somebody is may be remembered for ten seconds.
        here.wait(lambda: (answer := page.reload()) and answer.status == 503, "nobody is known any more")
        expect(page.get_by_role("heading", level=1)).to_have_text("The cluster does not answer")
        cut.mend()
        page.reload()
        expect(page.get_by_role("article", name="shop")).to_be_visible()
