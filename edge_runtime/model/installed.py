"""The bundles that come with the program, by name."""

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[1] / "bundles"
DEFAULT: Final = "compact"


def path(name: str = DEFAULT) -> Path:
    """Where the bundle of that name lies."""
    return FOLDER / f"{name}.tflite"


def names() -> tuple[str, ...]:
    """Of the bundles that are there."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.tflite")))


def is_name(named: Path) -> bool:
    """Whether this is the bare name of an installed bundle and no file's."""
    return str(named) in names()


def find(named: Path | None) -> Path:
    """The file of a bundle.

    Args:
        named: The name of an installed one, or a file; ``None`` for the default one.
    """
    if named is None:
        return path()
    return path(str(named)) if is_name(named) else named
