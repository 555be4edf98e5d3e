"""``kubectl_complete-holdfast``: what kubectl asks when Tab is pressed behind ``kubectl holdfast``.

It gets the words so far, the last one unfinished, and prints one candidate a line, then a colon and a number that tells
the shell what to do; 4 is "offer no file names" (https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/).
"""

import sys
from collections.abc import Iterable, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import typer

from holdfast.cli.plugin import app
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, Kind

NO_FILES = ":4"
FILES = ":0"
SECONDS = 3.0
"""A shell that hangs is worse than one that offers nothing."""

_NAMES = {
    "status": BACKUP_POLICY,
    "backup": BACKUP_POLICY,
    "drill": BACKUP_POLICY,
    "restore": BACKUP_POLICY,
    "runs": BACKUP_POLICY,
    "logs": BACKUP_RUN,
    "hold": BACKUP_RUN,
    "download": BACKUP_RUN,
}
_PATHS = {"--kubeconfig", "--to"}


def candidates(words: Sequence[str]) -> tuple[list[str], str]:
    """Given the words behind ``holdfast``, what may stand for the last, and the number for the shell."""
    *before, unfinished = words or [""]
    group: Any = typer.main.get_command(app)
    if not before:
        return _starting(group.commands, unfinished), NO_FILES
    command = group.commands.get(before[0])
    if command is None:
        return [], NO_FILES
    options = {name: parameter for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    if unfinished.startswith("-"):
        return _starting([name for name in options if name.startswith("-")], unfinished), NO_FILES
    asked = options.get(before[-1]) if len(before) > 1 and before[-1].startswith("-") else None
    if asked is not None and not asked.is_flag:
        if before[-1] in _PATHS:
            return [], FILES
        if before[-1] == "--run":
            return _starting(_names(BACKUP_RUN, before), unfinished), NO_FILES
        choices = type(asked.default) if isinstance(asked.default, Enum) else ()
        return _starting([str(one.value) for one in choices], unfinished), NO_FILES
    return _starting(_names(_NAMES[before[0]], before), unfinished), NO_FILES


def _starting(names: Iterable[str], unfinished: str) -> list[str]:
    return [name for name in names if name.startswith(unfinished)]


def _names(kind: Kind, words: Sequence[str]) -> list[str]:
    from holdfast.kube.person import Person

    path, context = _value(words, "--kubeconfig"), _value(words, "--context")
    person = Person.from_kubeconfig(
        Path(path) if path else None, context, connect_seconds=SECONDS, read_seconds=SECONDS
    )
    namespace = _value(words, "--namespace") or _value(words, "-n") or person.namespace
    return [str(one["metadata"]["name"]) for one in person.cluster.list(kind, namespace)]


def _value(words: Sequence[str], option: str) -> str | None:
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == option:
            return following or None
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
    return None


def main() -> None:
    """Whatever goes wrong, offer nothing and say nothing: this runs while somebody types."""
    try:
        found, directive = candidates(sys.argv[1:])
    except Exception:  # noqa: BLE001 (a message would stand in the middle of the command line)
        found, directive = [], NO_FILES
    sys.stdout.write("".join(f"{one}\n" for one in found) + f"{directive}\n")
