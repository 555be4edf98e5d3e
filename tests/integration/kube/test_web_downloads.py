"""Downloads over HTTP: who may have them, that they are whole, and that one which is not never looks like it."""

import http.client
import json
import os
import socket
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from holdfast.repository.repository import Repository
from holdfast.stores.mongodb import MongoStore
from tests.integration.kube.conftest import Namespace
from tests.integration.kube.shop import Shop
from tests.integration.kube.test_resources import policy
from tests.integration.kube.test_web import BACKUP, LINES, audited_in, is_problem, run_line, seen
from tests.support.control_plane import ControlPlane
from tests.support.web_process import WebProcess

ARCHIVE_MAGIC = b"\x6d\xe2\x99\x81"


def fill(shop: Shop, megabytes: int) -> None:
    """Documents that do not compress, in a collection that is written after others."""
    shop.database["zz"].insert_many({"data": os.urandom(1 << 19).hex()} for _ in range(megabytes))


def damage_last_chunk(shop: Shop, backup_id: str, name: str) -> None:
    """Flip a bit in the chunk of this collection that is read last."""
    repository = Repository(MongoStore(shop.database.client, shop.database.name, origin="the test"))
    repository.open()
    [collection] = [one for one in repository.resolve(backup_id).collections if one.name == name]
    *before, last = [ref.id.hex() for ref in repository.chunk_refs(collection)]
    assert before, "something is sent before it is found"
    data = shop.database["backupdatas"]
    [stored] = data.find({"_id": {"$regex": f"{last}$"}})
    damaged = stored["data"][:-1] + bytes([stored["data"][-1] ^ 1])
    data.update_one({"_id": stored["_id"]}, {"$set": {"data": damaged}})


@pytest.mark.parametrize("line", [line for line in LINES if " -OJ " in line])
def test_each_line_of_the_docs_that_downloads_works(
    shop: Shop, web: WebProcess, downloader: str, line: str, tmp_path: Path
) -> None:
    shop.back_up()
    folder = tmp_path / "downloads"
    folder.mkdir()
    done = run_line(line, web, downloader, shop.here, folder)
    assert done.returncode == 0, done.stderr
    [file] = folder.iterdir()
    assert file.read_bytes()[:1] in (b"{", ARCHIVE_MAGIC[:1])


def test_who_may_downloads_the_newest_good_backup(shop: Shop, web: WebProcess, downloader: str) -> None:
    shop.back_up("first")
    backup_id = shop.back_up("second")
    answer = web.get(BACKUP, downloader)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["backupId"] == backup_id
    users = answer.json["collections"]["users"]
    assert users["count"] == len(users["documents"]) == shop.database["users"].count_documents({})
    named = answer.headers["content-disposition"]
    assert named.startswith(f'attachment; filename="{shop.database.name}-backup-')
    assert answer.headers["cache-control"] == "no-store"


def test_it_is_told_who_took_a_backup_away(shop: Shop, web: WebProcess, downloader: str) -> None:
    backup_id = shop.back_up()
    web.get(f"{BACKUP}?namespace={shop.here.name}&policy=shop", downloader)
    lines = shop.here.wait(lambda: (found := audited_in(web, shop.here))[1:] and found, "both lines are there")
    who = f"system:serviceaccount:{shop.here.name}:downloader"
    told = [(line["who"], line["action"], line["name"], line["result"]) for line in lines]
    assert told == [(who, "Download", backup_id, "Started"), (who, "Download", backup_id, "Done")]
    event = shop.here.kubectl("get", "events", "--field-selector=involvedObject.name=shop,reason=BackupDownloaded")
    assert f"{who} downloads backup {backup_id} as json" in event


def test_an_archive_is_mongodumps(shop: Shop, web: WebProcess, downloader: str) -> None:
    shop.back_up()
    with closing(web.connect()) as connection:
        connection.request("GET", f"{BACKUP}?format=archive", headers={"Authorization": f"Bearer {downloader}"})
        response = connection.getresponse()
        assert response.headers["Content-Type"] == "application/octet-stream"
        assert response.headers["Content-Disposition"].endswith(".archive")
        assert response.read().startswith(ARCHIVE_MAGIC)


def test_who_has_the_file_already_is_told_so(shop: Shop, web: WebProcess, downloader: str) -> None:
    shop.here.apply(policy(job={"backoffLimit": 1}, retention={"keepLast": 2}))
    first, second = shop.back_up("first"), shop.back_up("second")
    assert first != second
    tag = web.get(BACKUP, downloader).headers["etag"]
    unchanged = web.get(BACKUP, downloader, headers={"If-None-Match": f'"other", {tag}'})
    assert (unchanged.status, unchanged.text, unchanged.headers["etag"]) == (304, "", tag)
    older = web.get(f"{BACKUP}?id={first}", downloader, headers={"If-None-Match": tag})
    assert (older.status, older.json["backupId"]) == (200, first)
    assert web.get(f"{BACKUP}?format=archive", downloader, "HEAD").status == 405


def test_who_may_not_is_told_so_and_the_try_is_told(shop: Shop, web: WebProcess, viewer: str, backer: str) -> None:
    shop.back_up()
    path = f"{BACKUP}?namespace={shop.here.name}&policy=shop"
    seen(shop.here, web, viewer, f"/api/policies?namespace={shop.here.name}", 1)
    assert is_problem(web.get(path), 401)
    for token in (viewer, backer):
        answer = web.get(path, token)
        assert is_problem(answer, 403)
        assert "backupruns/download" in answer.text
    assert [line["result"] for line in audited_in(web, shop.here)] == ["NotAuthorized", "NotAuthorized"]


def test_a_right_elsewhere_is_none_here(
    shop: Shop, web: WebProcess, downloader: str, control_plane: ControlPlane
) -> None:
    other = Namespace(control_plane, f"{shop.here.name}-other")
    control_plane.kubectl("create", "namespace", other.name)
    other.apply(policy("secret"))
    shop.back_up()
    assert is_problem(web.get(f"{BACKUP}?namespace={other.name}&policy=secret", downloader), 403)
    assert is_problem(web.get(f"{BACKUP}?policy=secret", downloader), 404)


def test_a_backup_of_another_policy_is_not_handed_out(shop: Shop, web: WebProcess, downloader: str) -> None:
    """They share a repository; each has its own."""
    backup_id = shop.back_up()
    shop.here.apply(policy("sister"))
    path = f"{BACKUP}?namespace={shop.here.name}&policy=sister"
    # Until the mirror has it, there is no such policy; then, no such backup.
    shop.here.wait(lambda: "no backup in" in web.get(path, downloader).text, "sister is seen, without a backup")
    answer = web.get(f"{path}&id={backup_id}", downloader)
    assert is_problem(answer, 404)
    assert f"has no backup {backup_id}" in answer.text


@pytest.mark.parametrize("name", ["nothing", "20260101T000000Z-00000000", "..", "a/../../b", "%2e%2e%2fx", "a%0d%0ab"])
def test_an_id_that_is_none_leads_nowhere(shop: Shop, web: WebProcess, downloader: str, name: str) -> None:
    shop.back_up()
    answer = web.get(f"{BACKUP}?id={name}", downloader)
    assert is_problem(answer, 404 if name[0] in "n2" else 422)


@pytest.mark.parametrize(
    ("storage", "said"),
    [
        ({"volume": {"claimName": "backups"}}, "only pods of its namespace can reach"),
        ({"s3": {"bucket": "backups"}}, "opens to the worker alone"),
        ({"mongodb": {"uriSecretRef": {"name": "gone"}}}, "There is no Secret"),
    ],
)
def test_what_cannot_be_read_from_here_says_so_and_the_way_out(
    here: Namespace, web: WebProcess, downloader: str, storage: dict[str, Any], said: str
) -> None:
    here.kubectl("create", "secret", "generic", "shop", "--from-literal=MONGODB_URI=mongodb://127.0.0.1:1/shop")
    here.apply(policy(storage=storage))
    path = f"{BACKUP}?namespace={here.name}"
    here.wait(lambda: web.get(path, downloader, "GET").status != 404, "the policy is seen")
    answer = web.get(path, downloader)
    assert is_problem(answer, 409)
    assert answer.json["title"] == "BackupOutOfReach"
    assert said in answer.json["detail"]


def test_a_damaged_backup_breaks_the_connection(shop: Shop, web: WebProcess, downloader: str) -> None:
    fill(shop, 40)
    backup_id = shop.back_up()
    damage_last_chunk(shop, backup_id, "zz")
    with pytest.raises(http.client.IncompleteRead):
        web.get(BACKUP, downloader)
    results = shop.here.wait(lambda: (found := audited_in(web, shop.here))[1:] and found, "its end is told")
    assert [line["result"] for line in results] == ["Started", "DamagedBackup"]


def test_a_backup_that_lost_data_is_refused_before_anything_is_sent(
    shop: Shop, web: WebProcess, downloader: str
) -> None:
    shop.back_up()
    shop.database["backupdatas"].delete_one({"namespace": {"$regex": "users$"}})
    answer = web.get(BACKUP, downloader)
    assert is_problem(answer, 409)
    assert answer.json["title"] == "DamagedBackup"


def test_a_backup_is_kept_while_it_is_read_and_let_go_when_the_reader_leaves(
    shop: Shop, web: WebProcess, downloader: str
) -> None:
    fill(shop, 24)
    shop.back_up()
    connection = web.connect()
    connection.request("GET", BACKUP, headers={"Authorization": f"Bearer {downloader}"})
    assert connection.getresponse().read(1000)
    locks = {"_id": {"$regex": "^locks/shared/"}}
    assert shop.database["backupmetadatas"].count_documents(locks) == 1
    connection.close()
    shop.here.wait(lambda: not shop.database["backupmetadatas"].count_documents(locks), "the lock is given back")
    lines = shop.here.wait(lambda: (found := audited_in(web, shop.here))[1:] and found, "its end is told")
    assert [line["result"] for line in lines] == ["Started", "Interrupted"]


def test_an_old_client_that_cannot_see_a_break_is_sent_nothing(shop: Shop, web: WebProcess, downloader: str) -> None:
    shop.back_up()
    with socket.create_connection(("127.0.0.1", web.port), timeout=20) as old:
        old.sendall(f"GET {BACKUP} HTTP/1.0\r\nAuthorization: Bearer {downloader}\r\n\r\n".encode())
        answer = old.makefile("rb").read()
    assert b" 426 " in answer.splitlines()[0]


def test_who_has_two_downloads_open_gets_no_third_until_one_has_ended(
    shop: Shop, web: WebProcess, downloader: str
) -> None:
    fill(shop, 24)
    backup_id = shop.back_up()
    with ExitStack() as stack:
        opened = [stack.enter_context(closing(web.connect())) for _ in range(2)]
        answers = []
        for connection in opened:
            connection.request("GET", BACKUP, headers={"Authorization": f"Bearer {downloader}"})
            answers.append(connection.getresponse())
        assert [answer.status for answer in answers] == [200, 200]
        refused = web.get(BACKUP, downloader)
        assert is_problem(refused, 429)
        assert int(refused.headers["retry-after"]) > 0
        assert len(answers[0].read()) > 24 << 20
        assert web.get(BACKUP, downloader, headers={"If-None-Match": "*"}).status == 304
        assert json.loads(answers[1].read())["backupId"] == backup_id, "the other one is whole all the same"


def test_too_many_downloads_wait_and_the_try_is_told(shop: Shop, web: WebProcess, downloader: str) -> None:
    shop.back_up()
    answers = [web.get(BACKUP, downloader, headers={"If-None-Match": "*"}) for _ in range(11)]
    assert [answer.status for answer in answers] == [304] * 10 + [429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    assert is_problem(answers[-1], 429)
    last = {"who": f"system:serviceaccount:{shop.here.name}:downloader", "result": "TooManyRequests"}
    told = (json.loads(line) for line in web.log.read_text().splitlines() if line.startswith("{"))
    assert [one for one in told if last.items() <= one.items()]
