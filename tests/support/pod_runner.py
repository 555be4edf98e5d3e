"""Runs the worker of a real pod as a process of this machine, with what the kubelet would give it.

The environment, the Secrets, and the rights of its service account are those of the pod; only the container is missing.
"""

import json
import os
import subprocess
import sys
import threading
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.support.control_plane import ControlPlane

ROOT = Path(__file__).parents[2]


@dataclass
class RunningPod:
    """A worker at work."""

    plane: ControlPlane
    namespace: str
    name: str
    process: "subprocess.Popen[str]"
    termination_log: Path

    def ask_to_stop(self) -> None:
        """As the kubelet does with a pod that is deleted."""
        self.process.terminate()

    def kill(self) -> None:
        """As the kernel does when memory runs out."""
        self.process.kill()

    def end(self, seconds: float = 60) -> int:
        """Wait for its end, tell the API server as the kubelet does, and return the exit code."""
        output, _ = self.process.communicate(timeout=seconds)
        assert "Traceback" not in output, output
        # One that a signal killed has a negative code here; the kubelet says 128 and its number.
        code = self.process.returncode if self.process.returncode >= 0 else 128 - self.process.returncode
        message = self.termination_log.read_text() if self.termination_log.exists() else ""
        self.tell("Failed" if code else "Succeeded", {"terminated": {"exitCode": code, "message": message}})
        return code

    def tell(self, phase: str, state: dict[str, Any]) -> None:
        """Say to the API server what the kubelet would."""
        container = {"name": "worker", "state": state, "ready": False, "restartCount": 0, "image": "x", "imageID": ""}
        patch = json.dumps({"status": {"phase": phase, "containerStatuses": [container]}})
        arguments = ("patch", "pod", self.name, "--subresource=status", "--type=merge", f"--patch={patch}")
        self.plane.kubectl("--namespace", self.namespace, *arguments, check=False)


class PodRunner:
    """``folder`` takes what is mounted."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self._plane, self._folder = plane, folder

    def start(self, namespace: str, name: str) -> RunningPod:
        pod = self._get(namespace, "pod", name)
        folder = self._folder / name
        for volume in pod["spec"]["volumes"]:
            if "secret" in volume:
                self._mount(namespace, volume["secret"], folder / volume["name"])
        token = self._plane.kubectl(
            "--namespace", namespace, "create", "token", pod["spec"]["serviceAccountName"], "--duration=1h"
        ).strip()
        kubeconfig = folder / "kubeconfig"
        kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        self._plane.write_kubeconfig(kubeconfig, token)
        [container] = pod["spec"]["containers"]
        log = folder / "termination-log"
        process = subprocess.Popen(
            [sys.executable, "-m", "holdfast", *container["args"]],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT / "operator"),
                "KUBECONFIG": str(kubeconfig),
                "HOLDFAST_MOUNTS": str(folder),
                "HOLDFAST_TERMINATION_LOG": str(log),
                **{one["name"]: _value(one, pod) for one in container["env"]},
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running = RunningPod(self._plane, namespace, name, process, log)
        running.tell("Running", {"running": {}})
        return running

    def waiting(self, namespace: str) -> list[str]:
        """The names of pods of Jobs that have not ended."""
        ours = ("get", "pods", "--selector=batch.kubernetes.io/job-name", "--output=json")
        pods = json.loads(self._plane.kubectl("--namespace", namespace, *ours))["items"]
        return [pod["metadata"]["name"] for pod in pods if pod["status"].get("phase") not in ("Succeeded", "Failed")]

    def _mount(self, namespace: str, secret: dict[str, Any], folder: Path) -> None:
        folder.mkdir(parents=True)
        data = self._get(namespace, "secret", secret["secretName"]).get("data", {})
        for item in secret["items"]:
            if item["key"] in data:
                (folder / item["path"]).write_bytes(b64decode(data[item["key"]]))

    def _get(self, namespace: str, kind: str, name: str) -> dict[str, Any]:
        output = self._plane.kubectl("--namespace", namespace, "get", kind, name, "--output=json", "--ignore-not-found")
        result: dict[str, Any] = json.loads(output) if output else {}
        return result


class Node:
    """Does in the background what a node would: starts each pod of the namespace, and sees it to its end."""

    def __init__(self, runner: PodRunner, namespace: str) -> None:
        self._runner, self._namespace = runner, namespace
        self._stop, self._seen = threading.Event(), set[str]()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(0.2):
            for name in self._runner.waiting(self._namespace):
                if name not in self._seen:
                    self._seen.add(name)
                    self._runner.start(self._namespace, name).end()


def _value(variable: dict[str, Any], pod: dict[str, Any]) -> str:
    if "value" in variable:
        return str(variable["value"])
    path = variable["valueFrom"]["fieldRef"]["fieldPath"]
    if path.startswith("metadata.labels["):
        return str(pod["metadata"]["labels"][path.partition("'")[2].rstrip("']")])
    if path.startswith("metadata.annotations["):
        return str(pod["metadata"]["annotations"][path.partition("'")[2].rstrip("']")])
    return str(pod["metadata"][path.removeprefix("metadata.")])
