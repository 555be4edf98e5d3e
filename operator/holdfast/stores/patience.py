"""Try again what a passing outage of a store stopped: a few times, with growing, random pauses."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from holdfast.errors import StoreUnavailable

TRIES = 4
_FIRST_PAUSE = 0.25

Result = TypeVar("Result")


def patiently(call: Callable[[], Result], pause: Callable[[float], object] = time.sleep) -> Result:
    """The result of ``call``, which must be harmless to repeat. Raises the last StoreUnavailable.

    With the driver's own time-outs this rides out an election or a restart of a few seconds; what lasts longer is for
    the attempt as a whole to try again.
    """
    for number in range(1, TRIES):
        try:
            return call()
        except StoreUnavailable:
            pause(random.uniform(0.5, 1.5) * _FIRST_PAUSE * 2**number)  # noqa: S311 (jitter, not a secret)
    return call()
