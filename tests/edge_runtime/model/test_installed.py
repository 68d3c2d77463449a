from pathlib import Path

from edge_runtime.model import bundle, installed


def test_a_bundle_is_found_by_its_name_by_its_file_and_by_default() -> None:
    assert installed.find(Path("full")) == installed.path("full")
    assert installed.find(Path("full.tflite")) == Path("full.tflite")
    assert installed.find(None) == installed.path(installed.DEFAULT)


def test_every_installed_bundle_can_be_read_and_knows_its_name() -> None:
    assert (installed.DEFAULT, installed.names()) == ("compact", ("compact", "full"))
    assert [bundle.read(installed.path(name)).info.name for name in installed.names()] == list(installed.names())
