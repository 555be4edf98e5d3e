"""What is read fast is read the same."""

from typing import Any

import pytest
from bson import Binary, Int64, encode
from bson.timestamp import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import OperationFailed
from holdfast.repository.oplog_entry import kept_of, parse
from holdfast.repository.oplog_sieve import entry_of, sieve_of

FORGED = b"\x02op\0\x02\0\0\0i\0\x02ns\0\x05\0\0\0db.a\0"
NAMES = ["db.a", "db.$cmd", "db.backupdatas", "db.backupdatas2", "dbx.a", "other.db.a", "admin.$cmd", "db.", ""]
BODY = st.one_of(
    st.fixed_dictionaries({"_id": st.integers(0, 9), "op": st.just("i"), "ns": st.sampled_from(NAMES)}),
    st.fixed_dictionaries({"_id": st.just(Binary(FORGED))}),
    st.just({"applyOps": [{"op": "i", "ns": "db.a", "o": {"_id": 1}}, {"op": "i", "ns": "dbx.a", "o": {"_id": 1}}]}),
    st.just({"drop": "a"}),
)
SESSION: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {},
        {"lsid": {"id": Binary(FORGED), "uid": Binary(FORGED)}, "txnNumber": Int64(7)},
        {"lsid": {"id": Binary(FORGED)}},
        {"txnNumber": Int64(7)},
    ]
)


@given(SESSION, st.sampled_from("iudcnx"), st.sampled_from(NAMES), BODY, st.booleans())
def test_the_sieve_keeps_what_is_kept(
    session: dict[str, Any], op: str, namespace: str, body: dict[str, Any], usual: bool
) -> None:
    head = {"op": op, "ns": namespace} if usual else {"ns": namespace, "op": op}
    rest = {"o": body, "ts": Timestamp(7, 3), "t": Int64(2)}
    raw = encode({**session, **head, **rest} if usual else {**rest, **head, **session})
    assert sieve_of("db")(raw) == kept_of(raw, "db")


@given(
    SESSION,
    st.sampled_from("iudcnx"),
    st.sampled_from(["db.a", "db.system.buckets.a", "db.system.views", "dbx.a"]),
    st.sampled_from([{}, {"ui": Binary(b"0" * 16, 4)}]),
    BODY,
    st.sampled_from([{}, {"o2": {"_id": 1}}]),
    st.sampled_from([{}, {"stmtId": 3}, {"stmtId": [3, 4]}, {"fromMigrate": True}]),
)
def test_an_entry_says_the_same(
    session: dict[str, Any],
    op: str,
    namespace: str,
    identity: dict[str, Any],
    body: dict[str, Any],
    key: dict[str, Any],
    more: dict[str, Any],
) -> None:
    raw = encode({**session, "op": op, "ns": namespace, **identity, "o": body, **key, **more, "ts": Timestamp(7, 3)})
    try:
        expected = parse(raw, "db")
    except OperationFailed as error:
        with pytest.raises(OperationFailed, match=error.message[:20]):
            entry_of(raw, "db")
        return
    assert entry_of(raw, "db") == expected
