"""What the operating system refused in the spool, in words for everybody: which kind of place, and why, but no path."""

from pathlib import Path

__all__ = ["fault_text"]


def fault_text(error: OSError, spool_root: Path) -> str:
    """Such as "worker-0's folder of the spool: permission denied"."""
    return f"{_place(error, spool_root)}: {(error.strerror or type(error).__name__).lower()}"


def _place(error: OSError, spool_root: Path) -> str:
    try:
        parts = Path(str(error.filename)).relative_to(spool_root).parts
    except ValueError:
        return "the spool"
    if not parts:
        return "the folder of the spool"
    return f"{parts[0]}'s folder of the spool" if len(parts) == 1 else f"a file in {parts[0]}'s folder of the spool"
