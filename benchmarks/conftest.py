from pathlib import Path

import cv2
import pytest

from edge_runtime.model import bundle
from edge_runtime.model.bundle import Bundle
from tools import synthetic

# As a detector stores them, and as the published 224-pixel copies: (height, width) and the format.
_KINDS = {"full-size": ((1400, 1800), ".jpeg"), "224-px": ((224, 224), ".png")}


@pytest.fixture(scope="session")
def opened_bundle(default_bundle: Path) -> Bundle:
    return bundle.read(default_bundle)


@pytest.fixture(scope="session", params=_KINDS)
def radiograph(request: pytest.FixtureRequest) -> bytes:
    """A synthetic radiograph as the bytes of a file."""
    (height, width), suffix = _KINDS[request.param]
    pixels = synthetic.draw(synthetic.load()["pneumonia"], seed=1, height=height, width=width)
    encoded, data = cv2.imencode(suffix, pixels)
    assert encoded
    return data.tobytes()
