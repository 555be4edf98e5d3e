"""Whether two URIs lead to one server, and what a policy says of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.failure_domain import common_server
from holdfast.specs.failure_domain import sharing
from tests.support.kube_objects import policy_model

HOST = st.from_regex(r"[a-z][a-z0-9-]{0,8}(\.[a-z][a-z0-9]{0,6}){0,3}", fullmatch=True)


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ("mongodb://u:p@db.example.org/shop", "mongodb://v:q@DB.example.org.:27017/vault?w=1", "host db.example.org"),
        ("mongodb://a.org,b.org/", "mongodb://c.org,b.org:27018", "host b.org"),
        ("mongodb+srv://u:p@shop.abc.mongodb.net/x", "mongodb+srv://shop.abc.mongodb.net", "host shop.abc.mongodb.net"),
        ("mongodb://[::1]:27017/x", "mongodb://[::1]", "host ::1"),
        # As a pod of the namespace team finds them.
        ("mongodb://db/x", "mongodb://db.team.svc.cluster.local/x", "host db"),
        ("mongodb://db-0.db.team.svc/x", "mongodb://db-0.db/x", "host db-0.db.team.svc"),
        # Two members of one set.
        (
            "mongodb://db-0.db/x?replicaSet=rs0",
            "mongodb://db-2.db.team.svc.cluster.local/x?w=1&replicaset=rs0",
            "replica set rs0",
        ),
        (
            "mongodb://db1.example.org/?replicaSet=main",
            "mongodb://db2.example.org/?replicaSet=main",
            "replica set main",
        ),
    ],
)
def test_one_server_under_two_uris_is_known(one: str, other: str, common: str) -> None:
    assert common_server(one, other, namespace="team") == common


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mongodb://db.example.org/shop", "mongodb://vault.example.org/shop"),
        ("mongodb://db/x?replicaSet=rs0", "mongodb://vault/x?replicaSet=rs0"),
        ("mongodb://db-0.db/x?replicaSet=rs0", "mongodb://db-0.vault/x?replicaSet=rs0"),
        ("mongodb://db-0.db/x?replicaSet=rs0", "mongodb://db-1.db/x?replicaSet=rs1"),
        ("mongodb://db-0.db/x", "mongodb://db-1.db/x"),
        ("mongodb://10.0.0.1/x?replicaSet=rs0", "mongodb://10.0.0.2/x?replicaSet=rs0"),
        ("mongodb://db/x", "mongodb://db.other.svc.cluster.local/x"),
        ("mongodb://same:same@db/same", "mongodb://same:same@vault/same"),
    ],
)
def test_two_servers_are_not_taken_for_one(one: str, other: str) -> None:
    assert common_server(one, other, namespace="team") == ""


@given(HOST, HOST)
def test_it_does_not_matter_which_is_asked_about_which(one: str, other: str) -> None:
    uris = f"mongodb://{one}/x?replicaSet=r", f"mongodb://{other}/x?replicaSet=r"
    forth, back = (common_server(*pair, namespace="team") for pair in (uris, uris[::-1]))
    assert bool(forth) == bool(back)
    assert bool(forth) or one != other


DB, VAULT = "mongodb://u:hunter2@db/shop", "mongodb://u:hunter2@vault/store"
OWN = {"mongodb": {"uriSecretRef": {"name": "vault"}}}


@pytest.mark.parametrize(
    ("storage", "store", "shared", "reason"),
    [
        ({"mongodb": {}}, None, True, "BesideSource"),
        ({"mongodb": {"database": "elsewhere"}}, None, True, "BesideSource"),
        (OWN, DB, True, "SameServer"),
        (OWN, VAULT, False, "OtherServer"),
        (OWN, None, None, "NotKnown"),
        ({"s3": {"bucket": "backups"}}, None, False, "Bucket"),
        ({"gcs": {"bucket": "backups"}}, None, False, "Bucket"),
        ({"azure": {"account": "acme", "container": "backups"}}, None, False, "Bucket"),
        ({"volume": {"claimName": "backups"}}, None, False, "Volume"),
    ],
)
def test_a_policy_says_whether_its_backups_lie_in_what_they_protect(
    storage: dict[str, Any], store: str | None, shared: bool | None, reason: str
) -> None:
    told = sharing(policy_model(storage=storage), DB, store)
    assert (told.shared, told.reason) == (shared, reason)
    assert "hunter2" not in told.message
