"""A fake of Google Cloud Storage on this machine; it asks for no credentials."""

import http.client
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from secrets import token_hex

from tests.support.ports import LOOPBACK
from tests.support.server import Server
from tests.support.server_programs import ServerError, go_program


class Gcs(Server):
    """fake-gcs-server, with the part of the XML API that it lacks (`servers/fakegcs`). Keeps all in memory."""

    name = "fakegcs"

    @staticmethod
    def install() -> Path:
        return go_program("fakegcs", ".")

    def command(self) -> Sequence[str | Path]:
        return [self.install(), "-address", f"{LOOPBACK}:{self.port}"]

    @property
    def settings(self) -> Mapping[str, str]:
        """The usual variables that lead to this server."""
        # With a token of ours, the client asks nobody for one.
        return {"GOOGLE_BASE_URL": f"http://{LOOPBACK}:{self.port}", "GOOGLE_BEARER_TOKEN": "any"}

    def new_bucket(self) -> str:
        """Create an empty bucket, and return its name."""
        name = f"bucket-{token_hex(6)}"
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=30)
        try:
            connection.request("POST", "/storage/v1/b", json.dumps({"name": name}))
            status = connection.getresponse().status
        finally:
            connection.close()
        if status != http.client.OK:
            raise ServerError(f"fakegcs made no bucket: status {status}")
        return name
