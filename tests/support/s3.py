"""A real S3 server on this machine: versitygw over a directory."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from secrets import token_hex

from tests.support.ports import LOOPBACK
from tests.support.server import Server
from tests.support.server_programs import ServerError, go_program

REGION = "us-east-1"


class S3(Server):
    """An S3 server with one user who may do all, and no buckets.

    - `read_only`: it refuses every write.
    - `buckets`: the directory in which each directory is a bucket; of its own unless given.
    - `certificate`: files with a certificate and its key, to speak TLS.
    - `host`: the address by which clients know it, if not loopback; it then listens on all.
    """

    name = "versitygw"

    def __init__(
        self,
        *,
        read_only: bool = False,
        buckets: Path | None = None,
        certificate: tuple[Path, Path] | None = None,
        host: str = LOOPBACK,
    ) -> None:
        super().__init__()
        self._read_only, self._certificate, self._host = read_only, certificate, host
        self.buckets = buckets or self.directory / "buckets"
        self.access_key, self._secret = f"access{token_hex(4)}", token_hex(16)

    @staticmethod
    def install() -> Path:
        return go_program("versitygw", "github.com/versity/versitygw/cmd/versitygw")

    def command(self) -> Sequence[str | Path]:
        for folder in ("buckets", "metadata", "users"):
            self.directory.joinpath(folder).mkdir(exist_ok=True)
        where = LOOPBACK if self._host == LOOPBACK else ""
        # fmt: off
        return [
            self.install(),
            "--port", f"{where}:{self.port}", "--access", self.access_key, "--secret", self._secret,
            "--region", REGION, "--iam-dir", self.directory / "users", "--quiet",
            *(("--readonly",) if self._read_only else ()),
            *(("--cert", self._certificate[0], "--key", self._certificate[1]) if self._certificate else ()),
            # Not in extended attributes: not every file system has them.
            "posix", "--sidecar", self.directory / "metadata", self.buckets,
        ]
        # fmt: on

    @property
    def endpoint(self) -> str:
        return f"{'https' if self._certificate else 'http'}://{self._host}:{self.port}"

    @property
    def settings(self) -> Mapping[str, str]:
        """The usual variables that lead to this server, for the user who may do all."""
        return self.settings_of(self.access_key, self._secret)

    def settings_of(self, access_key: str, secret: str) -> Mapping[str, str]:
        """The same for another user, real or not."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret,
        }

    def new_bucket(self) -> str:
        """Create an empty bucket, and return its name."""
        name = f"bucket-{token_hex(6)}"
        (self.buckets / name).mkdir()
        return name

    def new_user(self) -> Mapping[str, str]:
        """Create a user who may use no bucket, and return the variables for it."""
        access_key, secret = f"user{token_hex(4)}", token_hex(16)
        # fmt: off
        done = subprocess.run(
            [self.install(), "admin", "--access", self.access_key, "--secret", self._secret,
             "--endpoint-url", self.endpoint, "create-user",
             "--access", access_key, "--secret", secret, "--role", "user"],
            capture_output=True, text=True, check=False,
        )
        # fmt: on
        if done.returncode:
            raise ServerError(f"versitygw made no user: {done.stderr}")
        return self.settings_of(access_key, secret)
