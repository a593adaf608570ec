"""Numbers in sentences."""

__all__ = ["counted"]


def counted(number: int, one: str, several: str = "") -> str:
    """`1 event`, `1,200 events`; several: the plural, where it is more than an s."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"
