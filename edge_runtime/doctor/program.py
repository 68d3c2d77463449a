"""The program's Python, and the packages it needs: are they there, do they load, do they go together?"""

from typing import Final

from edge_runtime.doctor.machine import Machine
from edge_runtime.doctor.packages import Probed, load, probed
from edge_runtime.doctor.subject import Subject
from edge_runtime.doctor.verdict import Verdict, fail, ok, skip, warn

_OLDEST, _NEWEST = (3, 11), (3, 13)
_OPENCV: Final = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
)
_ENGINES: Final = (
    ("ai-edge-litert", "ai_edge_litert.interpreter"),
    ("tflite-runtime", "tflite_runtime.interpreter"),
)
_NUMPY_OF_TFLITE_RUNTIME: Final = "1."
_REINSTALL: Final = "install edge-pneumo anew in an environment of its own"


def python(machine: Machine, _subject: Subject) -> Verdict:
    """Is it a version that the program knows?"""
    found = probed(machine)
    if found is None:
        return skip(f"{machine.python} does not answer")
    own = found.versions.get("edge-pneumo")
    words = f"{found.python} in {found.prefix}, edge-pneumo {own or 'from its sources'}"
    version = tuple(int(part) for part in found.python.split(".")[:2])
    if not _OLDEST <= version <= _NEWEST:
        known = "3.11, 3.12 or 3.13, such as Raspberry Pi OS bookworm and trixie have"
        return fail(words, f"make the environment with Python {known}")
    return ok(words)


def numpy(machine: Machine, _subject: Subject) -> Verdict:
    """Does it load?"""
    return _package(
        machine, "numpy", "numpy", f"{_REINSTALL}, or 'sudo apt install libopenblas0' for a numpy of piwheels"
    )


def opencv(machine: Machine, _subject: Subject) -> Verdict:
    """Does it load, and is there one alone? Several write into the same folder."""
    found = probed(machine)
    if found is None:
        return skip("Python does not answer")
    if load(machine, "numpy") is not None:
        return skip("numpy does not load")
    there = [name for name in _OPENCV if name in found.versions]
    said = load(machine, "cv2")
    if said is not None:
        instead = f"'{_pip(found)} install opencv-python-headless' needs no libraries of a desktop"
        advice = instead if "libGL" in said else _REINSTALL
        return fail(f"OpenCV does not load: {said}", advice)
    words = ", ".join(f"{name} {found.versions[name]}" for name in there) or "OpenCV of the system"
    if len(there) > 1:
        return warn(
            f"{words}: they overwrite each other's files",
            f"'{_pip(found)} uninstall {' '.join(there)}', then '{_pip(found)} install opencv-python-headless'",
        )
    return ok(words)


def engine(machine: Machine, subject: Subject) -> Verdict:
    """Is there an engine that loads, and does it go with numpy?"""
    found = probed(machine)
    if found is None:
        return skip("Python does not answer")
    if load(machine, "numpy") is not None:
        return skip("numpy does not load")
    if subject.value("engine") == "openvino":
        return _package(machine, "openvino", "openvino", f"'{_pip(found)} install \"edge-pneumo[openvino]\"'")
    reasons = []
    for name, module in _ENGINES:
        if name not in found.versions:
            continue
        said = load(machine, module)
        of_numpy = found.versions.get("numpy", "")
        if said is None and name == "tflite-runtime" and not of_numpy.startswith(_NUMPY_OF_TFLITE_RUNTIME):
            # It loads, and fails when it is given a model.
            return fail(
                f"{name} {found.versions[name]} was built for numpy 1, and numpy {of_numpy} is installed",
                f"'{_pip(found)} install ai-edge-litert', or for tflite-runtime '{_pip(found)} install \"numpy<2\"'",
            )
        if said is None:
            return ok(f"{name} {found.versions[name]}")
        reasons.append(f"{name} {found.versions[name]} does not load: {said}")
    if not reasons:
        return fail("neither ai-edge-litert nor tflite-runtime is installed", f"'{_pip(found)} install ai-edge-litert'")
    return fail("; ".join(reasons), _REINSTALL)


def _pip(found: Probed) -> str:
    """That of the environment in question."""
    return f"{found.prefix}/bin/pip"


def _package(machine: Machine, name: str, module: str, advice: str) -> Verdict:
    found = probed(machine)
    if found is None:
        return skip("Python does not answer")
    said = load(machine, module)
    if said is not None:
        return fail(f"{name} does not load: {said}", advice)
    return ok(f"{name} {found.versions.get(name, '')}".strip())
