"""Short runs of ``python -m tests.chaos.faults``."""

from pathlib import Path

import pytest

from tests.chaos import faults, real_faults
from tests.chaos.shim import Call, compiler

needs_compiler = pytest.mark.skipif(compiler() is None, reason="there is no C compiler here")


@needs_compiler
@pytest.mark.parametrize(
    ("call", "error", "mode", "every"),
    [
        (Call.WRITE, "ENOSPC", "once", 13),
        (Call.SYNC, "EIO", "once", 5),
        (Call.RENAME, "EROFS", "once", 4),
        (Call.OPEN, "EROFS", "once", 11),
        (Call.MKDIR, "EIO", "once", 2),
        (Call.WRITE, "ENOSPC", "while", 23),
    ],
)
def test_a_call_that_fails_loses_nothing(call: Call, error: str, mode: faults.Mode, every: int, tmp_path: Path) -> None:
    outcomes = list(faults.run(tmp_path, [call], [error], [mode], every=every))

    assert outcomes
    assert [f"{outcome}" for _, outcome in outcomes if not isinstance(outcome, str)] == []


@pytest.mark.parametrize("scene", real_faults.SCENES)
def test_a_file_system_that_is_really_broken_for_a_while(scene: str, tmp_path: Path) -> None:
    reason = real_faults.why_not()
    if reason is not None:
        pytest.skip(reason)

    outcomes = list(real_faults.run(tmp_path, [scene]))

    assert [f"{outcome}" for _, outcome in outcomes if not isinstance(outcome, str)] == []
