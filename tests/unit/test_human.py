"""Sizes and durations as people read them."""

from datetime import timedelta

import pytest

from holdfast.domain.human import human_bytes, human_duration


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (3 * 1024**3, "3.0 GiB"),
        (1024**6, "1024.0 PiB"),
    ],
)
def test_bytes(count: int, text: str) -> None:
    assert human_bytes(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (-3, "0s"),
        (8.9, "8s"),
        (60, "1m"),
        (90, "1m30s"),
        (3600, "1h"),
        (7500, "2h5m"),
        (90061, "1d1h"),
        (86401, "1d"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert human_duration(timedelta(seconds=seconds)) == text
