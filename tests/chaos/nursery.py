"""A process that has loaded the program and starts it again and again: ``python -m tests.chaos.nursery``.

Two thirds of a start are spent loading modules, where nothing can be lost. Thousands of starts become affordable when
that is done once: each run is a fork of this process. It reads lines of JSON, ``{"start": [words], "out": file}`` and
``{"wait": process}``, and answers each with a line.
"""

import json
import os
import signal
import sys
from typing import Any, NoReturn

_LOADED_LATE = (
    "edge_runtime.watch.command",
    "edge_runtime.model.engines.litert",
    "ai_edge_litert.interpreter",
    "cv2",
    "sqlite3",
)


def main() -> None:
    import importlib

    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for name in _LOADED_LATE:
        importlib.import_module(name)
    questions, answers = os.fdopen(os.dup(0), "r"), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    running: set[int] = set()
    for line in questions:
        question: dict[str, Any] = json.loads(line)
        if "start" in question:
            process = os.fork()
            if not process:
                os.close(questions.fileno())
                os.close(answers.fileno())
                _be_the_program(question["start"], question["out"])
            running.add(process)
            answer = process
        else:
            _, status = os.waitpid(question["wait"], 0)
            running.discard(question["wait"])
            answer = os.waitstatus_to_exitcode(status)
        print(answer, file=answers, flush=True)
    for process in running:
        os.kill(process, signal.SIGKILL)


def _be_the_program(words: list[str], out: str) -> NoReturn:
    from edge_runtime.cli import main as program

    file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    sys.argv = ["edge-pneumo", *words]
    sys.exit(program(words))


if __name__ == "__main__":
    main()
