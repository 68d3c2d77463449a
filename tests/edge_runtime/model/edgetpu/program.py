"""``edge-pneumo`` on a machine with other devices: ``python -m tests.edge_runtime.model.edgetpu.program ROOT ...``.

Only what looks for an Edge TPU looks below ``ROOT``.
"""

import sys
from pathlib import Path

from edge_runtime import cli
from edge_runtime.model.engines import edgetpu_devices

if __name__ == "__main__":
    edgetpu_devices.ROOT = Path(sys.argv[1])  # in a process of its own: nobody else sees it
    sys.exit(cli.main(sys.argv[2:]))
