"""What an Edge TPU and its library may do, each through a watcher of its own to the state it must end in.

``python -m tests.edge_runtime.model.edgetpu.behaviours`` runs all of them, in some four minutes, and prints a table of
what came of each. It needs a compiler.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge_runtime.model import bundle
from edge_runtime.model.engines.edgetpu_devices import LIBRARY_VARIABLE
from tests.edge_runtime.model.edgetpu import coral
from tests.edge_runtime.model.edgetpu.coral import Behaviour, Coral
from tests.edge_runtime.model.edgetpu.watching import CPU, EDGE_TPU, PATIENCE, Material, Watcher, make_material


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        answered: By what, in order.
        state: Of the watcher at last.
        sentence: Why it is degraded, at last or in between; empty where it never was.
        status: Exit status of ``edge-pneumo status`` at last.
        exit: Of the watcher, after SIGTERM.
    """

    answered: tuple[str, ...]
    state: str
    sentence: str
    status: int
    exit: int


@dataclass(frozen=True, slots=True)
class Case:
    """A behaviour.

    Attributes:
        name: In words.
        run: Makes it happen; returns the engines that answered, and the sentence.
        state: That it must end in.
        answered: By what it must have been answered.
        says: What the sentence must hold.
        wrong: Findings that are not the CPU's: of a device that lies and was not found out yet.
        behaviour: Of the device when the watcher starts; ``None`` for none.
        more: Devices beside it.
        compiled: Whether the bundle holds a compiled model.
        library: Which one; ``None`` for the working one.
        accelerator: As ``--accelerator``.
    """

    name: str
    run: Callable[[Watcher, Coral], tuple[list[str], str]]
    state: str
    answered: tuple[str, ...]
    says: str = ""
    wrong: int = 0
    behaviour: Behaviour | None = "works"
    compiled: bool = True
    library: str | None = None
    accelerator: str = "auto"
    more: tuple[Behaviour, ...] = ()


def _just_answer(watcher: Watcher, _: Coral) -> tuple[list[str], str]:
    return watcher.give(3), ""


def _from_the_start(watcher: Watcher, _: Coral) -> tuple[list[str], str]:
    return watcher.give(3), _why(watcher.wait_for("degraded"))


def _from_now_on(behaviour: Behaviour) -> Callable[[Watcher, Coral], tuple[list[str], str]]:
    def run(watcher: Watcher, device: Coral) -> tuple[list[str], str]:
        answered = watcher.give(2)
        device.behaviour = behaviour
        answered += watcher.give(2)
        return answered, _why(watcher.wait_for("degraded"))

    return run


def _pulled_out(watcher: Watcher, device: Coral) -> tuple[list[str], str]:
    answered = watcher.give(2)
    device.pull_out()
    answered += watcher.give(2)
    return answered, _why(watcher.wait_for("degraded"))


def _plugged_in_again(watcher: Watcher, device: Coral) -> tuple[list[str], str]:
    answered, sentence = _pulled_out(watcher, device)
    device.plug_in()
    watcher.wait_for("idle")
    return answered + watcher.give(2), sentence


def _in_order_again(behaviour: Behaviour) -> Callable[[Watcher, Coral], tuple[list[str], str]]:
    def run(watcher: Watcher, device: Coral) -> tuple[list[str], str]:
        answered, sentence = _from_now_on(behaviour)(watcher, device)
        device.behaviour = "works"
        watcher.wait_for("idle")
        return answered + watcher.give(2), sentence

    return run


def _lies_later(watcher: Watcher, device: Coral) -> tuple[list[str], str]:
    answered = watcher.give(2)
    device.behaviour = "lies"
    answered += watcher.give(1)
    sentence = _why(watcher.wait_for("degraded", 2.0 * PATIENCE))
    return answered + watcher.give(2), sentence


_TPU = (EDGE_TPU,)
_BACK = _TPU * 2 + (CPU,) * 2 + _TPU * 2
CASES: Final = (
    Case("works", _just_answer, "idle", _TPU * 3),
    Case("is not wanted", _just_answer, "idle", (CPU,) * 3, accelerator="cpu"),
    Case("none is there, and none is missed", _just_answer, "idle", (CPU,) * 3, behaviour=None),
    Case(
        "none is there", _from_the_start, "degraded", (CPU,) * 3, "no Edge TPU is found",
        behaviour=None, accelerator="edgetpu",
    ),
    Case("one of two lies", _just_answer, "idle", ("Edge TPU usb:1",) * 3, behaviour="lies", more=("works",)),
    Case("the library is missing", _from_the_start, "degraded", (CPU,) * 3, "does not load", library="/none/lib.so.1"),
    Case("the library is another", _from_the_start, "degraded", (CPU,) * 3, "is no library", library="libm.so.6"),
    Case("another program uses it", _from_the_start, "degraded", (CPU,) * 3, "does not open", behaviour="stays shut"),
    Case(
        "the library is of another TensorFlow", _from_the_start, "degraded", (CPU,) * 3, "SIGSEGV",
        behaviour="crashes when opened",
    ),
    Case("the model is not compiled", _from_the_start, "degraded", (CPU,) * 3, "was not compiled", compiled=False),
    Case("lies from the start", _from_the_start, "degraded", (CPU,) * 3, "does not compute", behaviour="lies"),
    Case("fails in mid-run", _from_now_on("fails"), "degraded", _TPU * 2 + (CPU,) * 2, "failed"),
    Case("its library crashes", _from_now_on("crashes"), "degraded", _TPU * 2 + (CPU,) * 2, "SIGABRT"),
    Case("is pulled out", _pulled_out, "degraded", _TPU * 2 + (CPU,) * 2, "SIGABRT"),
    Case("hangs in mid-run", _from_now_on("hangs"), "degraded", _TPU * 2 + (CPU,) * 2, "did not answer within 5 s"),
    Case(
        "hangs when opened", _from_the_start, "degraded", (CPU,) * 3, "did not answer within 30 s",
        behaviour="hangs when opened",
    ),
    Case("fails, and works again", _in_order_again("fails"), "idle", _BACK, "failed"),
    Case("hangs, and works again", _in_order_again("hangs"), "idle", _BACK, "did not answer"),
    Case("is plugged in again", _plugged_in_again, "idle", _BACK, "SIGABRT"),
    Case("begins to lie", _lies_later, "degraded", _TPU * 3 + (CPU,) * 2, "do not rely on", wrong=1),
)  # fmt: skip


def play(case: Case, material: Material) -> Outcome:
    """Run a case, and hold it to what must come of it."""
    with (
        tempfile.TemporaryDirectory(dir=material.folder) as name,
        tempfile.TemporaryDirectory() as short,  # a socket's name may have 108 characters
        ExitStack() as stack,
    ):
        folder, root = Path(name), Path(short)
        model = bundle.read(material.plain).tflite
        device = Coral(root, model, behaviour=case.behaviour or "works")
        if case.behaviour is not None:
            stack.enter_context(device)
        for number, behaviour in enumerate(case.more, start=1):
            stack.enter_context(Coral(root, model, number, behaviour))
        environment = {
            LIBRARY_VARIABLE: case.library or str(material.library),
            coral.FOLDER_VARIABLE: str(coral.sockets(root)),
            "EDGE_PNEUMO_MODELS": str(folder / "models"),
        }
        chosen = material.compiled if case.compiled else material.plain
        arguments = ["--accelerator", case.accelerator, "--bundle", str(chosen)]
        watcher = stack.enter_context(_watcher(material, folder, root, arguments, environment))
        answered, sentence = case.run(watcher, device)
        stands = watcher.wait_for(case.state)
        _, status = watcher.status()
        ended, words = watcher.end()
        watcher.check(wrong=case.wrong)
        assert tuple(answered) == case.answered, (answered, words)
        assert case.says in sentence, (sentence, words)
        assert sentence == "" or sentence in words, (sentence, words)
        assert not stands["degraded"] or case.state == "degraded", stands
        return Outcome(tuple(answered), stands["state"], sentence, status, ended)


@contextmanager
def _watcher(
    material: Material, folder: Path, root: Path, arguments: list[str], environment: Mapping[str, str]
) -> Iterator[Watcher]:
    watcher = Watcher(material, folder, root, arguments, environment)
    try:
        yield watcher
    finally:
        if watcher.process.poll() is None:
            watcher.process.kill()
        watcher.process.communicate()


def _why(said: Mapping[str, Any]) -> str:
    sentences: list[str] = [trouble["reason"] for trouble in said["degraded"] if trouble["part"] == "engine"]
    return sentences[0] if sentences else ""


def main() -> int:
    """Run all, and print a table; 1 where one did not come out as it must."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        material = make_material(Path(folder))
        print("| it | answered | ends | `status` | SIGTERM | sentence |\n|---|---|---|---|---|---|")
        for case in CASES:
            try:
                found = play(case, material)
            except AssertionError as error:
                failed += 1
                print(f"| {case.name} | **FAILED: {error}** |", flush=True)
                continue
            answered = ", ".join(f"{count} {name}" for name, count in Counter(found.answered).items())
            cells = (case.name, answered, found.state, found.status, found.exit, found.sentence or "-")
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
