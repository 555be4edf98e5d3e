"""The HTTP server around the application."""

from collections.abc import Callable, Sequence
from types import FrameType

import uvicorn
from fastapi import FastAPI

STOP_SECONDS = 20


def serve(app: FastAPI, port: int, proxies: Sequence[str], on_signal: Callable[[], None]) -> None:
    """Answer until a signal comes; ``on_signal`` ends what would go on by itself. TLS is the matter of what stands
    before it. ``proxies``: addresses of those whose word counts on where a request came from."""
    config = uvicorn.Config(
        app,
        host="0.0.0.0",  # noqa: S104
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    _Server(config, on_signal).run()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_signal: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_signal = on_signal

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._on_signal()
