from typing import Any, get_args

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from convert import flatbuffer, graph, interpreter, quantize, ranges
from convert.fold import Folded, fold
from convert.quantize import GraphError, Route, check
from tests.convert.models import SIZE, noise, random_vgg

ROUTES: tuple[Route, ...] = get_args(Route)


@pytest.fixture(scope="module")
def folded() -> Folded:
    return fold(random_vgg(), default_size=(SIZE, SIZE))


@pytest.fixture(scope="module")
def models(folded: Folded) -> dict[Route, bytes]:
    limits = ranges.choose(folded, ranges.observe(folded, noise(8)), "minmax")
    return {route: quantize.quantize(folded, limits, route) for route in ROUTES}


@pytest.mark.parametrize("route", ROUTES)
def test_the_graph_holds_integer_convolutions_pooling_and_the_head(models: dict[Route, bytes], route: Route) -> None:
    contents = flatbuffer.read(models[route])

    names = [operator.name for operator in contents.operators]
    blocks = ["CONV_2D"] * 2 + ["MAX_POOL_2D"] + ["CONV_2D"] * 2 + (["MAX_POOL_2D"] + ["CONV_2D"] * 3) * 3
    assert sorted(names) == sorted(["QUANTIZE", *blocks, "CONV_2D", "MEAN", "MEAN"])
    tensors = {tensor for operator in contents.operators for tensor in (*operator.inputs, *operator.outputs)}
    assert {tensor.dtype for tensor in tensors} <= {"uint8", "int8", "int32"}
    (entrance,) = contents.inputs
    assert (entrance.dtype, entrance.shape) == ("uint8", (1, SIZE, SIZE, 1))
    assert (entrance.scales, entrance.zero_points) == ((1.0,), (0,))
    outputs = sorted((tensor.dtype, tensor.shape) for tensor in contents.outputs)
    assert outputs == [("int8", (1, 2, 2, 3)), ("int8", (1, 3)), ("int8", (1, 64))]
    kernels = [operator.inputs[1] for operator in contents.operators if operator.name == "CONV_2D"]
    assert all(len(kernel.scales) == kernel.shape[0] for kernel in kernels)
    check(models[route])


@pytest.mark.parametrize("route", ROUTES)
def test_the_integers_stay_near_the_float_network(folded: Folded, models: dict[Route, bytes], route: Route) -> None:
    pixels = noise(8)

    answers = interpreter.run(models[route], pixels, threads=1)

    exact = graph.predict(folded, pixels)[0]
    assert np.abs(answers.logits - exact).max() < 0.25 * np.abs(exact).max()
    assert answers.maps.shape == (8, 2, 2, 3)
    assert answers.maps.dtype == answers.scores.dtype == answers.features.dtype == np.int8
    pooled = np.asarray(ranges.feature_maps(folded, pixels.astype(np.float32))[ranges.FEATURES])
    assert answers.features.shape == (8, 64)
    assert np.abs(answers.pooled - pooled).max() < 0.25 * pooled.max()
    assert answers.pooled.max() < pooled.max() * 1.25


def test_the_features_change_no_score_and_no_map(
    folded: Folded, models: dict[Route, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    class WithoutFeatures(quantize._Ranged):
        def __call__(self, pixels: Any) -> dict[str, Any]:
            answers = super().__call__(pixels)
            return {"scores": answers["scores"], "map": answers["map"]}

    monkeypatch.setattr(quantize, "_Ranged", WithoutFeatures)
    limits = ranges.choose(folded, ranges.observe(folded, noise(8)), "minmax")
    alone = Interpreter(model_content=quantize.quantize(folded, limits, "tf-lite-converter"), num_threads=1)
    alone.allocate_tensors()
    scores, maps = sorted(alone.get_output_details(), key=lambda tensor: len(tensor["shape"]))

    answers = interpreter.run(models["tf-lite-converter"], noise(8), threads=1)

    for image, expected_scores, expected_maps in zip(noise(8), answers.scores, answers.maps, strict=True):
        alone.set_tensor(alone.get_input_details()[0]["index"], image[np.newaxis])
        alone.invoke()
        np.testing.assert_array_equal(alone.get_tensor(scores["index"])[0], expected_scores)
        np.testing.assert_array_equal(alone.get_tensor(maps["index"])[0], expected_maps)


def test_both_routes_round_the_same_kernels(models: dict[Route, bytes]) -> None:
    scales = [
        [operator.inputs[1].scales for operator in flatbuffer.read(model).operators if operator.name == "CONV_2D"]
        for model in models.values()
    ]

    for one, other in zip(*scales, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_the_quantizer_s_own_calibration_cuts_what_the_ranges_here_cover(folded: Folded) -> None:
    """Why ranges are not left to litert-quantizer: it averages the extremes of the images instead of taking them."""
    from litert_quantizer import quantizer, recipe

    dark, bright = np.full((19, SIZE, SIZE, 1), 20, np.uint8), np.full((1, SIZE, SIZE, 1), 240, np.uint8)
    pixels = np.concatenate([dark, bright])
    model = graph.float_tflite(folded)
    tool = quantizer.Quantizer(bytearray(model))
    tool.load_quantization_recipe(recipe.static_wi8_ai8())
    samples = [{"radiograph": image[np.newaxis].astype(np.float32)} for image in pixels]

    calibrated = tool.calibrate({"serving_default": samples}, num_threads=1)

    entrance = flatbuffer.read(model).inputs[0].name
    assert float(calibrated[entrance]["max"].item()) == pytest.approx(0.95 * 20 + 0.05 * 240)
    assert ranges.choose(folded, ranges.observe(folded, pixels), "minmax")[ranges.INPUT] == (0.0, 255.0)


@pytest.mark.parametrize("route", ROUTES)
def test_biases_that_are_all_zero_are_no_obstacle(route: Route) -> None:
    # A converter may store equal constants once, though each layer needs its own scale for them.
    model = random_vgg()
    for layer in model.layers:
        if hasattr(layer, "bias"):
            layer.bias.assign(np.zeros(layer.bias.shape))
    folded = fold(model, default_size=(SIZE, SIZE))
    pixels = noise(8)
    limits = ranges.choose(folded, ranges.observe(folded, pixels), "minmax")

    model8 = quantize.quantize(folded, limits, route)

    check(model8)
    exact = graph.predict(folded, pixels)[0]
    assert np.abs(interpreter.run(model8, pixels, threads=1).logits - exact).max() < 0.25 * np.abs(exact).max()


def test_a_float_model_is_no_integer_graph(folded: Folded) -> None:
    with pytest.raises(GraphError, match="not an integer"):
        check(graph.float_tflite(folded))


def test_the_reference_answers_as_the_float_network(folded: Folded) -> None:
    pixels = noise(4)

    answers = interpreter.run(graph.float_tflite(folded, half=True), pixels, threads=1)

    scores, maps = graph.predict(folded, pixels)
    np.testing.assert_allclose(answers.logits, scores, atol=0.01 * np.abs(scores).max())
    np.testing.assert_allclose(answers.maps, maps, atol=0.01 * np.abs(maps).max())


def test_every_layer_of_the_integer_graph_can_be_looked_into(folded: Folded, models: dict[Route, bytes]) -> None:
    (image,) = noise(1)

    features = interpreter.Layers(models["tf-lite-converter"], threads=1).features(image[np.newaxis])

    exact = ranges.feature_maps(folded, image[np.newaxis].astype(np.float32))
    assert len(features) == len(folded.convolutions)
    first = np.asarray(exact["block1_conv1"])
    assert np.abs(features[0] - first).max() < 0.1 * first.max()
