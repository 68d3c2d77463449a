"""What one inference of a model takes, and a digest of what it gives, as JSON: ``speed.py compact 300``."""

import hashlib
import json
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from edge_runtime.model import bundle, installed
from edge_runtime.model.engines import open_engine


def main(name: str, times: int) -> None:
    opened = bundle.read(installed.find(Path(name)))
    engine = open_engine(opened, 1)
    digest, milliseconds = hashlib.sha256(), []
    golden = opened.golden.pixels
    for i in range(times):
        begin = time.perf_counter()
        outputs = engine.invoke(golden[i % len(golden)][np.newaxis])
        milliseconds.append(1000 * (time.perf_counter() - begin))
        digest.update(outputs.scores.tobytes() + outputs.maps.tobytes())
    print(json.dumps({"ms": statistics.median(milliseconds), "digest": digest.hexdigest(), "engine": engine.name}))


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    main(sys.argv[1], int(sys.argv[2]))
