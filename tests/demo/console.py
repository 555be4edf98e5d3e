"""What the demo prints: its steps, the commands it runs, and why it had to stop."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

STEPS = 8


class DemoError(Exception):
    """The demo cannot go on; the message is one sentence."""


@contextmanager
def step(number: int, title: str) -> Iterator[None]:
    """Print a step's title, and how long it took."""
    print(f"\n[{number}/{STEPS}] {title}", flush=True)
    begin = monotonic()
    yield
    print(f"      done in {monotonic() - begin:.0f} s", flush=True)


def say(text: str) -> None:
    for line in text.splitlines():
        print(f"      {line}", flush=True)


class Shell:
    """Runs commands and shows them as a user would type them."""

    def __init__(self, programs: Path, environment: Mapping[str, str]) -> None:
        """``programs``: a directory that is searched before PATH."""
        path = f"{programs}:{environment.get('PATH', '')}"
        self._environment = {**environment, "PATH": path}

    def run(self, *command: str, show: bool = True, stdin: str | None = None) -> str:
        """The standard output of a command. DemoError, with what it said, if it fails."""
        if show:
            say(f"$ {shlex.join(command)}")
        done = subprocess.run(command, env=self._environment, input=stdin, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            raise DemoError(f"`{shlex.join(command)}` failed with exit code {done.returncode}:\n{said}")
        return done.stdout

    @contextmanager
    def running(self, *command: str, until: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """A command that goes on in the block, from the line on that matches. DemoError if it ends before."""
        say(f"$ {shlex.join(command)}")
        process = subprocess.Popen(command, env=self._environment, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            found = next((match for line in process.stdout if (match := until.search(line))), None)
            if found is None:
                raise DemoError(f"`{shlex.join(command)}` ended with exit code {process.wait()}.")
            yield found
        finally:
            process.terminate()
            process.wait()

    def show(self, *command: str) -> None:
        """Run a command and print what it prints."""
        say(self.run(*command))

    def succeeds(self, *command: str) -> bool:
        return not subprocess.run(command, env=self._environment, capture_output=True, check=False).returncode


def holdfast(shell: Shell, *arguments: str) -> str:
    """Run the `holdfast` command of this checkout."""
    say(f"$ holdfast {shlex.join(arguments)}")
    return shell.run(sys.executable, "-m", "holdfast", *arguments, show=False)
