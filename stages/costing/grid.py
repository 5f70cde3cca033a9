"""The widths at which layers are measured."""

PARTS = (1 / 8, 1 / 4, 1 / 2, 3 / 4, 1.0)
LEAST = 2  # channels; below, times hardly change
EVEN = 8  # widths from twice so many on are multiples of it


def widths(length: int) -> tuple[int, ...]:
    """Widths between which a time is interpolated, up to an axis's whole length."""
    found = {length, min(LEAST, length)}
    for part in PARTS:
        width = round(part * length)
        found.add(width if width < 2 * EVEN else -(-width // EVEN) * EVEN)
    return tuple(sorted(width for width in found if min(LEAST, length) <= width <= length))
