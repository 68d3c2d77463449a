"""Faults of the program: its Python, its packages, its model and its settings."""

import sys
from pathlib import Path

from edge_runtime.model import installed
from tests.bundles import remake
from tests.edge_runtime.doctor.boards import Board


def userland_of_32_bit(board: Board) -> None:
    _python_that_says(board, 's/"bits": 64/"bits": 32/')


def python_of_bullseye(board: Board) -> None:
    _python_that_says(board, 's/"python": "[0-9.]*"/"python": "3.9.2"/')


def numpy_that_does_not_load(board: Board) -> None:
    site = _site(board)
    _module(site, "numpy", "raise ImportError('libopenblas.so.0: cannot open shared object file')")


def numpy_2_for_tflite_runtime(board: Board) -> None:
    # As tflite-runtime 2.14.0 does with numpy 2.4.6: it loads, and fails when it is to be used.
    site = _site(board, without=("ai_edge_litert",))
    _distribution(site, "tflite-runtime", "2.14.0")
    code = "class Interpreter:\n    def __init__(self, **_):\n        raise SystemError('_ARRAY_API not found')"
    _module(site, "tflite_runtime/interpreter", code)


def no_engine(board: Board) -> None:
    _site(board, without=("ai_edge_litert", "tflite_runtime"))


def two_of_opencv(board: Board) -> None:
    site = _site(board)
    _distribution(site, "opencv-python", "4.10.0.84")


def opencv_for_a_desktop(board: Board) -> None:
    site = _site(board)
    _module(site, "cv2", "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')")


def engine_that_crashes(board: Board) -> None:
    site = _site(board, without=("ai_edge_litert",))
    _distribution(site, "ai-edge-litert", "2.3.0")
    _module(site, "ai_edge_litert/interpreter", "import os; os.kill(os.getpid(), 4)")


def picamera2_that_knows(board: Board, *models: str) -> None:
    """As libcamera lists them."""
    site = _site(board)
    found = [
        {"Model": model, "Location": 2, "Rotation": 180, "Id": f"/base/i2c@1/{model}", "Num": 0} for model in models
    ]
    code = f"class Picamera2:\n    @staticmethod\n    def global_camera_info():\n        return {found}"
    _module(site, "picamera2", code)
    board.properties["PrivateDevices"] = "no"
    board.settings('[camera]\ndevice = "picamera2"\n')


def no_camera_on_the_port(board: Board) -> None:
    picamera2_that_knows(board)


def damaged_model(board: Board) -> None:
    file = board.top / "damaged.tflite"
    data = bytearray(installed.path().read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)
    board.settings(f'bundle = "{file}"\n')


def model_of_other_numbers(board: Board) -> None:
    file = remake(installed.path(), board.top / "other.tflite", golden_off=1)
    board.settings(f'bundle = "{file}"\n')


def wrong_setting(board: Board) -> None:
    board.settings('[watch]\nordre = "newest"\n')


def _python_that_says(board: Board, edit: str) -> None:
    """The real one but for a word of what it says of itself."""
    real = sys.executable
    script = f"""if test $# = 1; then "{real}" "$@" | sed '{edit}'; else exec "{real}" "$@"; fi"""
    board.python = board.command("python", script)


def _site(board: Board, without: tuple[str, ...] = ()) -> Path:
    """Give the board a Python whose packages are links to those of this one, but for some."""
    site = board.top / "site-packages"
    site.mkdir()
    for folder in [Path(name) for name in sys.path if name.endswith(("site-packages", "dist-packages"))]:
        for path in folder.iterdir():
            if not path.name.startswith((*without, "__")) and not (site / path.name).exists():
                (site / path.name).symlink_to(path)
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    board.python = board.command("python", f'PYTHONPATH="{site}" exec "{base}" -s "$@"')
    return site


def _module(site: Path, name: str, code: str) -> None:
    top = site / name.partition("/")[0]
    if top.is_symlink():
        top.unlink()
    file = site / f"{name}.py" if "/" in name else top / "__init__.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{code}\n")


def _distribution(site: Path, name: str, version: str) -> None:
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
