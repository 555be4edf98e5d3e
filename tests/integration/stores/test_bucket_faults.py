"""What a bucket's store does when the network or the server fails under it: a proxy before a real S3 server."""

import signal
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from secrets import token_bytes

import pytest

from holdfast.errors import (
    AuthenticationFailed,
    HoldfastError,
    InvalidSpec,
    NotAuthorized,
    StoreFull,
    StoreUnavailable,
)
from holdfast.ports import Store
from holdfast.stores import buckets
from holdfast.stores.addresses import Place
from holdfast.stores.buckets import open_bucket
from tests.support.faulty_proxy import FaultyProxy, cut_reply, lost_reply, no_reply, replying
from tests.support.s3 import S3

KEY = "chunks/ab/abcd"
THROTTLED = replying(503, "SlowDown")
CONFLICT = replying(409, "ConditionalRequestConflict")
STORED = replying(200, headers='ETag: "0"\r\n')


@pytest.fixture
def proxy(s3: S3) -> Iterator[FaultyProxy]:
    with FaultyProxy(s3.port) as proxy:
        yield proxy


@pytest.fixture
def store(s3: S3, proxy: FaultyProxy) -> Iterator[Store]:
    settings = {**s3.settings, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}"}
    store = open_bucket(Place("s3", s3.new_bucket()), settings)
    proxy.requests.clear()
    yield store
    store.close()


def test_throttling_that_passes_is_ridden_out(store: Store, proxy: FaultyProxy) -> None:
    proxy.faults.extend([THROTTLED, THROTTLED])
    assert store.create(KEY, b"data")
    proxy.faults.extend([THROTTLED, THROTTLED])
    assert store.read(KEY) == b"data"
    proxy.faults.extend([THROTTLED, THROTTLED])
    assert list(store.keys("chunks/")) == [KEY]


def test_a_write_whose_reply_was_lost_is_done_once_and_is_no_error(store: Store, proxy: FaultyProxy) -> None:
    proxy.faults.append(lost_reply)
    store.create(KEY, b"data")
    assert store.read(KEY) == b"data"


def test_a_write_that_never_arrived_is_repeated(store: Store, proxy: FaultyProxy) -> None:
    proxy.faults.append(no_reply)
    assert store.create(KEY, b"data")
    assert store.read(KEY) == b"data"


def test_a_conflict_that_left_nothing_is_not_taken_for_an_object(store: Store, proxy: FaultyProxy) -> None:
    proxy.faults.append(CONFLICT)
    assert store.create(KEY, b"data")
    assert store.read(KEY) == b"data"


def test_a_conflict_with_whoever_stored_the_object_is_none(store: Store, proxy: FaultyProxy) -> None:
    store.create(KEY, b"data")
    proxy.faults.append(CONFLICT)
    assert not store.create(KEY, b"data")


def test_a_reply_that_is_cut_off_is_never_taken_for_the_object(store: Store, proxy: FaultyProxy) -> None:
    data = token_bytes(1_000_000)
    store.create(KEY, data)
    proxy.faults.append(cut_reply)
    assert store.read(KEY) == data


def test_a_deletion_whose_reply_was_lost_is_no_error(store: Store, proxy: FaultyProxy) -> None:
    store.create(KEY, b"data")
    proxy.faults.append(lost_reply)
    store.delete(KEY)
    assert store.size(KEY) is None


def test_an_outage_that_lasts_is_said_after_a_bounded_number_of_requests(store: Store, proxy: FaultyProxy) -> None:
    proxy.faults.extend([THROTTLED] * 100)
    with pytest.raises(StoreUnavailable, match=r"s3://bucket-\w+ at .*SlowDown \(503\)"):
        store.read(KEY)
    assert 2 <= len(proxy.requests) <= 5


def test_a_write_during_an_outage_that_lasts_is_bounded_too(store: Store, proxy: FaultyProxy) -> None:
    proxy.faults.extend([no_reply] * 100)
    with pytest.raises(StoreUnavailable, match="the connection broke off"):
        store.create(KEY, b"data")
    assert 2 <= len(proxy.requests) <= 20


@pytest.mark.parametrize(
    ("status", "code", "error", "words"),
    [
        (400, "ExpiredToken", AuthenticationFailed, "credentials"),
        (401, "", AuthenticationFailed, "credentials"),
        (403, "RequestTimeTooSkewed", AuthenticationFailed, "clock"),
        (403, "AccessDenied", NotAuthorized, "delete objects"),
        (403, "QuotaExceeded", StoreFull, "no room"),
        (507, "", StoreFull, "no room"),
        (404, "NoSuchBucket", InvalidSpec, "no bucket"),
        (301, "PermanentRedirect", InvalidSpec, "region"),
        (400, "RequestTimeout", StoreUnavailable, r"RequestTimeout \(400\)"),
    ],
)
def test_a_refusal_is_said_for_what_it_is(
    store: Store, proxy: FaultyProxy, status: int, code: str, error: type[HoldfastError], words: str
) -> None:
    proxy.faults.extend([replying(status, code)] * 20)
    with pytest.raises(error, match=words):
        store.create(KEY, b"data")


def test_a_server_that_overwrites_what_exists_is_refused(store: Store, proxy: FaultyProxy) -> None:
    proxy.faults.extend([STORED, STORED])
    with pytest.raises(InvalidSpec, match="overwrites objects"):
        store.check_writable()


def test_a_server_that_never_answers_is_given_up(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "_REQUEST", timedelta(seconds=0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = {**s3.settings, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        with pytest.raises(StoreUnavailable, match="no answer in time"):
            open_bucket(Place("s3", "bucket"), settings)


def test_a_signal_ends_the_wait_for_a_server_that_does_not_answer(s3: S3) -> None:
    class Stop(Exception):
        pass

    def stop(*_: object) -> None:
        raise Stop

    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = {**s3.settings, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        before = signal.signal(signal.SIGUSR1, stop)

        def send_when_asked() -> None:
            connection, _ = silent.accept()
            connection.recv(1)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
            asked.append(connection)

        asked: list[socket.socket] = []
        sender = threading.Thread(target=send_when_asked)
        sender.start()
        try:
            with pytest.raises(Stop):
                open_bucket(Place("s3", "bucket"), settings)
        finally:
            sender.join()
            signal.signal(signal.SIGUSR1, before)
            asked[0].close()
