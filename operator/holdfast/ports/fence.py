"""Who may act, where several stand by."""

from contextlib import AbstractContextManager
from typing import Protocol


class Fence(Protocol):
    """Stands before all that changes anything outside, where only one of several processes may act."""

    def act(self) -> AbstractContextManager[None]:
        """Raises LeaseLost on entry if we may not, or not any more."""
        ...
