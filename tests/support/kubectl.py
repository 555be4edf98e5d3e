"""Drive a cluster by kubectl and helm, as a user does."""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]


class CommandFailed(Exception):
    """A command ended with an error; the message is what it said."""


class Kubectl:
    """Commands against one cluster, and one namespace where it is given."""

    def __init__(self, kubeconfig: Path, programs: Path, namespace: str | None = None) -> None:
        self._kubeconfig, self._programs, self.namespace = kubeconfig, programs, namespace

    def within(self, namespace: str) -> "Kubectl":
        return Kubectl(self._kubeconfig, self._programs, namespace)

    def run(self, program: str, *arguments: str, stdin: str | None = None, seconds: float = 180) -> str:
        """The standard output of a command. CommandFailed if it fails, or does not end in time."""
        command = self._command(program, *arguments)
        try:
            done = subprocess.run(
                command,
                env=self._environment,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CommandFailed(f"{' '.join(command)} did not end within {seconds} s") from error
        if done.returncode:
            raise CommandFailed(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    @contextmanager
    def running(self, *arguments: str, until: str) -> Iterator[re.Match[str]]:
        """A kubectl that goes on in the block, from the line on that matches. CommandFailed if it ends before."""
        command = self._command("kubectl", *arguments)
        with subprocess.Popen(command, env=self._environment, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                found = next((match for line in process.stdout if (match := re.search(until, line))), None)
                if found is None:
                    raise CommandFailed(f"{' '.join(command)} ended with {process.wait()}")
                yield found
            finally:
                process.terminate()

    def _command(self, program: str, *arguments: str) -> list[str]:
        return [program, *(["--namespace", self.namespace] if self.namespace else []), *arguments]

    @property
    def _environment(self) -> Mapping[str, str]:
        path = f"{self._programs}:{os.environ['PATH']}"
        return {**os.environ, "KUBECONFIG": str(self._kubeconfig), "PATH": path}

    def __call__(self, *arguments: str, stdin: str | None = None, seconds: float = 180) -> str:
        return self.run("kubectl", *arguments, stdin=stdin, seconds=seconds)

    def apply(self, *objects: Object) -> None:
        self("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))

    def create(self, body: Object) -> str:
        """The name that the server gave it."""
        return self("create", "-f", "-", "--output", "jsonpath={.metadata.name}", stdin=yaml.safe_dump(body))

    def get(self, what: str) -> Object:
        found: Object = json.loads(self("get", what, "--output", "json"))
        return found

    def list(self, kind: str, labels: Mapping[str, str] | None = None) -> Sequence[Object]:
        chosen = ["--selector", ",".join(f"{k}={v}" for k, v in labels.items())] if labels else []
        found: Sequence[Object] = json.loads(self("get", kind, *chosen, "--output", "json"))["items"]
        return found

    def wait(self, what: str, condition: str, seconds: int = 90) -> None:
        """Wait for what ``kubectl wait --for`` takes; CommandFailed, with the object's status, if it does not come."""
        try:
            self("wait", what, f"--for={condition}", f"--timeout={seconds}s", seconds=seconds + 30)
        except CommandFailed as error:
            raise CommandFailed(f"{error}\n{self._told(what)}") from error

    def _told(self, what: str) -> str:
        try:
            return self("get", what, "--output", "jsonpath={.status}")
        except CommandFailed as error:
            return str(error)
