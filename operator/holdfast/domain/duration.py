"""Durations as people write them: ``90d``, ``36h``, ``1w12h``."""

import re
from datetime import timedelta

from holdfast.errors import InvalidSpec

PATTERN = r"^([0-9]{1,5}w)?([0-9]{1,5}d)?([0-9]{1,5}h)?([0-9]{1,5}m)?$"
_UNITS = {"w": timedelta(weeks=1), "d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}


def parse_duration(text: str, field: str) -> timedelta:
    """Weeks, days, hours and minutes, the larger unit first. InvalidSpec, naming ``field``, for anything else."""
    span = timedelta()
    if re.fullmatch(PATTERN, text):
        for number, unit in re.findall(r"([0-9]+)([wdhm])", text):
            span += int(number) * _UNITS[unit]
    if not span:
        raise InvalidSpec(f"{field}: {text!r} is not a duration.", hint="Write it as 90d, 36h or 2w.")
    return span


def format_duration(span: timedelta) -> str:
    """The same in days and below, such as ``90d`` or ``1d12h``."""
    minutes = int(span.total_seconds()) // 60
    parts = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "m"))
    return "".join(f"{value}{unit}" for value, unit in parts if value) or "0m"
