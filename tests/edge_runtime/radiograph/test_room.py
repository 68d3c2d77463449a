import os
from pathlib import Path

import pytest

from edge_runtime.radiograph.room import memory_bytes

MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"a/b/memory.max": "1000\n"}, 1000),
        ({"a/memory.max": "500\n", "a/b/memory.max": "1000\n"}, 500),
        ({"a/b/memory.max": "max\n"}, MACHINE),
        ({}, MACHINE),
        ({"a/b/memory.max": f"{10 * MACHINE}\n"}, MACHINE),
        ({"c/memory.max": "1000\n"}, MACHINE),  # another group's
    ],
)
def test_the_least_limit_of_the_groups_counts(tmp_path: Path, limits: dict[str, str], expected: int) -> None:
    process, groups = tmp_path / "process", tmp_path / "groups"
    (groups / "a" / "b").mkdir(parents=True)
    (groups / "c").mkdir()
    process.mkdir()
    (process / "cgroup").write_text("1:name=systemd:/x\n0::/a/b\n")
    for name, limit in limits.items():
        (groups / name).write_text(limit)

    assert memory_bytes(process, groups) == expected


def test_without_control_groups_it_is_the_machines(tmp_path: Path) -> None:
    assert memory_bytes(tmp_path, tmp_path) == MACHINE
