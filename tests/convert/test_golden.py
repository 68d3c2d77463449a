import numpy as np

from convert import golden, quantize, ranges
from tests.convert.models import noise, tiny_network


def test_the_pictures_are_drawn_the_same_each_time_and_differ_from_each_other() -> None:
    drawn = golden.pixels(224, 224, seed=3)

    assert drawn.shape == (6, 224, 224, 1)
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(drawn, golden.pixels(224, 224, seed=3))
    assert len({picture.tobytes() for picture in drawn}) == 6
    assert all(picture.min() == 0 and picture.max() == 255 for picture in drawn)


def test_the_recorded_outputs_are_the_model_s() -> None:
    folded = tiny_network()
    limits = ranges.choose(folded, ranges.observe(folded, noise(6, 16)), "minmax")
    model = quantize.quantize(folded, limits, "tf-lite-converter")

    recorded = golden.record(model, 16, 16)

    assert recorded.scores.shape == (6, 3)
    assert recorded.maps.shape == (6, 8, 8, 3)
    assert recorded.features.shape == (6, 8)
    assert len({tuple(scores) for scores in recorded.scores.tolist()}) > 1
    np.testing.assert_array_equal(recorded.scores, golden.record(model, 16, 16).scores)
