"""How several pods share the reading of one backup.

The segments of all collections, in order, are packed into portions; a portion is what one pod reads and answers for.
They depend on the data alone, so a backup holds the same chunks however many pods take it. Each index has a share of
the portions, about equal in bytes. One that is done with its own helps out where others are late, from the end of their
shares: so the two meet only at the last portion, and a pod that never starts holds nobody up.
"""

from collections.abc import Sequence
from itertools import accumulate

from holdfast.domain.segments import SEGMENT


def portions(sizes: Sequence[int]) -> tuple[range, ...]:
    """Given the bytes of the segments, which of them go together: neighbours, until there is enough to be worth it."""
    packed, first, size = [], 0, 0
    for number, length in enumerate(sizes):
        size += length
        if size >= SEGMENT:
            packed.append(range(first, number + 1))
            first, size = number + 1, 0
    if first < len(sizes):
        packed.append(range(first, len(sizes)))
    return tuple(packed)


def share(sizes: Sequence[int], index: int, of: int) -> range:
    """Given the bytes of the portions, which of them an index reads first."""
    whole = max(1, sum(sizes))
    middles = [end - size / 2 for size, end in zip(sizes, accumulate(sizes), strict=True)]
    owners = [min(of - 1, int(middle * of / whole)) for middle in middles]
    return range(sum(owner < index for owner in owners), sum(owner <= index for owner in owners))


def others(sizes: Sequence[int], index: int, of: int) -> tuple[int, ...]:
    """The portions of the other indexes, in the order in which this one helps out: the next index first."""
    order: list[int] = []
    for step in range(1, of):
        order += reversed(share(sizes, (index + step) % of, of))
    return tuple(order)
