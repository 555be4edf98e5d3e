"""Cut the network: packets from pods, or from this machine to itself, vanish or are answered by a reset.

A table of nftables of our own, before all others; it is written as a whole at each change.
"""

import subprocess
from collections.abc import Iterable, Mapping

from tests.cluster.layout import BRIDGE, POD_RANGE
from tests.cluster.tools import locate
from tests.faults.plan import Way

TABLE = "holdfast_faults"
ACTIONS: Mapping[Way, str] = {Way.SILENCE: "drop", Way.RESET: "reject with tcp reset"}


def from_pods(port: int) -> str:
    """What pods send to a port of this machine."""
    return f'iifname "{BRIDGE}" ip saddr {POD_RANGE} tcp dport {port}'


def within(port: int) -> str:
    """What this machine sends to a port of its own."""
    return f'iifname "lo" tcp dport {port}'


def out_of(address: str) -> str:
    """All that one pod sends."""
    return f'iifname "{BRIDGE}" ip saddr {address} meta l4proto tcp'


class Cuts:
    """The cuts that are made now, by the name of who made them."""

    def __init__(self) -> None:
        self._rules: dict[str, str] = {}

    def clear(self) -> None:
        """Take away what a killed test left."""
        self._rules.clear()
        self._write()

    def make(self, name: str, where: str, way: Way) -> None:
        self._rules[name] = f"{where} {ACTIONS[way]}"
        self._write()

    def mend(self, name: str) -> None:
        if self._rules.pop(name, None) is not None:
            self._write()

    def _write(self) -> None:
        _nft(f"add table ip {TABLE}", f"delete table ip {TABLE}", *_table(self._rules.values()))


def _table(rules: Iterable[str]) -> Iterable[str]:
    lines = list(rules)
    if lines:
        yield from (f"table ip {TABLE} {{", "chain input {", "type filter hook input priority -10", *lines, "}", "}")


def _nft(*lines: str) -> None:
    subprocess.run([locate("nft"), "-f", "-"], input="\n".join(lines) + "\n", text=True, check=True)
