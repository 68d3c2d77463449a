"""The start of ``edge-pneumo classify ONE.jpeg`` against what no program can do without.

    python -m benchmarks.startup [--bundle NAME|FILE] [--data DIR] [--rounds 15]

The floor is a script of its own: interpreter start, numpy, cv2, LiteRT, the model loaded on one thread, the radiograph
read, decoded, squashed and inferred, the scores printed. Both are new processes and take turns. Both find their
bytecode compiled, as an installation has it: it lies in a folder of the benchmark's own.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import material
from edge_runtime.model import installed

_ROOT = Path(__file__).parents[1]
_FLOOR = """
import sys
import numpy as np
import cv2
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(model_path=sys.argv[1], num_threads=1)
interpreter.allocate_tensors()
entrance = interpreter.get_input_details()[0]
_, height, width, _ = entrance["shape"]
grey = cv2.imdecode(np.fromfile(sys.argv[2], np.uint8), cv2.IMREAD_GRAYSCALE)
pixels = cv2.resize(grey, (width, height), interpolation=cv2.INTER_LINEAR_EXACT)
interpreter.set_tensor(entrance["index"], pixels.reshape(1, height, width, 1))
interpreter.invoke()
print(*(interpreter.get_tensor(tensor["index"]).ravel()[:3] for tensor in interpreter.get_output_details()))
"""


def seconds(command: Sequence[str | Path], environment: Mapping[str, str]) -> float:
    """How long a process takes from its start to its end."""
    start = time.perf_counter()
    subprocess.run(
        command, check=True, cwd=_ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return time.perf_counter() - start


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description="Start against its floor.")
    material.add_arguments(parser, files=1, side=1000)
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="default: %(default)s")
    args = parser.parse_args(arguments)
    bundle = installed.find(args.bundle)
    with material.workplace() as place:
        radiograph = place / "one.jpeg"
        radiograph.write_bytes(material.radiographs(args)[0])
        classify: list[str | Path]
        classify = [sys.executable, "-m", "edge_runtime", "classify", "--threads", "1", "--bundle", bundle, radiograph]
        ways: dict[str, list[str | Path]] = {
            "floor": [sys.executable, "-c", _FLOOR, bundle, radiograph],
            "classify": classify,
            "classify --json": [*classify, "--json"],
            "interpreter alone": [sys.executable, "-c", "pass"],
        }
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment = kept | {"PYTHONPYCACHEPREFIX": str(place / "bytecode")}
        for command in ways.values():
            seconds(command, environment)
        found: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(args.rounds):
            for way, command in ways.items():
                found[way].append(seconds(command, environment))
    print(f"model {bundle.stem}, one thread; floor: interpreter, numpy, cv2, LiteRT, load, one inference")
    for way, times in found.items():
        print(
            f"{way}: {1e3 * statistics.median(times):.0f} ms; over the floor {material.ratio(times, found['floor'])}; "
            f"the fastest over the fastest {min(times) / min(found['floor']):.3f}"
        )


if __name__ == "__main__":
    main()
