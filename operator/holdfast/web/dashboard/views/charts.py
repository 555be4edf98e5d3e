"""Lines over time: where everything stands in a drawing of fixed size, so that a template only writes it down."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.domain.human import human_bytes, human_duration

WIDTH, HEIGHT = 420, 190
LEFT, RIGHT, TOP, BOTTOM = 66, 12, 12, 26
STEPS = 4
"""About so many lines across."""
NAMED_DAYS = 3
"""So many times are written below."""

_BYTES = tuple(step * 1024**power for power in range(6) for step in (1, 2, 5, 10, 20, 50, 100, 200, 500))
_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400, 172_800)


@dataclass(frozen=True)
class Point:
    x: float
    y: float
    text: str
    """What is told of it."""


@dataclass(frozen=True)
class Line:
    name: str
    number: int
    """Which of the lines: it has its own colour, and its own dashes."""
    points: tuple[Point, ...]
    path: str
    """As an SVG polyline takes it."""


@dataclass(frozen=True)
class Tick:
    at: float
    text: str
    anchor: str = "end"


@dataclass(frozen=True)
class Chart:
    """``title`` is its name, ``summary`` what it says, for those who do not see it."""

    id: str
    title: str
    summary: str
    lines: tuple[Line, ...]
    across: tuple[Tick, ...]
    below: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


Series = tuple[str, Sequence[tuple[datetime, float]]]
"""A name, and values in the order of their times."""


def bytes_chart(id_: str, title: str, series: Sequence[Series]) -> Chart | None:
    return _chart(id_, title, series, _BYTES, lambda value: human_bytes(round(value)))


def seconds_chart(id_: str, title: str, series: Sequence[Series]) -> Chart | None:
    return _chart(id_, title, series, _SECONDS, lambda value: human_duration(timedelta(seconds=value)))


def _chart(
    id_: str, title: str, series: Sequence[Series], steps: Sequence[int], told: Callable[[float], str]
) -> Chart | None:
    """None where there are fewer than two values in each: one point is no line."""
    shown = [(name, values) for name, values in series if len(values) > 1]
    if not shown:
        return None
    first, last = min(values[0][0] for _, values in shown), max(values[-1][0] for _, values in shown)
    highest = max(value for _, values in shown for _, value in values)
    step = next((one for one in steps if highest <= one * STEPS), max(steps[-1], highest / STEPS))
    top = step * STEPS
    span = (last - first).total_seconds() or 1.0

    def x(time: datetime) -> float:
        return round(LEFT + (time - first).total_seconds() / span * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM), 1)

    lines = []
    for number, (name, values) in enumerate(shown, 1):
        points = tuple(Point(x(time), y(value), f"{time:%d %b %H:%M}: {told(value)}") for time, value in values)
        lines.append(Line(name, number, points, " ".join(f"{point.x},{point.y}" for point in points)))
    return Chart(
        id=id_,
        title=title,
        summary=" ".join(_summary(name, values, told) for name, values in shown),
        lines=tuple(lines),
        across=tuple(Tick(y(step * number), told(step * number)) for number in range(STEPS + 1)),
        below=tuple(_below(first, last, x)),
    )


def _summary(name: str, values: Sequence[tuple[datetime, float]], told: Callable[[float], str]) -> str:
    numbers = [value for _, value in values]
    return f"{name}: {told(numbers[0])} at first, {told(numbers[-1])} now, {told(max(numbers))} at most."


def _below(first: datetime, last: datetime, x: Callable[[datetime], float]) -> list[Tick]:
    """Days; hours where it is all within two days."""
    form = "%d %b" if last - first > timedelta(days=2) else "%H:%M" if first.date() == last.date() else "%d %b %H:%M"
    times = [first + (last - first) * part / (NAMED_DAYS - 1) for part in range(NAMED_DAYS)]
    anchors = ("start", "middle", "end")
    return [Tick(x(time), f"{time:{form}}", anchor) for time, anchor in zip(times, anchors, strict=True)]
