"""Stands before an HTTP server on this machine and spoils what a test says: lost replies, refusals, cut bodies."""

import socket
import threading
from collections import deque
from collections.abc import Callable
from socketserver import BaseRequestHandler, ThreadingTCPServer
from types import TracebackType
from typing import Self

from tests.support.ports import LOOPBACK

SECONDS = 30.0

Exchange = Callable[[bytes], bytes]
"""Hands a request on to the server, and returns its whole reply."""
Fault = Callable[[bytes, Exchange], bytes]
"""What the client gets for a request; nothing for a connection that is closed without an answer."""


def lost_reply(request: bytes, exchange: Exchange) -> bytes:
    """The server does what it was asked, and its reply is lost."""
    exchange(request)
    return b""


def cut_reply(request: bytes, exchange: Exchange) -> bytes:
    """The connection ends before the last byte of the reply."""
    return exchange(request)[:-1]


def no_reply(request: bytes, exchange: Exchange) -> bytes:
    """The connection ends, and the server never saw the request."""
    del request, exchange
    return b""


def replying(status: int, code: str = "", headers: str = "") -> Fault:
    """The server is not asked; the reply has this status and, if there is one, this code of S3."""
    body = f"<Error><Code>{code}</Code></Error>".encode() if code else b""
    head = f"HTTP/1.1 {status} Any\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
    return lambda _request, _exchange: head.encode() + body


class FaultyProxy:
    """A proxy on a free port of loopback, for a server that closes the connection after each reply.

    Each fault in `faults` spoils one request, in order; what comes after them goes through. `requests` holds the
    first line of each.
    """

    def __init__(self, port: int) -> None:
        self.faults: deque[Fault] = deque()
        self.requests: list[str] = []
        proxy = self

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                self.request.settimeout(SECONDS)
                if request := _request_from(self.request):
                    proxy.requests.append(request.split(b"\r\n", 1)[0].decode())
                    fault = proxy.faults.popleft() if proxy.faults else _no_fault
                    self.request.sendall(fault(request, lambda data: _exchange(port, data)))

        self._server = ThreadingTCPServer((LOOPBACK, 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _no_fault(request: bytes, exchange: Exchange) -> bytes:
    return exchange(request)


def _request_from(connection: socket.socket) -> bytes:
    """One request with its body; nothing if the client goes away before it has sent all."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (part := connection.recv(65536)):
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    missing = int(lengths[0]) - len(body) if lengths else 0
    while missing > 0:
        if not (part := connection.recv(min(missing, 65536))):
            return b""
        data += part
        missing -= len(part)
    return data


def _exchange(port: int, data: bytes) -> bytes:
    with socket.create_connection((LOOPBACK, port), timeout=SECONDS) as server:
        server.sendall(data)
        reply = b""
        while part := server.recv(65536):
            reply += part
        return reply
