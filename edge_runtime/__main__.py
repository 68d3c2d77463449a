"""``python -m edge_runtime``: the command ``edge-pneumo`` where it is not installed."""

import sys

from edge_runtime.cli import program

if __name__ == "__main__":
    sys.exit(program())
