"""Bodies and tokens of somebody who means no good, at the real server: no answer but a refusal, and no memory spent."""

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from holdfast.web.body_limit import BODY_LIMIT
from tests.integration.kube.conftest import Namespace
from tests.integration.kube.test_web import BACKUP
from tests.support.control_plane import ControlPlane
from tests.support.web_process import WebProcess

PATHS = (BACKUP, "/api/policies", "/sign-in", "/nothing")


def refused(web: WebProcess, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
    """Status and title of the answer to this head and the begin of a body that never ends."""
    connection = web.connect()
    try:
        connection.putrequest("POST", path)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        text = response.read().decode()
        kind = response.getheader("content-type") or ""
        return response.status, json.loads(text)["title"] if "problem+json" in kind else text
    finally:
        connection.close()


@pytest.mark.parametrize("path", PATHS)
def test_a_giant_body_is_refused_before_it_is_sent(web: WebProcess, path: str) -> None:
    assert refused(web, path, {"Content-Length": str(10**12)}, b"") == (413, "TooLarge")


@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_does_not_say_how_large_it_is_is_not_read_to_its_end(web: WebProcess, path: str) -> None:
    chunk = b"%x\r\n%s\r\n" % (BODY_LIMIT + 1, b"x" * (BODY_LIMIT + 1))
    assert refused(web, path, {"Transfer-Encoding": "chunked"}, chunk) == (413, "TooLarge")


def test_a_small_one_that_does_not_say_so_is_read_like_any_other(web: WebProcess) -> None:
    headers = {"Transfer-Encoding": "chunked", "Content-Type": "application/x-www-form-urlencoded"}
    status, page = refused(web, "/sign-in", headers, b"d\r\ntoken=made-up\r\n0\r\n\r\n")
    assert (status, "<form" in page) == (401, True)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "many"},
        {"Content-Length": "-1"},
        {"Content-Length": "3", "content-length": "4"},
        {"Transfer-Encoding": "chunked, gzip"},
    ],
)
def test_a_body_whose_length_makes_no_sense_is_refused(web: WebProcess, headers: dict[str, str]) -> None:
    status, _title = refused(web, "/sign-in", headers, b"")
    assert status in (400, 501)


@pytest.mark.parametrize("body", [b"{", b"\x00\xff", b"[" * 10_000, b'{"to": ["victim@example.org"]}'])
def test_a_body_where_none_is_taken_changes_nothing(web: WebProcess, body: bytes) -> None:
    answer = web.get(BACKUP, None, "POST", headers={"Content-Type": "application/json"}, body=body)
    assert answer.status == 401


@pytest.fixture
def parts(control_plane: ControlPlane, viewer: str) -> tuple[str, dict[str, object], rsa.RSAPrivateKey]:
    """Head and claims of a token that counts, and the key that the cluster signs with."""
    head, claims, _signature = viewer.split(".")
    key = serialization.load_pem_private_key(control_plane.accounts_key.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return head, json.loads(urlsafe_b64decode(claims + "==")), key


def signed(head: str, claims: dict[str, object], key: rsa.RSAPrivateKey) -> str:
    text = f"{head}.{_text(json.dumps(claims).encode())}"
    return f"{text}.{_text(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def test_a_token_that_has_expired_is_refused(
    here: Namespace, web: WebProcess, parts: tuple[str, dict[str, object], rsa.RSAPrivateKey]
) -> None:
    head, claims, key = parts
    path, now = f"/api/policies?namespace={here.name}", int(time.time())
    assert web.get(path, signed(head, claims, key)).status == 200, "it is signed as the cluster does it"
    over = {**claims, "iat": now - 7200, "nbf": now - 7200, "exp": now - 3600}
    answer = web.get(path, signed(head, over, key))
    assert answer.status == 401
    assert "expired" in answer.json["detail"]


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
