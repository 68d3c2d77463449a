"""One peer in a process of its own: ``python -m benchmarks.worker PEER BUNDLE THREADS CPUS``, driven by ``engines``.

It answers in lines of JSON: first its name and its logits for the golden inputs, then, for each line with a number that
it reads, the milliseconds of so many inferences.
"""

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, TextIO

_WARM_UPS = 2


def main(peer: str, bundle_file: str, threads: str, cpus: str) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(map(int, cpus.split(","))))  # before a library starts its threads
    # What a library prints must not come between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(peer, Path(bundle_file), int(threads), sys.stdin, answers)


def serve(peer: str, bundle_file: Path, threads: int, questions: TextIO, answers: TextIO) -> None:
    """Open the peer and time it as often as it is asked to."""
    from benchmarks.peers import PEERS
    from edge_runtime.errors import EdgePneumoError
    from edge_runtime.model import bundle

    def say(record: dict[str, Any]) -> None:
        print(json.dumps(record), file=answers, flush=True)

    try:
        for name in PEERS[peer].needs:
            importlib.import_module(name)
    except ImportError as error:
        say({"missing": str(error)})
        return
    try:
        opened = bundle.read(bundle_file)
        peer_opened = importlib.import_module(PEERS[peer].module).open_peer(opened, threads)
        pixels = opened.golden.pixels
        logits = [peer_opened.answer(pixels[i : i + 1]).tolist() for i in range(len(pixels))]
    except (EdgePneumoError, ImportError, RuntimeError, ValueError) as error:
        say({"failed": " ".join(str(error).split())})
        return
    say({"name": peer_opened.name, "macs": peer_opened.macs, "logits": logits})
    for line in questions:
        for _ in range(_WARM_UPS):
            peer_opened.answer(pixels[:1])
        times = []
        for number in range(int(line)):
            place = number % len(pixels)
            start = time.perf_counter()
            peer_opened.answer(pixels[place : place + 1])
            times.append((time.perf_counter() - start) * 1000.0)
        say({"milliseconds": times})


if __name__ == "__main__":
    main(*sys.argv[1:])
