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
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

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


class BarProgress:
    """A bar with rate and time left."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None)

    def phase(self, name: str, message: str = "") -> None:
        self._bar.update(self._task, description=message or name)

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
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=errors, transient=True) as bar:
        yield BarProgress(bar)
