"""An Azure Blob Storage on this machine: Azurite."""

import base64
import hmac
import http.client
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from pathlib import Path
from secrets import token_bytes, token_hex

from tests.support.ports import LOOPBACK
from tests.support.server import Server
from tests.support.server_programs import ServerError, npm_script

ACCOUNT = "holdfast"
VERSION = "2021-12-02"


class Azure(Server):
    """Azurite with one account and no containers."""

    name = "azurite"

    def __init__(self) -> None:
        super().__init__()
        self._key = new_key()

    @staticmethod
    def install() -> Path:
        return npm_script("azurite", "azurite/dist/src/blob/main.js")

    def command(self) -> Sequence[str | Path]:
        # fmt: off
        return [
            "env", f"AZURITE_ACCOUNTS={ACCOUNT}:{self._key}",
            "node", self.install(), "--silent",
            "--blobHost", LOOPBACK, "--blobPort", str(self.port), "--location", self.directory / "data",
        ]
        # fmt: on

    @property
    def settings(self) -> Mapping[str, str]:
        """The usual variables that lead to this server."""
        return {
            "AZURE_STORAGE_ENDPOINT": f"http://{LOOPBACK}:{self.port}/{ACCOUNT}",
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": self._key,
        }

    def new_bucket(self) -> str:
        """Create an empty container, and return its name."""
        name = f"container-{token_hex(6)}"
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": VERSION}
        # The method, eleven standard headers that are not sent, ours, and what is meant: account, path and options.
        text = "PUT" + "\n" * 12 + "".join(f"{header}:{value}\n" for header, value in headers.items())
        text += f"/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
        signature = base64.b64encode(hmac.digest(base64.b64decode(self._key), text.encode(), "sha256")).decode()
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=30)
        try:
            headers |= {"Authorization": f"SharedKey {ACCOUNT}:{signature}", "Content-Length": "0"}
            connection.request("PUT", f"/{ACCOUNT}/{name}?restype=container", headers=headers)
            status = connection.getresponse().status
        finally:
            connection.close()
        if status != http.client.CREATED:
            raise ServerError(f"Azurite made no container: status {status}")
        return name


def new_key() -> str:
    """A key of an account, of the form that Azure gives them."""
    return base64.b64encode(token_bytes(64)).decode()
