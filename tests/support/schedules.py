"""Schedules for tests whose clock is the real one."""

from datetime import UTC, datetime, timedelta

_THEN = datetime.now(UTC) + timedelta(hours=12)

NOT_NOW = f"{_THEN.minute} {_THEN.hour} * * *"
"""Daily, half a day from now, in UTC. A fixed hour comes due while the tests run, on some day of the year."""

TIME_OF_DAY = f"{_THEN:%H:%M}"
"""The same hour and minute, as times are written."""
