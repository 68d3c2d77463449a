"""The runtime needs what its package declares, and nothing else."""

import ast
import sys
import tomllib
from pathlib import Path

from tests.packaging.places import ROOT

_MODULES = {
    "ai-edge-litert": "ai_edge_litert",
    "msgspec": "msgspec",
    "numpy": "numpy",
    "opencv-python-headless": "cv2",
    "rich": "rich",
    "watchdog": "watchdog",
}


def test_runtime_imports_only_what_it_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {_MODULES[requirement.partition(">")[0]] for requirement in project["dependencies"]}

    imported = set().union(*map(_imported, (ROOT / "edge_runtime").rglob("*.py")))

    assert imported - set(sys.stdlib_module_names) - {"edge_runtime"} <= declared
    # ai_edge_litert is imported by name, at run time, because tflite_runtime may take its place.
    assert declared - imported <= {"ai_edge_litert"}


def _imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names.add(str(node.module).partition(".")[0])
    return names
