"""Whether what is restored fits on the disk."""

from holdfast.domain.human import human_bytes


def room_for(free: int | None, *, compressed: int, raw: int) -> tuple[str | None, str | None]:
    """Why it does not fit, and why it may not; at most one of the two.

    ``compressed``: what it takes up in the repository, which compresses more than a server does by default; ``raw``:
    its documents uncompressed. Indexes come on top. ``free`` is None where nobody knows.
    """
    if free is None or free >= raw:
        return None, None
    told = f"The server's disk has {human_bytes(free)} free"
    if free < compressed:
        return f"{told}, and at least {human_bytes(compressed)} are needed.", None
    return None, f"{told}; {human_bytes(compressed)} to {human_bytes(raw)} and the indexes are needed."
