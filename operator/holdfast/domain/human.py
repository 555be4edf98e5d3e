"""Sizes and durations for people."""

from datetime import timedelta

_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")


def human_bytes(count: int) -> str:
    """Such as ``512 B`` or ``1.2 MiB``."""
    if count < 1024:
        return f"{count} B"
    size, unit = count / 1024, 0
    while size >= 1023.95 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.1f} {_UNITS[unit]}"


def human_duration(span: timedelta) -> str:
    """Such as ``8s``, ``1m30s``, ``2h5m`` or ``3d4h``: the two largest units, as kubectl writes ages."""
    seconds = max(0, int(span.total_seconds()))
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "m"), (seconds % 60, "s")]
    first = next((index for index, (value, _) in enumerate(parts) if value), len(parts) - 1)
    return "".join(f"{value}{unit}" for value, unit in parts[first : first + 2] if value) or "0s"
