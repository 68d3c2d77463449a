"""Where the checkout keeps what these tests look at."""

import json
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "samples").glob("*.png"))


def findings(command: list[str | Path]) -> list[dict[str, Any]]:
    """What ``classify --json`` or ``verify --json`` printed; it must have ended with status 0."""
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr or result.stdout
    return [json.loads(line) for line in result.stdout.splitlines()]
