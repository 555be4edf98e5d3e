"""Ports for the servers of a test, such that a server can be killed and come back on its own.

The kernel gives every outgoing connection a port of its ephemeral range, by default from 32768 on: a port from there
that a server has left for a moment may be taken by any client on the machine. Those below it are taken only by name.
"""

import errno
import random
import socket
from contextlib import ExitStack

LOOPBACK = "127.0.0.1"
PORTS = range(15_000, 30_000)
"""Above the ports of a local cluster, below a cluster's node ports (30000) and the ephemeral range of Linux."""
TRIES = 50


def free_port(address: str = LOOPBACK) -> int:
    """A port of this address that nothing listens on. Raises OSError where the address is not of this machine."""
    with _taken(address) as one:
        port: int = one.getsockname()[1]
        return port


def free_ports(count: int) -> list[int]:
    """So many different ports of loopback that nothing listens on."""
    with ExitStack() as all_taken:
        return [all_taken.enter_context(_taken(LOOPBACK)).getsockname()[1] for _ in range(count)]


def _taken(address: str) -> socket.socket:
    """A socket on a port by chance, so that two processes that ask at once hardly get the same one."""
    chance = random.SystemRandom()
    for tries_left in reversed(range(TRIES)):
        one = socket.socket()
        try:
            one.bind((address, chance.choice(PORTS)))
        except OSError as error:
            one.close()
            if error.errno != errno.EADDRINUSE or not tries_left:
                raise
        else:
            return one
    raise AssertionError("the last try ended the loop")
