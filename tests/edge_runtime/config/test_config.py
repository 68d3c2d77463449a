import argparse
import importlib.util
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from edge_runtime.cli import main
from edge_runtime.config import config
from edge_runtime.config.config import Limits, Retention, Settings, WatchSettings, resolve
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

EXAMPLE = Path(__file__).parents[3] / "systemd" / "config.toml"
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


def test_nothing_said_anywhere_leaves_the_defaults() -> None:
    found = resolve({}, None, {}, default_file=NOWHERE)

    assert (found.settings, found.origins, found.file) == (Settings(), {}, None)


def test_the_file_is_overridden_by_the_environment_and_both_by_the_command_line(write: Write) -> None:
    file = write(
        'operating_point = "confirm"\nthreads = 1\nbundle = "/models/a.tflite"\n'
        '[watch]\norder = "newest"\nsettle = 3\nheatmaps = false\n[retention]\ndays = 90\n'
    )
    environment = {
        "EDGE_PNEUMO_OPERATING_POINT": "screening",
        "EDGE_PNEUMO_THREADS": "2",
        "EDGE_PNEUMO_WATCH_ORDER": "oldest",
        "EDGE_PNEUMO_LIMITS_DECODE_SECONDS": "2.5",
        "HOME": "/root",
    }

    found = resolve({"threads": 3, "watch.heatmaps": True, "watch.order": None}, file, environment)

    assert found.settings == Settings(
        operating_point="screening",
        bundle=Path("/models/a.tflite"),
        threads=3,
        watch=WatchSettings(order="oldest", settle=3.0, heatmaps=True),
        limits=Limits(decode_seconds=2.5),
        retention=Retention(days=90),
    )
    assert {key: str(origin) for key, origin in found.origins.items()} == {
        "bundle": f"{file}, line 3",
        "operating_point": "EDGE_PNEUMO_OPERATING_POINT",
        "threads": "--threads",
        "watch.order": "EDGE_PNEUMO_WATCH_ORDER",
        "watch.settle": f"{file}, line 6",
        "watch.heatmaps": "--heatmap",
        "limits.decode_seconds": "EDGE_PNEUMO_LIMITS_DECODE_SECONDS",
        "retention.days": f"{file}, line 9",
    }


def test_the_default_file_is_read_where_it_exists_and_no_other_is_named(write: Write, tmp_path: Path) -> None:
    default = write("threads = 1")
    named = tmp_path / "named.toml"
    named.write_text("")

    assert resolve({}, None, {}, default_file=default).settings.threads == 1
    assert resolve({}, named, {}, default_file=default).settings.threads is None


def test_an_empty_variable_says_nothing(write: Write) -> None:
    environment = dict.fromkeys(config.VARIABLES.values(), "")

    assert resolve({}, write("threads = 2"), environment).settings == Settings(threads=2)


def test_every_setting_has_a_variable_named_after_it() -> None:
    assert config.VARIABLES["threads"] == "EDGE_PNEUMO_THREADS"
    assert config.VARIABLES["watch.order"] == "EDGE_PNEUMO_WATCH_ORDER"
    assert config.VARIABLES["limits.decode_seconds"] == "EDGE_PNEUMO_LIMITS_DECODE_SECONDS"
    assert len(set(config.VARIABLES.values())) == len(config.TYPES)


def test_paths_in_a_file_lie_beside_the_file_and_those_in_a_variable_where_the_program_runs(write: Write) -> None:
    file = write('bundle = "mine.tflite"\n[watch]\nfolder = "in"\nresults = "/out"\ndone = "done"')
    environment = {"EDGE_PNEUMO_BUNDLE": "b.tflite", "EDGE_PNEUMO_WATCH_FOLDER": "here"}

    by_file = resolve({}, file, {}).settings
    by_variable = resolve({}, file, environment).settings

    assert by_file.bundle == file.parent / "mine.tflite"
    assert (by_file.watch.folder, by_file.watch.results) == (file.parent / "in", Path("/out"))
    assert by_file.watch.done == Path("done")  # it lies in the watched folder
    assert (by_variable.bundle, by_variable.watch.folder) == (Path("b.tflite"), Path("here"))


@pytest.mark.parametrize("name", ["full", "installed"])
def test_a_model_is_named_by_its_name(write: Write, name: str) -> None:
    assert resolve({}, write(f'bundle = "{name}"'), {}).settings.bundle == Path(name)


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("threads = 0", 1, "a wrong value for threads (expected int >= 1); correct it"),
        ('# two\n\nthreads = "2"', 3, "a wrong value for threads (expected int, got str); correct it"),
        ("operating_point = 3", 1, "a wrong value for operating_point (expected str, got int); correct it"),
        ('operating_point = ""', 1, "a wrong value for operating_point (expected str of length >= 1); correct it"),
        ("bundle = 3", 1, "a wrong value for bundle (expected a path); correct it"),
        ('bundle = """\n\n"""\nthreads = 1.5', 4, "a wrong value for threads (expected int, got float)"),
        ("[watch]\nsettle = -1", 2, "a wrong value for watch.settle (expected float >= 0.0); correct it"),
        ("[watch]\nsettle = nan", 2, "a wrong value for watch.settle (expected float >= 0.0); correct it"),
        ("[watch]\nheatmaps = 1", 2, "a wrong value for watch.heatmaps (expected bool, got int); correct it"),
        ("watch.rescan = 0", 1, "a wrong value for watch.rescan (expected float >= 0.1); correct it"),
        ('operating-point = "x"', 1, "there is no setting 'operating-point'; did you mean 'operating_point'?"),
        ("[watch]\nsetle = 1", 2, "there is no setting 'setle' in [watch]; did you mean 'settle'?"),
        ("settle = 1", 1, "there is no setting 'settle'; it belongs in the section [watch]"),
        ("setle = 1", 1, "there is no setting 'setle'; did you mean 'settle' in the section [watch]?"),
        ("[watch]\nthreads = 2", 2, "there is no setting 'threads' in [watch]; it belongs above all sections"),
        (
            "[limits]\nxyzzy = 2",
            2,
            "there is no setting 'xyzzy' in [limits]; there are decode_seconds, megabytes, megapixels",
        ),
        ("threads = 1\n[Wach]\n", 2, "there is no section [Wach]; did you mean [watch]?"),
        ("[xyzzy]\n", 1, "there is no section [xyzzy]; there are [watch], [limits], [retention], [camera]"),
        ("watch = 3", 1, "watch is a section and no setting; write [watch], and its settings below"),
        ("[threads]\nx = 1", 1, "a wrong value for threads (expected int, got object); correct it"),
        (
            'engine = "tpu"',
            1,
            "a wrong value for engine (expected one of litert, openvino, auto); correct it",
        ),
        (
            '[watch]\n\norder = "Newst"',
            3,
            "a wrong value for watch.order (expected one of oldest, newest; did you mean 'newest'?); correct it",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_line(write: Write, text: str, line: int, sentence: str) -> None:
    file = write(text)

    with pytest.raises(UsageError) as caught:
        resolve({}, file, {})

    assert str(caught.value).startswith(f"{file}, line {line}: {sentence}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a = 1\nthreads = \n", "at line 2"),
        ("[watch]\n\nx = [1,\n\n", "at the end, line 3"),
        ("threads = 1\nthreads = 2", "the end, line 2"),
        (b'a = 1\nbundle = "\xff"', "line 2 is no UTF-8"),
    ],
)
def test_what_is_no_toml_is_named_with_its_line(write: Write, text: str | bytes, place: str) -> None:
    file = write(text)

    with pytest.raises(UsageError) as caught:
        resolve({}, file, {})

    assert str(caught.value).startswith(f"the settings file {file} is no TOML (")
    assert place in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_that_is_wrong_is_counted_and_listed_in_its_order(write: Write) -> None:
    file = write('[watch]\norder = "up"\n[limits]\nmegabytes = 0\nx = 1\n')

    with pytest.raises(UsageError, match=r"line 2: .* \(2 more: see 'edge-pneumo config check .*settings\.toml'\)$"):
        resolve({}, file, {})
    assert [sentence.partition(": ")[0] for sentence in config.problems(file)] == [
        f"{file}, line 2",
        f"{file}, line 4",
        f"{file}, line 5",
    ]


@pytest.mark.parametrize("value", ["many", "0", "1.5"])
def test_what_is_wrong_in_a_variable_is_named(value: str) -> None:
    with pytest.raises(UsageError, match=r"^EDGE_PNEUMO_THREADS: a wrong value for threads \(expected int"):
        resolve({}, None, {"EDGE_PNEUMO_THREADS": value}, default_file=NOWHERE)


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False), ("1", True), ("0", False)])
def test_truth_in_a_variable(text: str, value: bool) -> None:
    found = resolve({}, None, {"EDGE_PNEUMO_WATCH_HEATMAPS": text}, default_file=NOWHERE)

    assert found.settings.watch.heatmaps is value


@pytest.mark.parametrize(
    ("variable", "sentence"),
    [
        ("EDGE_PNEUMO_WATCH_ODER", "there is no such variable; did you mean EDGE_PNEUMO_WATCH_ORDER?"),
        ("EDGE_PNEUMO_SETTLE", "there is no such variable; did you mean EDGE_PNEUMO_WATCH_SETTLE?"),
        ("EDGE_PNEUMO_THREAD", "there is no such variable; did you mean EDGE_PNEUMO_THREADS?"),
        ("EDGE_PNEUMO_RETENTION_FOREVER", "there are EDGE_PNEUMO_RETENTION_DAYS, EDGE_PNEUMO_RETENTION_MEGABYTES"),
    ],
)
def test_a_variable_that_can_only_be_a_misspelt_setting_is_refused(variable: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=f"^{variable}: ") as caught:
        resolve({}, None, {variable: "1"}, default_file=NOWHERE)

    assert sentence in str(caught.value)


def test_the_programs_other_variables_are_no_settings() -> None:
    environment = {"EDGE_PNEUMO_MODELS": "/models", "EDGE_PNEUMO_DATA": "/data"}

    assert resolve({}, None, environment, default_file=NOWHERE).settings == Settings()


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no settings file .*none\.toml"):
        resolve({}, tmp_path / "none.toml", {})


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be read \(Is a directory\)"):
        resolve({}, tmp_path, {})


def test_the_example_changes_nothing_and_each_line_of_it_may_be_put_in_force(write: Write) -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    in_force = write("\n".join(line.removeprefix("# ") if " = " in line else line for line in lines))

    assert config.read_file(EXAMPLE)[0] == {}
    assert list(config.read_file(in_force)[0]) == list(config.TYPES)
    found = resolve({}, in_force, {}).settings
    # Where it says no other choice, it says the default.
    assert (found.limits, found.retention) == (Limits(), Retention())
    chosen = {"folder": None, "results": None, "order": "oldest", "slow_engine": "refuse"}
    assert msgspec.structs.replace(found.watch, **chosen) == WatchSettings()


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

    with pytest.raises(EngineError, match=rf"openvino is not installed; .* \(it is named by {file}, line 1\)$"):
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

    assert str(by_file.value) == f"{missing} (it is named by {file}, line 1)"
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
    assert capsys.readouterr().err.startswith("error: EDGE_PNEUMO_THREADS: a wrong value for threads")
