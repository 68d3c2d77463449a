import argparse
import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime import config
from edge_runtime.cli import main
from edge_runtime.config import Settings, resolve
from edge_runtime.errors import BundleError, EngineError, UsageError
from edge_runtime.model.classifier import is_reproduced, verify_golden
from edge_runtime.options import (
    add_bundle_arguments,
    add_model_arguments,
    add_operating_point_argument,
    open_bundle,
    open_classifier,
)
from tests.edge_runtime.model.test_bundle import write_toy

EXAMPLE = Path(__file__).parents[2] / "systemd" / "config.toml"
NOWHERE = Path("/nonexistent/config.toml")


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str | bytes], Path]:
    def call(text: str | bytes) -> Path:
        path = tmp_path / "settings.toml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return call


Write = Callable[[str | bytes], Path]


def arguments(*words: Path | str, operating_point: bool = True) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_model_arguments(parser)
    if operating_point:
        add_operating_point_argument(parser)
    return parser.parse_args(list(map(str, words)))


def test_nothing_said_anywhere_sets_nothing() -> None:
    found = resolve(Settings(), None, {}, default_file=NOWHERE)

    assert (found.settings, found.origins) == (Settings(), {})


def test_the_file_is_overridden_by_the_environment_and_both_by_the_command_line(write: Write) -> None:
    file = write('operating_point = "confirm"\nthreads = 1\nbundle = "/models/a.tflite"')
    environment = {"EDGE_PNEUMO_OPERATING_POINT": "screening", "EDGE_PNEUMO_THREADS": "2", "HOME": "/root"}

    found = resolve(Settings(threads=3), file, environment, default_file=NOWHERE)

    assert found.settings == Settings(operating_point="screening", bundle=Path("/models/a.tflite"), threads=3)
    assert found.origins == {"operating_point": "EDGE_PNEUMO_OPERATING_POINT", "bundle": str(file)}


def test_the_default_file_is_read_where_it_exists_and_no_other_is_named(write: Write, tmp_path: Path) -> None:
    default = write("threads = 1")
    named = tmp_path / "named.toml"
    named.write_text("")

    assert resolve(Settings(), None, {}, default_file=default).settings.threads == 1
    assert resolve(Settings(), named, {}, default_file=default).settings.threads is None


def test_an_empty_variable_says_nothing(write: Write) -> None:
    environment = dict.fromkeys(config.VARIABLES.values(), "")

    assert resolve(Settings(), write("threads = 2"), environment).settings == Settings(threads=2)


def test_a_bundle_in_a_file_lies_beside_the_file_and_one_in_a_variable_where_the_program_runs(write: Write) -> None:
    file = write('bundle = "mine.tflite"')

    assert resolve(Settings(), file, {}).settings.bundle == file.parent / "mine.tflite"
    assert resolve(Settings(), file, {"EDGE_PNEUMO_BUNDLE": "b.tflite"}).settings.bundle == Path("b.tflite")


def test_an_installed_bundle_is_named_by_its_name(write: Write) -> None:
    assert resolve(Settings(), write('bundle = "full"'), {}).settings.bundle == Path("full")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("threads = 0", "has a wrong value for threads (expected int >= 1); correct it"),
        ('threads = "2"', "has a wrong value for threads (expected int, got str); correct it"),
        ("operating_point = 3", "has a wrong value for operating_point (expected str, got int); correct it"),
        ('operating_point = ""', "has a wrong value for operating_point (expected str of length >= 1); correct it"),
        ("bundle = 3", "has a wrong value for bundle (expected a path); correct it"),
        (
            'operating-point = "screening"',
            "has a setting 'operating-point', which there is not; there are bundle, engine, operating_point, threads",
        ),
        (
            'engine = "tpu"',
            "has a wrong value for engine (expected one of litert, openvino, auto); correct it",
        ),
        ("threads = ", "is no TOML"),
        (b'bundle = "\xff"', "is no TOML"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(write: Write, text: str | bytes, sentence: str) -> None:
    file = write(text)

    with pytest.raises(UsageError) as caught:
        resolve(Settings(), file, {})

    assert str(file) in str(caught.value)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["many", "0", "1.5"])
def test_what_is_wrong_in_a_variable_is_named(value: str) -> None:
    with pytest.raises(UsageError, match=r"^EDGE_PNEUMO_THREADS has a wrong value for threads \(expected int"):
        resolve(Settings(), None, {"EDGE_PNEUMO_THREADS": value}, default_file=NOWHERE)


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no settings file .*none\.toml"):
        resolve(Settings(), tmp_path / "none.toml", {})


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be read \(Is a directory\)"):
        resolve(Settings(), tmp_path, {})


def test_the_example_changes_nothing_and_each_line_of_it_may_be_put_in_force(write: Write) -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    settings = [line.removeprefix("# ") for line in lines if " = " in line]

    assert config.read_file(EXAMPLE) == Settings()
    assert {line.split(" = ")[0] for line in settings} == set(Settings.__struct_fields__)
    assert None not in (getattr(config.read_file(write("\n".join(settings))), name) for name in config.VARIABLES)
    assert all(variable in "\n".join(lines) for variable in config.VARIABLES.values())


def test_the_classifier_is_the_one_that_is_set(tiny_bundle: Path, write: Write) -> None:
    file = write(f'bundle = "{tiny_bundle}"\noperating_point = "screening"\nthreads = 1')

    by_file = open_classifier(arguments("--config", file), {})
    by_flag = open_classifier(arguments("--config", file, "--operating-point", "balanced"), {})

    assert (by_file.bundle.path, by_file.operating_point, by_file.threshold) == (tiny_bundle, "screening", 0.1)
    assert by_file.engine.name.endswith("1 thread")
    assert by_flag.operating_point == "balanced"


def test_an_engine_that_is_not_there_is_blamed_on_who_named_it(tiny_bundle: Path, write: Write) -> None:
    if importlib.util.find_spec("openvino") is not None:
        pytest.skip("openvino is installed")
    file = write('engine = "openvino"')

    with pytest.raises(EngineError, match=rf"openvino is not installed; .* \(it is named by {file}\)$"):
        open_classifier(arguments("--bundle", tiny_bundle, "--config", file), {})
    by_flag = open_classifier(arguments("--bundle", tiny_bundle, "--config", file, "--engine", "litert"), {})
    assert by_flag.engine.name.startswith("ai-edge-litert ")


def test_auto_finds_an_engine_that_reproduces_the_golden_vectors(tiny_bundle: Path) -> None:
    chosen = open_classifier(arguments("--bundle", tiny_bundle, "--engine", "auto"), {}, default_file=NOWHERE)

    assert is_reproduced(verify_golden(chosen.engine, chosen.bundle.golden), chosen.engine)


def test_a_command_that_decides_nothing_is_not_stopped_by_an_operating_point(tiny_bundle: Path) -> None:
    environment = {"EDGE_PNEUMO_OPERATING_POINT": "strict"}

    chosen = open_classifier(
        arguments("--bundle", tiny_bundle, operating_point=False), environment, default_file=NOWHERE
    )

    assert chosen.operating_point == "balanced"


def test_a_command_that_needs_the_bundle_alone_gets_the_one_that_is_set(tmp_path: Path) -> None:
    write_toy(tmp_path / "toy.tflite")
    parser = argparse.ArgumentParser()
    add_bundle_arguments(parser)
    environment = {"EDGE_PNEUMO_BUNDLE": str(tmp_path / "toy.tflite")}

    opened = open_bundle(parser.parse_args([]), environment, default_file=NOWHERE)

    assert opened.path == tmp_path / "toy.tflite"


def test_a_point_that_the_bundle_lacks_is_blamed_on_who_named_it(tiny_bundle: Path, write: Write) -> None:
    file = write('operating_point = "strict"')
    missing = "the model tiny has no operating point 'strict'; choose from balanced, screening"

    with pytest.raises(UsageError) as by_file:
        open_classifier(arguments("--bundle", tiny_bundle, "--config", file), {})
    with pytest.raises(UsageError) as by_flag:
        open_classifier(arguments("--bundle", tiny_bundle, "--operating-point", "strict"), {}, default_file=NOWHERE)

    assert str(by_file.value) == f"{missing} (it is named by {file})"
    assert str(by_flag.value) == missing


def test_a_bundle_that_is_missing_is_blamed_on_who_named_it(tmp_path: Path) -> None:
    environment = {"EDGE_PNEUMO_BUNDLE": str(tmp_path / "none.tflite")}

    with pytest.raises(BundleError, match=r"there is no model bundle at .*\(it is named by EDGE_PNEUMO_BUNDLE\)$"):
        open_classifier(arguments(), environment, default_file=NOWHERE)


def test_the_command_reads_the_environment(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGE_PNEUMO_THREADS", "none")

    assert main(["verify", "--bundle", str(tiny_bundle)]) == 2
    assert capsys.readouterr().err.startswith("error: EDGE_PNEUMO_THREADS has a wrong value for threads")
