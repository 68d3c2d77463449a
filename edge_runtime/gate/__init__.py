"""The gate: is this a readable frontal chest radiograph? Numbers of the picture, and of the network's last maps."""

from edge_runtime.gate.gate import Screened, ScreenedHere, Screening, after, before, screened
from edge_runtime.gate.store import Gate

__all__ = ["Gate", "Screened", "ScreenedHere", "Screening", "after", "before", "screened"]
