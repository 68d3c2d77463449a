"""All measuring in order: the test split, the validation images, the heat maps."""

from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convert.card import cases, figures, occlusion
from convert.card.card import Card, describe
from convert.card.cases import Case
from convert.card.occlusion import Occlusion
from convert.card.provenance import Training
from edge_runtime.errors import UsageError
from edge_runtime.model.classifier import Classifier

Advance = Callable[[int], None]
Step = Callable[[str, int], Advance]

_PACKAGES = ("numpy", "opencv-python-headless")


def measure(data: Path, classifier: Classifier, training: Training | None, step: Step) -> tuple[Card, list[Case]]:
    """Measure a bundle.

    Args:
        data: Root of the data set.
        classifier: The bundle's, at its default operating point.
        training: Its recipe and validation images; ``None`` to leave them out.
        step: Shows a step: a name and so many units; takes the units done.

    Returns:
        The card, and the test split's cases.

    Raises:
        UsageError: The data set is something else, or no radiograph of a set is answered.
    """
    info, quantization = classifier.bundle.info, classifier.engine.quantization
    # Half a step in each cell and half in the score, of the difference of two classes.
    rounding = (quantization.map_scale + quantization.scores_scale) / info.temperature
    images = cases.find_test(data)
    names = () if training is None else training.validation
    others = cases.find_named(data, names)
    tested = list(cases.run(images, classifier, step("Test split", len(images))))
    validated = list(cases.run(others, classifier, step("Validation images", len(others)))) if others else []
    test = figures.judge(tested, info, rounding)
    if test is None:
        raise UsageError(
            f"All {len(images)} test radiographs are refused: 'edge-pneumo classify {data / 'test'}' says why of each."
        )
    card = Card(
        model=describe(classifier.bundle),
        engine=classifier.engine.name.rpartition(",")[0] or classifier.engine.name,  # not how many threads
        versions={package: version(package) for package in _PACKAGES},
        recipe=None if training is None else training.recipe,
        test=test,
        validation=figures.judge(validated, info, rounding),
        occlusion=_occlude(tested, classifier, step),
        validation_files=tuple(sorted(names)),
    )
    return card, tested


def _occlude(tested: Sequence[Case], classifier: Classifier, step: Step) -> Occlusion | None:
    ill = [case for case in tested if case.image.pneumonia and case.map is not None and case.pixels is not None]
    temperature = classifier.bundle.info.temperature

    def score(pixels: NDArray[np.uint8]) -> float:
        return cases.log_odds(classifier.classify(pixels[np.newaxis, :, :, np.newaxis]), temperature)

    return occlusion.measure(
        [case.pixels for case in ill if case.pixels is not None],
        [case.map for case in ill if case.map is not None],
        [case.log_odds for case in ill],
        score,
        step("Heat maps", len(ill)),
    )
