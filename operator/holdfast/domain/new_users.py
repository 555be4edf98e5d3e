"""What is told of people who signed up: how much of them, and how much at once."""

from enum import StrEnum

SHOWN = 20
"""People that one mail names at most. An import is one mail with a count."""


class Detail(StrEnum):
    """How much of a person is told."""

    FULL = "Full"
    """Name, address and time."""
    MASKED = "Masked"
    """Initials, the first letter of the address with its domain, and the time."""
    COUNT = "Count"
    """Nobody is named, and nobody's document is read."""


def masked_name(name: str) -> str:
    """The initials: ``A. L.`` of Ada Lovelace."""
    return " ".join(f"{word[0]}." for word in name.split()[:3])


def masked_address(address: str) -> str:
    """``a…@example.org`` of ada@example.org; of what is no address, its first letter."""
    local, at, domain = address.rpartition("@")
    if not at:
        return f"{address[0]}…" if address else ""
    return f"{local[:1]}…@{domain}"
