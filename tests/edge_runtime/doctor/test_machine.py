from pathlib import Path

from edge_runtime.doctor.machine import Machine


def test_a_command_says_what_it_says(tmp_path: Path) -> None:
    said = Machine(tmp_path).run("sh", "-c", "echo out; echo err >&2; exit 3")

    assert (said.status, said.output, said.error) == (3, "out", "err")


def test_a_command_that_is_missing_says_so(tmp_path: Path) -> None:
    said = Machine(tmp_path, {"PATH": str(tmp_path)}).run("vcgencmd", "get_throttled")

    assert said.status == 127
    assert "vcgencmd" in said.error


def test_a_command_that_does_not_end_is_ended(tmp_path: Path) -> None:
    said = Machine(tmp_path).run("sleep", "60", seconds=0.1)

    assert said.status is None
    assert "did not end" in said.error


def test_a_signal_is_told_from_a_status(tmp_path: Path) -> None:
    assert Machine(tmp_path).run("sh", "-c", "kill -4 $$").status == -4


def test_files_lie_beneath_the_root(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_bytes(b"Raspberry Pi\0")

    machine = Machine(tmp_path)

    assert machine.text("/proc/cpuinfo") == "Raspberry Pi"
    assert machine.text("/proc/meminfo") is None
