"""A port that answers as a mongos does, as far as telling what it is, and that it is empty."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

from bson import Int64, decode, encode

_HEADER = struct.Struct("<iiii")
_QUERY, _REPLY, _MESSAGE = 2004, 1, 2013
_HELLO = {
    "ismaster": True,
    "isWritablePrimary": True,
    "msg": "isdbgrid",
    "maxBsonObjectSize": 16 * 2**20,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "logicalSessionTimeoutMinutes": 30,
}


class _Handler(BaseRequestHandler):
    def handle(self) -> None:
        while header := self._read(_HEADER.size):
            length, number, _, code = _HEADER.unpack(header)
            body = self._read(length - _HEADER.size)
            if code == _QUERY:  # the first greeting of a driver
                reply = struct.pack("<iqii", 0, 0, 0, 1) + encode({**_HELLO, "ok": 1})
                self._send(number, _REPLY, reply)
            elif code == _MESSAGE:
                self._send(number, _MESSAGE, struct.pack("<iB", 0, 0) + encode(_answer(decode(body[5:]))))

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (more := self.request.recv(size - len(data))):
            data += more
        return data

    def _send(self, to: int, code: int, body: bytes) -> None:
        self.request.sendall(_HEADER.pack(_HEADER.size + len(body), 0, to, code) + body)


def _answer(command: dict[str, Any]) -> dict[str, Any]:
    name = next(iter(command))
    if name in ("hello", "isMaster", "ismaster"):
        return {**_HELLO, "ok": 1}
    if name == "buildInfo":
        return {"version": "7.0.5", "versionArray": [7, 0, 5, 0], "ok": 1}
    if name in ("ping", "endSessions", "dbStats"):
        return {"ok": 1}
    if name in ("listCollections", "find"):
        return {"cursor": {"id": Int64(0), "ns": "shop.nothing", "firstBatch": []}, "ok": 1}
    if name == "connectionStatus":
        return {"authInfo": {"authenticatedUsers": [], "authenticatedUserPrivileges": []}, "ok": 1}
    return {"ok": 0, "code": 59, "errmsg": f"no such command: {name}"}


@contextmanager
def fake_mongos() -> Iterator[str]:
    """Its URI."""
    with ThreadingTCPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"mongodb://127.0.0.1:{server.server_address[1]}/shop"
        server.shutdown()
