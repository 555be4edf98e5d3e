"""The processes of pods, as the node's own machine sees them."""

import re
from pathlib import Path

from tests.cluster.processes import Process, start_time

USER = 65532
"""The user of every container of ours."""


def holdfast_processes(word: str) -> list[Process]:
    """The processes of ours in pods whose command line has a word: helpers of a worker too."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            ours = entry.stat().st_uid == USER
        except OSError:
            continue  # it has ended
        pid = int(entry.name)
        started = start_time(pid)
        if ours and word.encode() in words and started is not None:
            found.append(Process(b" ".join(words[-3:]).decode(errors="replace").strip() or word, pid, started))
    return found


def address_of(process: Process) -> str:
    """The address of its pod; nothing if it has just ended."""
    try:
        routes = Path(f"/proc/{process.pid}/net/fib_trie").read_text()
    except OSError:
        return ""
    own = re.findall(r"\|-- (\d+\.\d+\.\d+\.\d+)\n\s+/32 host LOCAL", routes)
    return next((address for address in own if not address.startswith("127.")), "")
