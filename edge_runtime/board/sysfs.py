"""Small files of the kernel, which may be missing, empty or refuse to be read at any time."""

from pathlib import Path
from typing import Final

SYS: Final = Path("/sys")


def text(file: Path) -> str | None:
    """What it holds, without the blanks around it; ``None`` where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip("\0 \t\n")
    except OSError:
        return None


def number(file: Path, base: int = 10) -> int | None:
    """The whole number that it holds; ``None`` where there is none."""
    try:
        return int(text(file) or "", base)
    except ValueError:
        return None
