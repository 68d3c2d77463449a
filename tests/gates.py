"""A gate with its limits wide open, for tests whose radiographs are noise or one grey."""

import numpy as np
from msgspec.structs import replace

from edge_runtime.gate.atlas import SIZE, Atlas
from edge_runtime.gate.features import FeatureStatistics
from edge_runtime.gate.statistics import Limits, Statistics
from edge_runtime.gate.store import Gate

_FAR = 1e6


def wide_open(channels: int) -> Gate:
    """Lets everything through, at distances near 0; ``channels`` features of mean 0 and spread 1."""
    k, h = 2, 3
    atlas = Atlas(
        mean=np.zeros(SIZE * SIZE, np.float32),
        directions=np.eye(k, SIZE * SIZE, dtype=np.float32),
        whitening=np.eye(k, dtype=np.float32),
        residual=1.0,
        scale=1.0,
        hidden=np.zeros((k, h), np.float32),
        offsets=np.zeros(h, np.float32),
        weights=np.zeros(k + h + 2, np.float32),
        farthest=_FAR,
        least=-_FAR,
        clear=_FAR,
    )
    features = FeatureStatistics(
        mean=np.zeros(channels, np.float32),
        spread=np.ones(channels, np.float32),
        whitening=np.eye(channels, 1, dtype=np.float32),
        classes=np.zeros((1, 1), np.float32),
        components=np.eye(channels, 1, dtype=np.float32),
        residual=1.0,
        farthest=_FAR,
    )
    return Gate(Limits(Statistics(0, 0, 0, 0), Statistics(255, 255, _FAR, _FAR)), atlas, features)


def closed(channels: int) -> Gate:
    """Lets every picture through to the network and refuses all of its features."""
    gate = wide_open(channels)
    return replace(gate, features=replace(gate.features, farthest=1e-6))
