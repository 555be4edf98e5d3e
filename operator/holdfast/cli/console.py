"""What a person sees: tables, sizes, errors, and a progress bar on a terminal, plain lines off it."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from holdfast.domain.human import human_bytes
from holdfast.errors import HoldfastError
from holdfast.ports import Advance

errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
_EVERY_SECONDS = 5.0


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def print_error(error: HoldfastError) -> None:
    errors.print(f"error: {error.message}")
    if error.hint:
        errors.print(f"       {error.hint}")


def print_warning(message: str) -> None:
    errors.print(f"warning: {message}")


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns in the manner of kubectl: upper-case names, three spaces between, no lines."""
    table = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    for row in table:
        sys.stdout.write("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n")


class PlainProgress:
    """One line at most every five seconds, for logs."""

    def __init__(self) -> None:
        self._shown = monotonic()

    def phase(self, name: str, message: str = "") -> None:
        errors.print(f"{name}{': ' + message if message else ''}")

    def advance(self, report: Advance) -> None:
        if monotonic() - self._shown >= _EVERY_SECONDS:
            self._shown = monotonic()
            errors.print(
                f"{report.collection}: {report.documents} of about {report.total_documents} documents, "
                f"{human_bytes(report.logical_bytes)} of {human_bytes(report.total_bytes)}"
            )

    def warn(self, message: str) -> None:
        print_warning(message)


class _Rate(ProgressColumn):
    """In the units of the other columns; rich's own is in powers of ten."""

    def render(self, task: Task) -> Text:
        return Text(f"{human_bytes(int(task.speed))}/s" if task.speed else "", style="progress.data.speed")


def columns() -> tuple[ProgressColumn, ...]:
    """What a bar shows: what is worked on, how far it is, the rate, and the time left."""
    return (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        _Rate(),
        TimeRemainingColumn(),
    )


class BarProgress:
    """A bar with rate and time left."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None)

    def phase(self, name: str, message: str = "") -> None:
        # Another piece of work: the rate of the last one tells nothing of it.
        self._bar.reset(self._task, total=None, description=message or name)

    def advance(self, report: Advance) -> None:
        # Totals are estimates: a bar that is full before the end would be a lie.
        total = max(report.total_bytes, report.logical_bytes + 1)
        self._bar.update(self._task, description=report.collection, completed=report.logical_bytes, total=total)

    def warn(self, message: str) -> None:
        self._bar.console.print(f"warning: {message}")


@contextmanager
def progress() -> Iterator[PlainProgress | BarProgress]:
    """A bar on a terminal, plain lines elsewhere; on standard error in both cases."""
    if not errors.is_terminal:
        yield PlainProgress()
        return
    with Progress(*columns(), console=errors, transient=True) as bar:
        yield BarProgress(bar)
