"""The MongoDB server that tests and the demo run on."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from tests.support.cache import cache_directory, install_once
from tests.support.mongod import Mongod, MongodError
from tests.support.mongod_binary import missing_library
from tests.support.process import Process
from tests.support.scratch import scratch_directory

SOON = 10.0


def command(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run the harness's own command line."""
    return subprocess.run([sys.executable, "-m", "tests.support.mongod", *words], capture_output=True, text=True)


def test_is_a_replica_set_that_takes_writes_at_once(mongod: Mongod) -> None:
    hello = mongod.client.admin.command("hello")
    assert hello["isWritablePrimary"]
    assert hello["setName"] == "rs0"


def test_lets_nobody_in_without_a_password(mongod: Mongod) -> None:
    with (
        MongoClient[dict[str, object]]("127.0.0.1", mongod.port, directConnection=True) as stranger,
        pytest.raises(OperationFailure, match="requires authentication"),
    ):
        stranger.admin.command("listDatabases")


def test_creates_users_with_just_their_roles(mongod: Mongod) -> None:
    password = mongod.create_user("reader", [{"role": "read", "db": "diary"}], db="diary")
    with MongoClient[dict[str, object]](mongod.uri_for("reader", password, "diary", auth_source="diary")) as reader:
        assert reader.get_default_database().pages.find_one() is None
        with pytest.raises(OperationFailure, match="not authorized"):
            reader.diary.pages.insert_one({})


def test_standalone_is_open_and_no_replica_set(standalone: Mongod) -> None:
    hello = standalone.client.admin.command("hello")
    assert hello["isWritablePrimary"]
    assert "setName" not in hello


def test_is_ready_within_seconds() -> None:
    began = time.monotonic()
    with Mongod():
        assert time.monotonic() - began < SOON


def test_sets_the_server_parameters_it_is_given() -> None:
    with Mongod(parameters={"minSnapshotHistoryWindowInSeconds": 7}) as mongod:
        reply = mongod.client.admin.command("getParameter", minSnapshotHistoryWindowInSeconds=1)
    assert reply["minSnapshotHistoryWindowInSeconds"] == 7


def test_restart_keeps_the_port_and_the_data() -> None:
    with Mongod() as mongod:
        port = mongod.port
        mongod.client.diary.pages.insert_one({"_id": 1})
        mongod.restart()
        assert mongod.port == port
        assert mongod.client.diary.pages.find_one() == {"_id": 1}


def test_comes_back_after_a_kill_with_what_was_written() -> None:
    with Mongod() as mongod:
        pages = mongod.client.diary.get_collection("pages")
        pages.insert_one({"_id": 1})
        mongod.client.admin.command("fsync")
        mongod.kill()
        assert not mongod.is_running
        mongod.start()
        assert pages.find_one() == {"_id": 1}


def test_stop_ends_the_server_and_removes_its_scratch_directory() -> None:
    with Mongod() as mongod:
        process = Process.of(mongod.pid)
    assert not process.is_alive
    assert not mongod.directory.exists()


def test_is_known_by_the_address_it_advertises() -> None:
    with Mongod(bind=("127.0.0.2",)) as mongod:
        assert "127.0.0.2" in mongod.uri
        assert mongod.client.admin.command("hello")["me"] == f"127.0.0.2:{mongod.port}"


def test_keeps_secrets_out_of_the_process_list_and_in_private_files(mongod: Mongod) -> None:
    arguments = Path(f"/proc/{mongod.pid}/cmdline").read_bytes()
    password = mongod.uri.split(":")[2].split("@")[0]
    assert password.encode() not in arguments
    assert mongod.uri_file.read_text().strip() == mongod.uri
    assert mongod.uri_file.stat().st_mode & 0o777 == 0o600


def test_dies_with_the_process_that_started_it_and_the_next_one_cleans_up() -> None:
    script = """if True:
        from tests.support.mongod import Mongod
        mongod = Mongod().start()
        print(mongod.pid, mongod.directory, flush=True)
        input()
    """
    words = [sys.executable, "-c", script]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid, directory = owner.stdout.readline().split()
        server = Process.of(int(pid))
        owner.send_signal(signal.SIGKILL)
    assert server.wait(SOON)
    scratch_directory("mongod").rmdir()
    assert not Path(directory).exists()


def test_a_detached_server_outlives_its_command_until_it_is_stopped(tmp_path: Path) -> None:
    started = command("start", "--directory", tmp_path)
    try:
        assert started.stdout == f"{tmp_path / 'uri'}\n"
        assert command("status", "--directory", tmp_path).stdout == started.stdout
        with Mongod.attach(tmp_path) as mongod:
            assert mongod.client.admin.command("ping")["ok"]
    finally:
        command("stop", "--directory", tmp_path)
    assert command("status", "--directory", tmp_path).returncode == 3


def test_starting_a_stopped_directory_again_brings_its_data_back(tmp_path: Path) -> None:
    with Mongod(directory=tmp_path) as first:
        first.client.diary.pages.insert_one({"_id": 1})
    with Mongod.attach(tmp_path) as second:
        assert second.uri == first.uri
        assert second.client.diary.pages.find_one() == {"_id": 1}


def test_attaching_to_an_empty_directory_says_so(tmp_path: Path) -> None:
    with pytest.raises(MongodError, match="no server was set up in"):
        Mongod.attach(tmp_path)


def test_a_wrong_option_is_reported_in_one_line_with_the_words_of_the_server() -> None:
    mongod = Mongod(parameters={"noSuchParameter": 1})
    with pytest.raises(MongodError, match="noSuchParameter") as caught:
        mongod.start()
    mongod.stop()
    assert "\n" not in str(caught.value)


def test_an_address_that_is_not_bound_is_reported_and_leaves_no_server() -> None:
    mongod = Mongod(advertise="127.0.0.3")
    with pytest.raises(MongodError, match="could not be set up"):
        mongod.start()
    assert not mongod.is_running
    mongod.stop()


def test_an_address_that_this_machine_does_not_have_is_named_by_the_command(tmp_path: Path) -> None:
    done = command("start", "--directory", tmp_path, "--bind", "192.0.2.1")
    assert done.returncode == 1
    assert done.stderr == "mongod: mongod cannot listen on 192.0.2.1: Cannot assign requested address\n"


def test_another_program_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_MONGOD", "/no/such/mongod")
    mongod = Mongod()
    with pytest.raises(MongodError, match="HOLDFAST_MONGOD names /no/such/mongod"):
        mongod.start()
    mongod.stop()


def test_a_missing_library_is_reported_with_the_package_that_holds_it() -> None:
    words = "mongod: error while loading shared libraries: libcurl.so.4: cannot open shared object file"
    assert missing_library(words) == (
        "mongod needs the shared library libcurl.so.4: install the Debian package libcurl4"
    )


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"HOLDFAST_CACHE": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"HOLDFAST_CACHE": "", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/holdfast"),
        ({"HOLDFAST_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "/c"}, "/c/.cache/holdfast"),
    ],
)
def test_the_cache_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cache_directory() == Path(expected)


def test_of_two_installations_at_once_the_first_stays(tmp_path: Path) -> None:
    target = tmp_path / "tool"

    def quick(directory: Path) -> None:
        (directory / "who").write_text("first")

    def slow(directory: Path) -> None:
        install_once(target, quick)
        (directory / "who").write_text("second")

    install_once(target, slow)
    assert (target / "who").read_text() == "first"
    assert list(tmp_path.iterdir()) == [target]


def test_an_installation_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def failing(directory: Path) -> None:
        (directory / "half").touch()
        raise MongodError("no such wheel")

    with pytest.raises(MongodError):
        install_once(tmp_path / "tool", failing)
    assert list(tmp_path.iterdir()) == []
