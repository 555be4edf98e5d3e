"""A writer that is killed in the middle leaves whole objects only."""

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from holdfast.stores.addresses import place_in
from holdfast.stores.buckets import open_bucket
from holdfast.stores.files import FileStore
from tests.support.s3 import S3

# Says which object comes next, and writes it; for ever.
WRITER = """
import sys
from hashlib import sha256
from random import randbytes
from holdfast.wiring.opening import open_store

store = open_store(sys.argv[1], uri=None, uri_origin="", database=None)
while True:
    data = randbytes(8 * 1024 * 1024)
    print("next", flush=True)
    store.create(f"chunks/ab/{sha256(data).hexdigest()}", data)
"""


@pytest.mark.parametrize("objects", [1, 2, 5])
def test_in_a_directory(tmp_path: Path, objects: int) -> None:
    kill_a_writer(f"file://{tmp_path}", {}, objects)
    store = FileStore(tmp_path)
    keys = list(store.keys("chunks/"))
    assert len(keys) >= objects - 1
    assert all(is_whole(key, store.read(key)) for key in keys)


@pytest.mark.parametrize("objects", [1, 2, 5])
def test_in_a_bucket(s3: S3, objects: int) -> None:
    address = f"s3://{s3.new_bucket()}/some/prefix"
    kill_a_writer(address, s3.settings, objects)
    with closing(open_bucket(place_in(address), s3.settings)) as store:
        keys = list(store.keys("chunks/"))
        assert len(keys) >= objects - 1
        assert all(is_whole(key, store.read(key)) for key in keys)


def kill_a_writer(address: str, settings: Mapping[str, str], objects: int) -> None:
    """Kill it as soon as it said that it writes this object."""
    environment = {**os.environ, **settings}
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, address], env=environment, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout
        for _ in range(objects):
            assert writer.stdout.readline()
        writer.kill()


def is_whole(key: str, data: bytes | None) -> bool:
    return data is not None and key.endswith(sha256(data).hexdigest())
