from importlib import metadata
from pathlib import Path

import pytest

from edge_runtime.distribution import version


@pytest.mark.parametrize("name", ["numpy", "opencv-python-headless"])
def test_says_what_the_metadata_says(name: str) -> None:
    assert version(name) == metadata.version(name)


def test_the_first_one_on_the_path_counts(tmp_path: Path) -> None:
    for place, number in (("a", "1.5.dev0"), ("b", "2.0")):
        (tmp_path / place / f"some_thing-{number}.dist-info").mkdir(parents=True)
    folders = [str(tmp_path / name) for name in ("nowhere", "a", "b")]

    assert version("some-thing", folders) == "1.5.dev0"


def test_what_is_not_installed() -> None:
    with pytest.raises(ModuleNotFoundError):
        version("no-such-thing")
