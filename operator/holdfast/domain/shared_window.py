"""How several backups share the one snapshot window of a server.

They know nothing of each other, and may run as different users with different repositories: the number itself is all
that they share. So a window that backups have raised says how many of them need it: it is whole minutes, and one
second for each backup. The last to leave sets it back; until then it is never lowered under another one. What people
set is a round number, and is not taken for such a one.
"""

from math import ceil

from holdfast.domain.snapshot_window import LONGEST, USUAL

MINUTE = 60
MOST = 9
"""Backups of one server at a time that can be counted. A value such as 310 or 1000 is nobody's."""
PROBE = LONGEST + 1
"""Set for a moment by who may set the window and may not ask for it: it lowers nothing under anybody."""


def holders(window: int) -> int:
    """How many backups hold the window; 0 for one that was set by people, or never."""
    count = window % MINUTE
    return count if window > USUAL and count <= MOST else 0


def joined(window: int, needed: int) -> int | None:
    """The window with one more backup that needs ``needed`` seconds; None if no more can be counted."""
    held = holders(window)
    if held == MOST:
        return None
    least = max(USUAL, min(needed, LONGEST), window - held)
    return ceil(least / MINUTE) * MINUTE + held + 1


def left(window: int, found: int) -> int:
    """The window with one backup less, which had found it at ``found``.

    Without any, it is what it was before the first one; where only others knew that, it is the server's default. One
    that is held by nobody was changed by people meanwhile, or the server was restarted: it is left alone.
    """
    match holders(window):
        case 0:
            return window
        case 1:
            return USUAL if holders(found) else found
        case _:
            return window - 1
