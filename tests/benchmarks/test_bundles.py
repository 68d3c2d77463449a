from pathlib import Path

import pytest

from benchmarks import bundles


def test_the_bundles_are_compared_with_the_first(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.tflite"
    other.write_bytes(tiny_bundle.read_bytes())

    status = bundles.main([str(tiny_bundle), str(other), "--rounds", "2", "--verify"])

    lines = capsys.readouterr().out.splitlines()
    assert status == 0
    assert lines[0] == f"{tiny_bundle}: 3 of 3 golden vectors identical"
    assert lines[-2].startswith(str(tiny_bundle))
    assert lines[-2].split()[-1] == "1.0"
    assert lines[-1].startswith(str(other))
    assert float(lines[-1].split()[-2]) > 0


def test_a_root_without_python_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bundles.main(["--emulate", str(tmp_path)]) == 2

    assert "holds no Python in usr/bin or no proc/cpuinfo" in capsys.readouterr().err


def test_without_packages_the_emulated_python_is_not_started(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("usr/bin/python3.11", "proc/cpuinfo"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()

    assert bundles.main(["--emulate", str(tmp_path)]) == 2

    assert "--packages" in capsys.readouterr().err
