"""The probe of an operator that stands by: it is alive as long as it looks at the Lease, and ready to take over."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from holdfast.errors import InvalidSpec


@contextmanager
def answering(port: int, alive: Callable[[], bool]) -> Iterator[None]:
    """Answer ``/healthz`` on that port (0: on none), until Kopf does. InvalidSpec if the port is taken."""
    if not port:
        yield
        return

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = HTTPStatus.OK if alive() else HTTPStatus.INTERNAL_SERVER_ERROR
            self.send_response(status if self.path == "/healthz" else HTTPStatus.NOT_FOUND)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Probes are not worth a line."""

    try:
        server = ThreadingHTTPServer(("", port), Handler)
    except OSError as error:
        raise InvalidSpec(
            f"HOLDFAST_LIVENESS_PORT: nothing can listen on port {port}: {error.strerror}.", hint="Take another."
        ) from error
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
