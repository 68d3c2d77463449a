"""The command, whose model obeys files in the state directory: a stand-in for hardware that hangs, fails or is slow.

``wait``: every inference waits as long as it is there. ``hang``: the next inference takes it away and never ends.
``differ``: every inference gives another answer than the model.
"""

import sys
import threading
import time
from pathlib import Path
from typing import Any

from edge_runtime.cli import program
from edge_runtime.model.engines.interface import RawOutputs
from edge_runtime.model.engines.litert import LiteRtEngine

STATE = Path("/var/lib/edge-pneumo")
_invoke = LiteRtEngine.invoke


def obey(engine: LiteRtEngine, pixels: Any) -> RawOutputs:
    while (STATE / "wait").exists():
        time.sleep(0.01)
    if (STATE / "hang").exists():
        (STATE / "hang").unlink()
        threading.Event().wait()
    outputs = _invoke(engine, pixels)
    if (STATE / "differ").exists():
        return RawOutputs(outputs.scores + 1, outputs.maps, outputs.features)
    return outputs


if __name__ == "__main__":
    LiteRtEngine.invoke = obey  # type: ignore[assignment, method-assign]
    sys.exit(program())
