"""The operator as a process of its own, outside of the cluster that it works in."""

import os
import signal
import sys
import urllib.request
from pathlib import Path

from tests.support.process import Process, spawn

ROOT = Path(__file__).parents[2]


class OperatorProcess:
    """``holdfast operator`` with a kubeconfig. It can be killed and started again."""

    def __init__(
        self,
        kubeconfig: Path,
        log: Path,
        *,
        port: int,
        metrics_port: int = 0,
        resync_seconds: int = 3600,
        **settings: str | int,
    ) -> None:
        """``metrics_port``: 0 for none; ``settings``: others of the operator, such as ``max_concurrent_runs``."""
        self._kubeconfig, self.log, self._port, self._resync = kubeconfig, log, port, resync_seconds
        self.metrics_port = metrics_port
        self._settings = {f"HOLDFAST_{name.upper()}": str(value) for name, value in settings.items()}
        self._process: Process | None = None

    def start(self) -> None:
        variables = {
            "KUBECONFIG": str(self._kubeconfig),
            "PYTHONPATH": str(ROOT / "operator"),
            "HOLDFAST_IMAGE": "holdfast:test",
            "HOLDFAST_RESYNC_SECONDS": str(self._resync),
            "HOLDFAST_LIVENESS_PORT": str(self._port),
            "HOLDFAST_METRICS_PORT": str(self.metrics_port),
            "PATH": os.environ["PATH"],
            "MALLOC_ARENA_MAX": "2",  # as in the image
            **self._settings,
        }
        words = [f"{name}={value}" for name, value in variables.items()]
        self._process = spawn(
            ["env", "-i", *words, sys.executable, "-m", "holdfast", "operator"], output=self.log, outlive=False
        )

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """It does nothing, and does not know, until ``wake``."""
        os.kill(self.pid, signal.SIGSTOP)

    def wake(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> int | None:
        """End it as a node does; its exit status."""
        return self._end(signal.SIGTERM)

    @property
    def pid(self) -> int:
        assert self._process is not None, "it does not run"
        return self._process.pid

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/healthz", timeout=3) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def metrics(self) -> str:
        """What a scrape gets."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
            return text

    def _end(self, number: signal.Signals) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        process.send(number)
        if not process.wait(20):
            process.send(signal.SIGKILL)
            process.wait(10)
        return process.status
