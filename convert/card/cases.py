"""Radiographs before the device's own code: one case for each, refused or answered."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convert.calibration import Image, scan
from edge_runtime.answer import Answered, answer
from edge_runtime.clock import SYSTEM_CLOCK
from edge_runtime.errors import UsageError
from edge_runtime.model.classifier import Answer, Classifier
from edge_runtime.radiograph.prepare import prepare

CLASSES = ("NORMAL", "PNEUMONIA")

Advance = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Case:
    """A labelled radiograph and what the device says about it.

    Attributes:
        image: The file and the truth.
        reason: Why the device refused it, or ``None``; then what follows is empty.
        notes: What the device corrected first.
        called: Whether it was called pneumonia, at the default operating point.
        probability: Of pneumonia, not rounded; NaN if refused, as are the next two.
        bacterial: Probability of bacterial pneumonia.
        log_odds: Of pneumonia.
        map: The evidence map, ``float32`` of shape ``(rows, columns)``.
        pixels: The model input, ``uint8`` of shape ``(height, width)``.
    """

    image: Image
    reason: str | None
    notes: tuple[str, ...] = ()
    called: bool = False
    probability: float = float("nan")
    bacterial: float = float("nan")
    log_odds: float = float("nan")
    map: NDArray[np.float32] | None = None
    pixels: NDArray[np.uint8] | None = None

    @property
    def wrong(self) -> bool:
        """Answered, and with the other label."""
        return self.reason is None and self.called != self.image.pneumonia


def find_test(data: Path) -> list[Image]:
    """The official test split below a data set's root, by name.

    Raises:
        UsageError: It is not there, or a class has no image.
    """
    missing = next((name for name in CLASSES if not (data / "test" / name).is_dir()), None)
    if missing:
        raise UsageError(
            f"{data} has no folder test/{missing}: give the folder that holds {{train,test}}/{{NORMAL,PNEUMONIA}} of "
            "the chest X-ray data set."
        )
    # Class by class, so that nothing else that lies beside them is taken for a radiograph.
    return [_below(image, "test") for name in CLASSES for image in scan(data / "test" / name)]


def find_named(data: Path, names: Sequence[str]) -> list[Image]:
    """Radiographs by their paths below the data set's root, such as ``train/NORMAL/IM-0115-0001.jpeg``.

    Raises:
        UsageError: One is not there.
    """
    folders = sorted({Path(name).parent for name in names})
    found = {
        image.name: image
        for folder in folders
        if (data / folder).is_dir()
        for image in (_below(one, folder.parent.as_posix()) for one in scan(data / folder))
    }
    absent = next((name for name in names if name not in found), None)
    if absent is not None:
        raise UsageError(f"The validation image {absent} is not in {data}: give the data set the model was trained on.")
    return [found[name] for name in sorted(names)]


def run(images: Sequence[Image], classifier: Classifier, advance: Advance = lambda _: None) -> Iterator[Case]:
    """Answer for each radiograph as the device does."""
    for image in images:
        yield _case(image, answer_for(image, classifier), classifier)
        advance(1)


def answer_for(image: Image, classifier: Classifier) -> Answered:
    """What the device says about a file."""
    data: bytes | OSError
    try:
        data = image.path.read_bytes()
    except OSError as error:
        data = error
    return answer(image.name, data, classifier, clock=SYSTEM_CLOCK, received=SYSTEM_CLOCK.now())


def log_odds(said: Answer, temperature: float) -> float:
    """Log odds of pneumonia, from the logits: those of a probability near 1 would be rounded away."""
    normal, bacterial, viral = said.logits.astype(np.float64) / temperature
    return float(np.logaddexp(bacterial, viral) - normal)


def _case(image: Image, answered: Answered, classifier: Classifier) -> Case:
    finding, said, info = answered.finding, answered.answer, classifier.bundle.info
    if finding.status == "rejected" or said is None or answered.grey is None:
        return Case(image, finding.reason or "", tuple(finding.notes))
    return Case(
        image,
        None,
        tuple(finding.notes),
        finding.label == "PNEUMONIA",
        said.probability,
        said.bacterial,
        log_odds(said, info.temperature),
        said.map,
        prepare(answered.grey, info.input.height, info.input.width)[0, :, :, 0],
    )


def _below(image: Image, folder: str) -> Image:
    """``scan`` names a file from the last folder on; here from the data set's root on."""
    return Image(image.path, f"{folder}/{image.name}", image.sha256, image.label)
