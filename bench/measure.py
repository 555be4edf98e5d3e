"""Run a command and take its time, its processor time, and the memory of it and all its children."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient

_LOOK_SECONDS = 0.02


class BenchError(Exception):
    """A command that is measured has failed."""


@dataclass(frozen=True)
class Cost:
    """`peak_bytes`: the most that the command and its children held at once, shared pages counted once (PSS)."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str


def measured(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Cost:
    """What a command costs. BenchError if it fails, with the end of what it printed."""
    before = os.times()
    start = time.perf_counter()
    with subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(environment or {})},
    ) as process:
        peak = 0
        while True:
            try:
                output, _ = process.communicate(timeout=_LOOK_SECONDS)
                break
            except subprocess.TimeoutExpired:
                peak = max(peak, sum(map(_held, _family(process.pid))))
    seconds = time.perf_counter() - start
    after = os.times()
    if process.returncode:
        raise BenchError(f"{command[0]} {command[1]} ended with {process.returncode}: {output[-500:]}")
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    return Cost(seconds, cpu, peak, output)


def settle(client: MongoClient[Any]) -> None:
    """Have the server write out all that it holds back, so that nobody pays for what came before."""
    client.admin.command("fsync")


def _family(pid: int) -> list[int]:
    family = [pid]
    for member in family:
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            try:
                family += map(int, children.read_text().split())
            except OSError:
                continue  # it has ended
    return family


def _held(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
