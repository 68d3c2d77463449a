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
