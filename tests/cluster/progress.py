"""What a person sees while it works: short lines on standard error, and long output in a file."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.errors import ClusterError

_POLL_SECONDS = 0.1
_TAIL_LINES = 15
_TAIL_WIDTH = 300
# A log may begin with the command that writes it; such a line says nothing about a failure.
COMMAND_MARK = "$ "


def say(text: str) -> None:
    """Tell a person what is going on."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Say what is being done, and afterwards how long it took."""
    say(f"{text} ...")
    begun = time.monotonic()
    yield
    say(f"{text}: done in {time.monotonic() - begun:.1f} s")


def tail(log: Path, lines: int = _TAIL_LINES) -> str:
    """Return the last lines of a log, indented and cut to a readable width, or a word that there are none."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return "    (no log)"
    said = [line for line in text.splitlines() if not line.startswith(COMMAND_MARK)]
    return "\n".join(f"    {line[:_TAIL_WIDTH]}" for line in said[-lines:]) or "    (the log is empty)"


def run(
    command: Sequence[str | Path],
    *,
    log: Path,
    what: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a long command with all its output in ``log``.

    Raise ClusterError, with the log's path and last lines, when the command fails.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        result = subprocess.run(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            check=False,
        )
    if result.returncode != 0:
        raise ClusterError(
            f"{what} failed (exit code {result.returncode}); the log is {log}, and it ends:\n{tail(log)}"
        )


def output_of(command: Sequence[str | Path], *, what: str, env: Mapping[str, str] | None = None) -> str:
    """Run a short command and return its standard output.

    Raise ClusterError, with what it wrote on standard error, when it fails.
    """
    result = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
        check=False,
    )
    if result.returncode != 0:
        raise ClusterError(f"{what} failed: {result.stderr.strip() or f'exit code {result.returncode}'}")
    return result.stdout


def wait_until(
    check: Callable[[], bool], *, what: str, seconds: float, log: Path, alive: Callable[[], bool] = lambda: True
) -> None:
    """Poll ``check`` until it holds; ``what`` names that, as in "the node to be ready".

    Raise ClusterError, with the last lines of ``log``, when the time is over or when ``alive`` says that the
    process that should make it hold is gone.
    """
    deadline = time.monotonic() + seconds
    while not check():
        if not alive():
            raise ClusterError(f"Waited for {what}, but the process ended; its log is {log}, and it ends:\n{tail(log)}")
        if time.monotonic() > deadline:
            raise ClusterError(
                f"Waited {seconds:.0f} s in vain for {what}; the log is {log}, and it ends:\n{tail(log)}"
            )
        time.sleep(_POLL_SECONDS)
