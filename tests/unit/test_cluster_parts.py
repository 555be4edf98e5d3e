"""The small pure parts of the local cluster: names, hashes, settings, answers of a name server."""

import os
import struct
from pathlib import Path

import pytest

from tests.cluster import dns, external, images, processes, server_image, standin, store
from tests.cluster.errors import ClusterError
from tests.cluster.layout import Layout, layout


def test_the_cache_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "shared"))
    assert layout().root == tmp_path / "own"
    monkeypatch.delenv("HOLDFAST_CACHE")
    assert layout().root == tmp_path / "shared" / "holdfast"


def test_a_folder_too_deep_for_sockets_is_refused() -> None:
    Layout(Path("/home/someone/.cache/holdfast")).check()
    with pytest.raises(ClusterError, match="HOLDFAST_CACHE"):
        Layout(Path("/" + "x" * 80)).check()


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("holdfast:dev-1", "docker.io/library/holdfast:dev-1"),
        ("someone/holdfast:1", "docker.io/someone/holdfast:1"),
        ("localhost/holdfast:1", "localhost/holdfast:1"),
        ("registry:5000/a:1", "registry:5000/a:1"),
        ("ghcr.io/a/b:1", "ghcr.io/a/b:1"),
    ],
)
def test_full_name(short: str, full: str) -> None:
    assert store.full_name(short) == full


def test_the_hash_knows_content_names_and_modes(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    seen = {images.inputs_hash(tmp_path, "FROM x", ["a"])}
    (tmp_path / "a").write_text("2")
    seen.add(images.inputs_hash(tmp_path, "FROM x", ["a"]))
    (tmp_path / "a").chmod(0o755)
    seen.add(images.inputs_hash(tmp_path, "FROM x", ["a"]))
    (tmp_path / "a").rename(tmp_path / "b")
    seen.add(images.inputs_hash(tmp_path, "FROM x", ["b"]))
    seen.add(images.inputs_hash(tmp_path, "FROM y", ["b"]))
    assert len(seen) == 5


def test_stand_ins_are_known_by_suite_and_python() -> None:
    assert standin.stand_in_for("python:3.11-slim-bookworm") == standin.StandIn("bookworm", "3.11")
    assert standin.stand_in_for("docker.io/library/python:3.11.9-bookworm") == standin.StandIn("bookworm", "3.11")
    assert standin.stand_in_for("debian:bookworm-slim") == standin.StandIn("bookworm")
    with pytest.raises(ClusterError, match="alpine:3"):
        standin.stand_in_for("alpine:3")


def test_pip_settings_leave_out_what_an_image_does_not_have() -> None:
    listed = ":env:.find-links='/somewhere'\n:env:.cert='/a/bundle'\nglobal.index-url='https://example.com/simple'\n"
    assert standin.pip_configuration(listed) == (
        "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\nindex-url = https://example.com/simple\n"
    )


def test_a_process_is_known_by_its_start() -> None:
    started = processes.start_time(os.getpid())
    assert started is not None
    assert processes.Process("me", os.getpid(), started).is_alive()
    assert not processes.Process("another", os.getpid(), started + 1).is_alive()


def test_a_zombie_is_dead() -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    try:
        assert processes.start_time(pid) is None
    finally:
        os.waitpid(pid, 0)


def test_an_answer_of_a_name_server_is_read() -> None:
    question = b"\1a\0" + struct.pack("!HH", 1, 1)
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 5, 4) + bytes([10, 96, 0, 1])
    answer = struct.pack("!HHHHHH", 7, 0x8580, 1, 1, 0, 0) + question + record
    assert dns.addresses(answer, 7, len(question)) == ["10.96.0.1"]
    assert dns.addresses(answer, 8, len(question)) == []
    assert dns.addresses(b"", 7, len(question)) == []


def test_a_cluster_of_the_users_own_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_KUBECONFIG", "/some/config")
    monkeypatch.delenv("HOLDFAST_HOST_ADDRESS", raising=False)
    monkeypatch.delenv("HOLDFAST_IMAGE", raising=False)
    with pytest.raises(ClusterError, match="HOLDFAST_HOST_ADDRESS"):
        external.host_address()
    with pytest.raises(ClusterError, match="HOLDFAST_IMAGE"):
        images.build_image()
    monkeypatch.setenv("HOLDFAST_IMAGE", "holdfast:mine")
    assert images.build_image() == "holdfast:mine"


LISTED = """\tlinux-vdso.so.1 (0x00007f531b765000)
\tlibcurl.so.4 => /lib/x86_64-linux-gnu/libcurl.so.4 (0x00007f531b6a5000)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f531453e000)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f531b767000)
"""


def test_the_image_of_a_server_has_its_libraries_and_their_loader() -> None:
    assert server_image.libraries_in(LISTED) == [
        *("/lib/x86_64-linux-gnu/libcurl.so.4", "/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2")
    ]
    with pytest.raises(ClusterError, match=r"libssl\.so\.3"):
        server_image.libraries_in("\tlibssl.so.3 => not found\n" + LISTED)
