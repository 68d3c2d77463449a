"""Against a script in the compiler's place, which prints what the real one does.

Its layout is that of Google's documentation (coral.ai/docs/edgetpu/compiler: the printed summary, and the operation log
with its columns Operator, Count and Status) and of logs that users have published; the numbers are made up.
"""

import shutil
import sys
from pathlib import Path

import pytest

from convert.edgetpu import cli, compiler
from convert.edgetpu.compiler import CompilerError, Operation
from edge_runtime.errors import UsageError
from edge_runtime.model import bundle
from tests.edge_runtime.model.edgetpu.coral import compiled_model

PRINTED = """\
Edge TPU Compiler version 16.0.384591198
Started a compilation timeout timer of 180 seconds.

Model compiled successfully in 305 ms.

Input model: model.tflite
Input size: 1.02MiB
Output model: model_edgetpu.tflite
Output size: 1.21MiB
On-chip memory available for caching model parameters: 7.31MiB
On-chip memory used for caching model parameters: 1.04MiB
Off-chip memory used for streaming uncached model parameters: 0.00B
Number of Edge TPU subgraphs: 1
Total number of operations: 21
Operation log: model_edgetpu.log
"""
MAPPED = """\
Edge TPU Compiler version 16.0.384591198
Input: model.tflite
Output: model_edgetpu.tflite

Operator                       Count      Status

MAX_POOL_2D                    4          Mapped to Edge TPU
CONV_2D                        14         Mapped to Edge TPU
MEAN                           2          Mapped to Edge TPU
QUANTIZE                       1          Mapped to Edge TPU
"""
PARTLY = MAPPED.replace(
    "MEAN                           2          Mapped to Edge TPU",
    "MEAN                           1          Mapped to Edge TPU\n"
    "MEAN                           1          Operation is otherwise supported, but not mapped due to some "
    "unspecified limitation",
)
FAILED = "Edge TPU Compiler version 16.0.384591198\n\nInternal compiler error. Aborting! \n"


def _script(
    folder: Path,
    *,
    printed: str = PRINTED,
    log: str = MAPPED,
    status: int = 0,
    writes: bool = True,
    made: bytes | None = None,
) -> Path:
    """A program that takes the compiler's arguments and leaves its files, and what it ``made`` or the given model."""
    program = folder / compiler.PROGRAM
    if made is not None:
        (folder / "made").write_bytes(made)
    compiled = (
        "model.read_bytes() + b'compiled'" if made is None else f"pathlib.Path({str(folder / 'made')!r}).read_bytes()"
    )
    program.write_text(
        f"#!{sys.executable}\n"
        "import pathlib, sys\n"
        "assert sys.argv[1:3] == ['-s', '-o'], sys.argv\n"
        "out, model = map(pathlib.Path, sys.argv[3:])\n"
        f"print({printed!r}, end='')\n"
        f"if {writes}:\n"
        f"    (out / f'{{model.stem}}_edgetpu.tflite').write_bytes({compiled})\n"
        f"    (out / f'{{model.stem}}_edgetpu.log').write_text({log!r})\n"
        f"sys.exit({status})\n"
    )
    program.chmod(0o755)
    return program


def test_the_report_says_what_is_mapped_and_where_the_parameters_are(tmp_path: Path) -> None:
    compiled = compiler.compile_model(b"model", _script(tmp_path))

    assert compiled.model == b"modelcompiled"
    assert compiled.log == MAPPED
    assert compiled.report.version == "16.0.384591198"
    assert [(one.name, one.count) for one in compiled.report.operations] == [
        ("MAX_POOL_2D", 4),
        ("CONV_2D", 14),
        ("MEAN", 2),
        ("QUANTIZE", 1),
    ]
    assert compiled.report.on_cpu == ()
    assert (compiled.report.on_chip, compiled.report.streamed) == ("1.04MiB", "0.00B")


def test_what_stays_on_the_cpu_is_told_with_the_reason(tmp_path: Path) -> None:
    report = compiler.compile_model(b"model", _script(tmp_path, log=PARTLY)).report

    reason = "Operation is otherwise supported, but not mapped due to some unspecified limitation"
    assert report.on_cpu == (Operation("MEAN", 1, reason),)


def test_a_table_that_is_printed_and_not_logged_is_read_too() -> None:
    report = compiler.read_report(PRINTED + MAPPED, PRINTED + MAPPED)

    assert sum(one.count for one in report.operations) == 21


def test_a_compiler_that_gives_up_is_quoted(tmp_path: Path) -> None:
    program = _script(tmp_path, printed=FAILED, status=1, writes=False)

    with pytest.raises(CompilerError, match=r"status 1: Internal compiler error\. Aborting!"):
        compiler.compile_model(b"model", program)


def test_a_report_without_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CompilerError, match="no table of operators"):
        compiler.compile_model(b"model", _script(tmp_path, log="nothing here"))


def test_a_program_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    program = tmp_path / "edgetpu_compiler"
    program.write_bytes(b"\x7fELF no program of this machine")
    program.chmod(0o755)

    with pytest.raises(UsageError, match="cannot be started"):
        compiler.compile_model(b"model", program)


@pytest.fixture
def copied(default_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(default_bundle, tmp_path / "mine.tflite"))


@pytest.fixture
def made(copied: Path) -> bytes:
    return compiled_model(bundle.read(copied).tflite)


def test_the_command_compiles_and_leaves_the_bundle_alone(
    copied: Path, made: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bin").mkdir()
    _script(tmp_path / "bin", made=made)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    before = copied.read_bytes()

    status = cli.main([str(copied), "--out", str(tmp_path)])

    said = capsys.readouterr().out
    assert status == 0
    assert "21 of 21 operators mapped" in said
    assert "on the chip 1.04MiB, streamed for each image 0.00B" in said
    assert copied.read_bytes() == before
    compiled, original = bundle.read(tmp_path / "mine_edgetpu.tflite"), bundle.read(copied)
    assert compiled.tflite == original.tflite
    assert bundle.read_compiled(compiled) == made
    assert compiled.compiled is not None
    assert (compiled.compiled.compiler, compiled.compiled.on_cpu) == ("16.0.384591198", 0)
    assert compiled.info.name == original.info.name
    assert (compiled.golden.scores == original.golden.scores).all()
    assert (tmp_path / "mine_edgetpu.log").read_text() == MAPPED


def test_a_compiled_model_may_take_the_place_of_the_bundle_it_is_of(
    copied: Path, made: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    _script(tmp_path / "bin", made=made)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    cli.report(copied, copied)

    assert bundle.read_compiled(bundle.read(copied)) == made


@pytest.mark.parametrize(
    ("other", "words"),
    [("same", "mapped nothing of the model"), ("smaller", "other inputs or outputs"), ("none", "cannot be read")],
)
def test_what_is_no_compiled_form_of_the_model_is_refused(
    other: str,
    words: str,
    copied: Path,
    small_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "bin").mkdir()
    of = bundle.read(copied if other == "same" else small_bundle).tflite
    _script(tmp_path / "bin", made=b"no model" if other == "none" else of)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    status = cli.main([str(copied), "--out", str(tmp_path)])

    assert status == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "mine_edgetpu.tflite").exists()


def test_the_command_says_what_stays_on_the_cpu(
    copied: Path, made: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bin").mkdir()
    _script(tmp_path / "bin", log=PARTLY, made=made)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    status = cli.main([str(copied), "--out", str(tmp_path)])

    assert status == 1
    assert "On the CPU: 1 x MEAN (Operation is otherwise supported" in capsys.readouterr().out


def test_without_the_compiler_the_check_alone_speaks(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))

    status = cli.main([str(copied), "--out", str(tmp_path)])

    said = capsys.readouterr().out
    assert status == 0
    assert "operators are in the Edge TPU compiler's list" in said
    assert "edgetpu_compiler is not on the PATH" in said
    assert not (tmp_path / "mine_edgetpu.tflite").exists()
