"""What a person sees of a run that goes on."""

from io import StringIO

from rich.console import Console
from rich.progress import Progress

from holdfast.cli.console import BarProgress, columns
from holdfast.ports import Advance

MIB = 2**20


class Terminal:
    """A bar at a time of our choice."""

    def __init__(self) -> None:
        self.now = 0.0
        console = Console(file=StringIO(), force_terminal=True, width=120)
        self.bar = Progress(*columns(), console=console, get_time=lambda: self.now, auto_refresh=False)
        self.progress = BarProgress(self.bar)

    def advance(self, mebibytes: int, *, of: int = 100) -> None:
        self.progress.advance(Advance("users", 0, mebibytes * MIB, 0, 0, of * MIB))

    @property
    def shown(self) -> str:
        console = Console(file=StringIO(), width=120)
        with console.capture() as capture:
            console.print(self.bar.get_renderable())
        return capture.get()


def reading() -> Terminal:
    """Ten seconds at two MiB a second."""
    terminal = Terminal()
    terminal.progress.phase("Running")
    for second in range(11):
        terminal.now = float(second)
        terminal.advance(2 * second)
    return terminal


def test_a_bar_shows_what_is_read_how_far_it_is_the_rate_and_the_time_left() -> None:
    shown = reading().shown
    assert "users" in shown
    assert "20.0/100.0 MiB" in shown
    assert "2.0 MiB/s" in shown
    assert "0:00:40" in shown


def test_another_phase_does_not_show_the_rate_of_the_last_one() -> None:
    terminal = reading()
    terminal.progress.phase("Verifying")
    assert "Verifying" in terminal.shown
    assert "MiB/s" not in terminal.shown
    assert "0:00:40" not in terminal.shown


def test_a_new_attempt_begins_at_nothing() -> None:
    terminal = reading()
    terminal.progress.phase("Running")
    for second in range(11, 22):
        terminal.now = float(second)
        terminal.advance(second - 11)
    assert "10.0/100.0 MiB" in terminal.shown
    assert "1.0 MiB/s" in terminal.shown


def test_a_bar_is_never_full_before_the_end_where_the_estimate_was_too_low() -> None:
    terminal = reading()
    terminal.advance(300, of=100)
    assert terminal.bar.tasks[0].percentage < 100
