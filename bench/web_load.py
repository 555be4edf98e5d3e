"""Who asks the API, as a process of its own, so that it takes nothing from the one that answers.

`python -m bench.web_load WHAT PORT FILE …` prints one line of JSON at its end. FILE holds pairs of a token and a path.
`requests … RATE SECONDS`: so many requests a second, at random moments. A latency counts from the moment at which its
request was due, so that an answer that comes late makes no later one look quick. `rounds`: the p99 of each ten seconds.
`streams … COUNT`: so many open streams of events. It prints a line when all of them are open, and waits until each has
told of the object whose name comes on standard input.
`download`: the first of the pairs, to its end.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Any

CONNECTIONS = 64
ROUND_SECONDS = 10.0
SECONDS = 60.0
CHUNK = 1 << 20

Pair = tuple[str, str]
"""A token and a path."""


@dataclass
class Tally:
    taken: list[tuple[float, float]] = field(default_factory=list)
    """When a request was due, and how long its answer took."""
    refused: list[str] = field(default_factory=list)

    def rounds(self, start: float) -> list[list[float]]:
        """The latencies of each ten seconds, in order."""
        found: dict[int, list[float]] = {}
        for due, latency in self.taken:
            found.setdefault(int((due - start) / ROUND_SECONDS), []).append(latency)
        whole = max(map(len, found.values())) / 2
        return [sorted(one) for one in found.values() if len(one) > whole]


class Line:
    """A connection on which one request follows the other."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, pair: Pair) -> tuple[int, asyncio.StreamReader, dict[str, str]]:
        """The status, what follows the head, and the head."""
        if self._ends is None:
            self._ends = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._ends
        token, path = pair
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.partition(": ") for line in lines if line)
        return int(first.split()[1]), reader, {name.lower(): value for name, _, value in pairs}

    async def get(self, pair: Pair) -> tuple[int, bytes]:
        status, reader, head = await self.ask(pair)
        return status, await reader.readexactly(int(head["content-length"]))


async def requests(port: int, pairs: Sequence[Pair], rate: float, seconds: float) -> dict[str, Any]:
    tally, free, random = Tally(), asyncio.Queue[Line](), Random(1)  # noqa: S311 (repeatable, not secret)
    for _ in range(CONNECTIONS):
        free.put_nowait(Line(port))

    async def one(due: float, pair: Pair) -> None:
        line = await free.get()
        status, body = await line.get(pair)
        free.put_nowait(line)
        tally.taken.append((due, time.perf_counter() - due))
        if status != 200:
            tally.refused.append(f"{status} {body[:200]!r}")

    start = due = time.perf_counter()
    async with asyncio.timeout(seconds + SECONDS), asyncio.TaskGroup() as group:
        for pair in islice(cycle(pairs), round(rate * seconds)):
            due += random.expovariate(rate)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(due, pair))
    took, ordered = time.perf_counter() - start, sorted(latency for _, latency in tally.taken)
    return {
        "answers": len(ordered),
        "refused": tally.refused[:3],
        "seconds": took,
        "p50": ordered[len(ordered) // 2],
        "p99": _p99(ordered),
        "rounds": [_p99(one) for one in tally.rounds(start)],
        "worst": ordered[-1],
    }


def _p99(ordered: Sequence[float]) -> float:
    return ordered[int(len(ordered) * 0.99)]


async def streams(port: int, pairs: Sequence[Pair], count: int) -> dict[str, Any]:
    lines, opened = [Line(port) for _ in range(count)], list[asyncio.StreamReader]()
    for line, pair in zip(lines, cycle(pairs), strict=False):
        status, reader, _head = await line.ask(pair)
        if status != 200:
            raise SystemExit(f"a stream was refused: {status}")
        await _until(reader, b"event: ready")
        opened.append(reader)
    print(json.dumps({"open": len(opened)}), flush=True)
    name = (await asyncio.to_thread(sys.stdin.readline)).strip()
    told = await asyncio.gather(*(_until(reader, f'"name": "{name}"'.encode()) for reader in opened))
    return {"told": len(told), "first": min(told), "last": max(told)}


async def _until(reader: asyncio.StreamReader, word: bytes) -> float:
    """When a line with this word has come."""
    async with asyncio.timeout(SECONDS):
        while word not in (line := await reader.readline()):
            if not line:
                raise SystemExit("a stream ended")
    return time.monotonic()


async def download(port: int, pairs: Sequence[Pair]) -> dict[str, Any]:
    start = time.perf_counter()
    line = Line(port)
    status, reader, head = await line.ask(pairs[0])
    if status != 200:
        raise SystemExit(f"the download was refused: {status}")
    size = 0
    while length := int(await reader.readline(), 16):
        left = length + 2
        while left:
            left -= len(part := await reader.read(min(left, CHUNK)))
            if not part:
                raise SystemExit("the download broke off")
        size += length
    return {"bytes": size, "seconds": time.perf_counter() - start, "type": head["content-type"]}


def main(what: str, port: str, file: str, *numbers: str) -> None:
    pairs: list[Pair] = [(token, path) for token, path in json.loads(Path(file).read_text())]
    work = {"requests": requests, "streams": streams, "download": download}[what]
    answer: dict[str, Any] = asyncio.run(work(int(port), pairs, *map(int, numbers)))  # type: ignore[operator]
    times = os.times()
    print(json.dumps({**answer, "cpu_seconds": times.user + times.system}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
