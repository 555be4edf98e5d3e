"""The HTTP server around the application."""

import uvicorn
from fastapi import FastAPI

STOP_SECONDS = 20


def serve(app: FastAPI, port: int) -> None:
    """Answer until a signal comes. TLS is the matter of what stands before it."""
    uvicorn.run(
        app,
        host="0.0.0.0",  # noqa: S104
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
