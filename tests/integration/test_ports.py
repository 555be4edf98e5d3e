"""The ports that the servers of the tests listen on."""

import socket
from pathlib import Path

import pytest

from tests.support.ports import free_port, free_ports

EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_no_client_is_given_the_port_that_a_killed_server_comes_back_to() -> None:
    lowest = int(EPHEMERAL.read_text().split()[0])
    assert all(port < lowest for port in free_ports(50))


def test_ports_asked_for_together_differ() -> None:
    assert len(set(free_ports(200))) == 200


def test_a_port_that_something_listens_on_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, other = free_ports(2)
    monkeypatch.setattr("tests.support.ports.PORTS", [taken, other])
    with socket.create_server(("127.0.0.1", taken)):
        assert {free_port() for _ in range(8)} == {other}


def test_an_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(OSError, match="Cannot assign"):
        free_port("192.0.2.1")
