"""``holdfast web`` as a process of its own, with the rights that the chart gives it."""

import http.client
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.control_plane import ControlPlane
from tests.support.ports import free_ports
from tests.support.process import Process, spawn

ROOT = Path(__file__).parents[2]
AUDIENCE = "holdfast-test"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class WebProcess:
    """It takes tokens for AUDIENCE. ``chart``: values beside ``web.enabled``, as ``name=value``; ``settings``: of the
    process, such as ``trusted_proxies``; ``release``: the namespace that it is installed in; ``api``: by which way it
    comes to the API server, if not straight."""

    def __init__(
        self, plane: ControlPlane, folder: Path, *chart: str, release: str = "default", api: str = "", **settings: str
    ) -> None:
        self._api = api
        self._plane, self._folder, self._chart, self._settings = plane, folder, chart, settings
        self._release = release
        self.account = f"system:serviceaccount:{release}:holdfast-web"
        (self.port,) = free_ports(1)
        self.log = folder / "log"
        self.smtp_folder = folder / "smtp"
        """Where the Secret of the one mail server would be mounted. It lends none while this is empty."""
        self.rendered = ""
        """The chart's manifests of it."""
        self._process: Process | None = None

    def start(self) -> None:
        """It answers when this returns."""
        values = ("web.enabled=true", f"web.audiences={{{AUDIENCE}}}", *self._chart)
        self.rendered = self._plane.render(
            ROOT / "charts" / "holdfast", "templates/web.yaml", *values, namespace=self._release
        )
        self._plane.kubectl("apply", "-f", "-", stdin=self.rendered)
        token = self._plane.kubectl("--namespace", self._release, "create", "token", "holdfast-web").strip()
        self._plane.write_kubeconfig(self._folder / "kubeconfig", token, self._api)
        self.smtp_folder.mkdir(exist_ok=True)
        variables = {
            "KUBECONFIG": str(self._folder / "kubeconfig"),
            "PYTHONPATH": str(ROOT / "operator"),
            "PATH": os.environ["PATH"],
            "MALLOC_ARENA_MAX": "2",  # as in the image
            "HOLDFAST_PORT": str(self.port),
            "HOLDFAST_AUDIENCES": AUDIENCE,
            "HOLDFAST_SMTP_FOLDER": str(self.smtp_folder),
            **{f"HOLDFAST_{name.upper()}": value for name, value in self._settings.items()},
        }
        words = [f"{name}={value}" for name, value in variables.items()]
        self._process = spawn(
            ["env", "-i", *words, sys.executable, "-m", "holdfast", "web"], output=self.log, outlive=False
        )
        self._wait_until_ready()

    def stop(self) -> None:
        """End it as a node does, and look at its log: it holds neither a traceback nor a token."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send(signal.SIGTERM)
        assert process.wait(20)
        text = self.log.read_text()
        assert "Traceback" not in text, text
        assert "eyJ" not in text, "a token is in the log"

    @property
    def pid(self) -> int:
        assert self._process is not None, "it does not run"
        return self._process.pid

    def get(
        self,
        path: str,
        token: str | None = None,
        method: str = "GET",
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """``token``: as a bearer, beside other headers."""
        bearer = {"Authorization": f"Bearer {token}"} if token is not None else {}
        connection = self.connect()
        try:
            connection.request(method, path, body=body, headers={**bearer, **(headers or {})})
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read().decode())
        finally:
            connection.close()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                if self.get("/readyz").status == 200:
                    return
            except OSError:
                pass
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)
