"""The doors of the dashboard: signing in and out, forms from elsewhere, cookies of others, tricks in paths."""

import json
from collections.abc import Iterator, Mapping
from urllib.parse import urlencode

import pytest

from tests.integration.kube.conftest import Namespace, token_of
from tests.integration.kube.test_resources import policy
from tests.integration.kube.test_web import seen
from tests.support.control_plane import ControlPlane
from tests.support.web_process import Answer, WebProcess

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def web(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    """It believes where requests say that they come from."""
    process = WebProcess(control_plane, tmp_path_factory.mktemp("web"), trusted_proxies="127.0.0.1")
    try:
        process.start()
        yield process
    finally:
        process.stop()


def send(web: WebProcess, path: str, cookie: str = "", headers: Mapping[str, str] = FORM, **fields: str) -> Answer:
    cookies = {"Cookie": cookie} if cookie else {}
    return web.get(path, method="POST", headers={**headers, **cookies}, body=urlencode(fields).encode())


def look(web: WebProcess, path: str, cookie: str = "") -> Answer:
    return web.get(path, headers={"Cookie": cookie} if cookie else {})


def sign_in(web: WebProcess, token: str) -> str:
    """The cookie of a session."""
    answer = send(web, "/sign-in", token=token)
    assert answer.status == 303, answer.text
    return answer.headers["set-cookie"].partition(";")[0]


def secret_in(page: Answer) -> str:
    return page.text.partition('name="secret" value="')[2].partition('"')[0]


def test_who_has_not_signed_in_is_led_there_and_back(web: WebProcess, viewer: str) -> None:
    answer = look(web, "/policies/a/b")
    assert (answer.status, answer.headers["location"]) == (303, "/sign-in?next=%2Fpolicies%2Fa%2Fb")
    assert send(web, "/sign-in", token=viewer, next="/policies/a/b").headers["location"] == "/policies/a/b"


def test_no_script_reads_the_cookie_and_no_other_site_makes_a_browser_send_it(web: WebProcess, viewer: str) -> None:
    cookie = send(web, "/sign-in", token=viewer).headers["set-cookie"]
    assert cookie.startswith("__Host-holdfast=")
    assert viewer not in cookie
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "secure", "samesite=strict", "path=/", "max-age=3600"} <= parts


@pytest.mark.parametrize("token", ["", "made-up", "ä", "x" * 20_000])
def test_a_token_that_does_not_count_is_told_on_the_form(web: WebProcess, token: str) -> None:
    answer = send(web, "/sign-in", token=token)
    assert answer.status == 401
    assert 'role="alert"' in answer.text
    assert "set-cookie" not in answer.headers
    assert token not in answer.text or not token


def test_a_token_for_another_audience_does_not_sign_in(here: Namespace, web: WebProcess, viewer: str) -> None:
    del viewer
    assert send(web, "/sign-in", token=token_of(here, "viewer", "--duration=10m")).status == 401


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/sign-out", "/a\nb"]
)
def test_signing_in_leads_to_no_other_place(web: WebProcess, viewer: str, path: str) -> None:
    assert send(web, "/sign-in", token=viewer, next=path).headers["location"] == "/"


@pytest.mark.parametrize(
    "headers",
    [
        {**FORM, "Sec-Fetch-Site": "cross-site"},
        {**FORM, "Sec-Fetch-Site": "same-site"},
        {"Content-Type": FORM["Content-Type"], "Origin": "https://evil.example"},
        {"Content-Type": FORM["Content-Type"], "Origin": "null"},
    ],
)
def test_a_form_of_another_site_signs_nobody_in(web: WebProcess, viewer: str, headers: dict[str, str]) -> None:
    answer = send(web, "/sign-in", headers=headers, token=viewer)
    assert answer.status == 403
    assert "set-cookie" not in answer.headers


def test_who_tries_tokens_is_slowed_down_and_nobody_else(web: WebProcess, viewer: str) -> None:
    def attempt(address: str, token: str) -> Answer:
        return send(web, "/sign-in", headers={**FORM, "X-Forwarded-For": address}, token=token)

    answers = [attempt("203.0.113.1", f"made-up-{number}") for number in range(11)]
    assert [one.status for one in answers] == [401] * 10 + [429]
    assert "Too many failed attempts to sign in" in answers[-1].text
    assert 0 < int(answers[-1].headers["retry-after"]) <= 30
    assert attempt("203.0.113.1", viewer).status == 429
    assert [attempt("203.0.113.2", viewer).status for _ in range(12)] == [303] * 12


def test_signing_out_takes_a_form_of_this_very_session(web: WebProcess, viewer: str) -> None:
    cookie, other = sign_in(web, viewer), sign_in(web, viewer)
    for secret in ("", "guessed", secret_in(look(web, "/", other))):
        assert send(web, "/sign-out", cookie, secret=secret).status == 403
    answer = send(web, "/sign-out", cookie, secret=secret_in(look(web, "/", cookie)))
    assert answer.status == 303
    assert "Max-Age=0" in answer.headers["set-cookie"]


def test_a_cookie_looks_through_the_api_and_changes_nothing(here: Namespace, web: WebProcess, backer: str) -> None:
    here.apply(policy())
    seen(here, web, backer, f"/api/policies?namespace={here.name}", 1)
    cookie = sign_in(web, backer)
    assert look(web, f"/api/policies?namespace={here.name}", cookie).json["items"][0]["name"] == "shop"
    path = f"/api/admin/backup?namespace={here.name}&policy=shop"
    assert web.get(path, method="POST", headers={"Cookie": cookie}).status == 401
    assert "No resources found" in here.kubectl("get", "backupruns")


def test_a_cookie_of_somebody_else_leads_to_the_form(web: WebProcess) -> None:
    answer = look(web, "/", "__Host-holdfast=gAAAAABmadeup")
    assert answer.headers["location"] == "/sign-in?next=%2F&over=true"
    assert "session is over" in look(web, answer.headers["location"]).text


def test_pages_load_nothing_from_elsewhere_and_run_no_script_of_their_text(web: WebProcess, viewer: str) -> None:
    cookie = sign_in(web, viewer)
    for path in ("/sign-in", "/", "/policies/a/b"):
        answer = look(web, path, "" if path == "/sign-in" else cookie)
        rules = dict(rule.strip().partition(" ")[::2] for rule in answer.headers["content-security-policy"].split(";"))
        assert rules["default-src"] == "'none'"
        assert {rules[kind] for kind in ("script-src", "style-src", "connect-src", "form-action")} == {"'self'"}
        assert rules["frame-ancestors"] == "'none'"
        assert answer.headers["cache-control"] == "no-store"
        assert " style=" not in answer.text
        assert " on" not in answer.text.partition("<body")[2].partition(">")[0]


def test_style_and_script_are_kept_by_browsers(web: WebProcess) -> None:
    path = look(web, "/sign-in").text.partition('rel="stylesheet" href="')[2].partition('"')[0]
    answer = look(web, path)
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert look(web, path.rpartition("/")[0] + "/..%2fsession.py").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/policies/%2e%2e/x",
        "/policies/a/..%2f..",
        "/policies/a/%00",
        "/policies/A/b",
        "/runs/a/%3Cscript%3E",
        "/runs/a/x",
    ],
)
def test_what_is_not_there_is_told_on_a_page(here: Namespace, web: WebProcess, viewer: str, path: str) -> None:
    del here
    answer = look(web, path, sign_in(web, viewer))
    assert answer.status in (403, 404)
    assert "<b>" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 422),
        ("application/x-www-form-urlencoded", b"token=" + b"x" * 70_000, 422),
        ("application/x-www-form-urlencoded", b"\xff\xfe=\xff", 422),
        ("application/x-www-form-urlencoded", b"&".join(b"a=1" for _ in range(100)), 422),
    ],
)
def test_a_body_that_is_no_form_of_ours_is_refused(
    web: WebProcess, content_type: str, body: bytes, status: int
) -> None:
    answer = web.get("/sign-in", method="POST", headers={**FORM, "Content-Type": content_type}, body=body)
    assert answer.status == status
    assert answer.headers["content-type"].startswith("text/html")


def test_who_comes_and_goes_is_told(here: Namespace, web: WebProcess, stranger: str) -> None:
    before = len(entries(web))
    cookie = sign_in(web, stranger)
    send(web, "/sign-out", cookie, secret=secret_in(look(web, "/", cookie)))
    send(web, "/sign-in", token="made-up")
    who = f"system:serviceaccount:{here.name}:stranger"
    assert [(one["action"], one["who"], one["result"]) for one in entries(web)[before:]] == [
        ("SignIn", who, "Done"), ("SignOut", who, "Done"), ("SignIn", "", "Unauthorized"),
    ]  # fmt: skip


def entries(web: WebProcess) -> list[dict[str, str]]:
    """All of the audit log."""
    return [json.loads(line) for line in web.log.read_text().splitlines() if line.startswith("{")]
