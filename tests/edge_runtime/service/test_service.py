import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from edge_runtime.errors import EdgePneumoError, UsageError
from edge_runtime.service import command as service
from edge_runtime.service.access import Account, check_folder
from edge_runtime.service.derived import derive
from edge_runtime.service.plan import (
    UNIT_FILE,
    USER_FILE,
    USER_LINE,
    Found,
    Remove,
    Run,
    Step,
    Write,
    describe,
    install_steps,
    perform,
    run_command,
    uninstall_steps,
)
from edge_runtime.service.unit import DEFAULT_FOLDER, Choices, choices_in, quoted, render, template, this_program

NOTHING = Found(
    unit=None,
    user_file=None,
    has_user=False,
    has_folder=False,
    has_results=True,
    has_configuration=False,
    enabled=False,
    active=False,
)
ALL = Found(
    unit="[Unit]\n",
    user_file=USER_LINE,
    has_user=True,
    has_folder=True,
    has_results=True,
    has_configuration=True,
    enabled=True,
    active=True,
)
STRANGER = Account("edge-pneumo", 65534, 65534, ())


def commands(steps: Sequence[Step]) -> list[str]:
    return [" ".join(step.words) for step in steps if isinstance(step, Run)]


def files(steps: Sequence[Step]) -> list[Path]:
    return [step.path for step in steps if not isinstance(step, Run)]


def test_bare_machine_gets_user_folder_unit_and_start_in_this_order() -> None:
    steps = install_steps(NOTHING, "[Unit]\n", DEFAULT_FOLDER, None)

    assert files(steps) == [USER_FILE, UNIT_FILE]
    assert commands(steps) == [
        f"systemd-sysusers {USER_FILE}",
        "install -d -o root -g edge-pneumo -m 2775 /incoming",
        "install -d -m 755 /etc/edge-pneumo",
        "systemctl daemon-reload",
        "systemctl enable --quiet edge-pneumo.service",
        "systemctl start edge-pneumo.service",
    ]


def test_where_all_is_there_nothing_is_done() -> None:
    assert install_steps(ALL, "[Unit]\n", DEFAULT_FOLDER, None) == []


def test_changed_unit_is_written_and_restarted() -> None:
    steps = install_steps(ALL, "[Unit]\n# new\n", DEFAULT_FOLDER, None)

    assert steps[0] == Write(UNIT_FILE, "[Unit]\n# new\n")
    assert commands(steps) == ["systemctl daemon-reload", "systemctl restart edge-pneumo.service"]


def test_stopped_service_is_started_again() -> None:
    steps = install_steps(replace(ALL, active=False), "[Unit]\n", DEFAULT_FOLDER, None)

    assert commands(steps) == ["systemctl start edge-pneumo.service"]


def test_folder_of_somebody_else_is_never_made_nor_changed() -> None:
    steps = install_steps(NOTHING, "[Unit]\n", Path("/srv/scanner"), None)

    assert not any("/srv/scanner" in step for step in commands(steps))


def test_folder_for_results_is_made_for_the_service() -> None:
    steps = install_steps(replace(ALL, has_results=False), "[Unit]\n", DEFAULT_FOLDER, Path("/srv/findings"))

    assert commands(steps) == ["install -d -o edge-pneumo -g edge-pneumo -m 2750 /srv/findings"]


def test_uninstall_removes_its_files_and_nothing_else() -> None:
    steps = uninstall_steps(ALL)

    assert [step for step in steps if not isinstance(step, Run)] == [Remove(UNIT_FILE), Remove(USER_FILE)]
    assert commands(steps) == ["systemctl disable --quiet --now edge-pneumo.service", "systemctl daemon-reload"]


def test_uninstall_of_nothing_does_nothing() -> None:
    assert uninstall_steps(NOTHING) == []


def test_file_is_written_for_all_to_read_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "unit"

    perform(Write(path, "words\n"), run_command)

    assert path.read_text() == "words\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_file_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(EdgePneumoError, match=r"cannot be changed .* do the same again"):
        perform(Write(tmp_path / "file" / "unit", "words\n"), run_command)


def test_failing_command_is_one_sentence_with_its_words() -> None:
    with pytest.raises(EdgePneumoError, match=r"^'sh -c .*' failed \(no such thing\); mend that"):
        perform(Run(("sh", "-c", "echo no such thing >&2; false")), run_command)


def test_missing_command_is_one_sentence() -> None:
    with pytest.raises(EdgePneumoError, match="there is no no-such-program here"):
        perform(Run(("no-such-program",)), run_command)


def test_service_that_does_not_start_points_to_its_log() -> None:
    def refuses(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(list(words), 1, "", "Job failed")

    with pytest.raises(EdgePneumoError, match="does not start; see why: journalctl -u edge-pneumo"):
        perform(Run(("systemctl", "start", "edge-pneumo.service")), refuses)


def test_dry_run_prints_files_with_their_contents_and_commands() -> None:
    assert describe(Write(Path("/etc/x"), "a\n\nb\n")) == "write /etc/x:\n    a\n\n    b"
    assert describe(Remove(Path("/etc/x"))) == "remove /etc/x"
    assert describe(Run(("a", "b"))) == "run a b"


def test_unit_remembers_what_was_said(tmp_path: Path) -> None:
    said = Choices(folder=tmp_path / "ward 3", input="move", camera="picamera2:1", memory=512)
    program = replace(this_program(), fingerprint="1.0")

    text = render(template(), derive(said, program), said, systemd=252)

    assert choices_in(text) == said


def test_unit_that_none_of_ours_wrote_says_nothing() -> None:
    assert choices_in("[Service]\nExecStart=/bin/true\n") == Choices()
    assert choices_in("[X-edge-pneumo]\nMemory=much\n") == Choices()


@pytest.mark.parametrize("path", ["/a:b", '/a"b', "/a\\b", "/a\nb", os.fsdecode(b"/a\xff")])
def test_path_that_systemd_would_misread_is_refused(path: str) -> None:
    with pytest.raises(UsageError, match="rename it"):
        quoted(path)


def test_settings_decide_what_nobody_said(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    model = tmp_path / "mine.tflite"
    text = (
        f'bundle = "{model}"\nengine = "openvino"\n[watch]\nfolder = "{tmp_path}"\ninput = "move"\ndone = "/srv/done"\n'
    )
    file.write_text(text)

    planned = derive(Choices(config=file), this_program())

    assert (planned.folder, planned.input) == (tmp_path, "move")
    assert (planned.readable, planned.writable) == ((model,), (Path("/srv/done"),))
    assert planned.generates_code


def test_what_was_said_goes_before_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[watch]\nfolder = "/srv/elsewhere"\ninput = "move"\n')

    planned = derive(Choices(config=file, folder=tmp_path, input="leave"), this_program())

    assert (planned.folder, planned.input, planned.writable) == (tmp_path, "leave", ())


@pytest.mark.parametrize("from_settings", [True, False])
def test_camera_opens_the_folder_for_films(tmp_path: Path, from_settings: bool) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[camera]\ndevice = "0"\n' if from_settings else "")
    said = Choices(config=file, folder=tmp_path, camera=None if from_settings else "0")

    planned = derive(said, this_program())

    assert planned.camera is not None
    assert (planned.camera.place, planned.writes_to_folder) == ("/dev/video0", True)
    assert planned.camera_word == (None if from_settings else "0")


def test_no_camera_leaves_the_folder_to_be_read_alone(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[camera]\ndevice = "0"\n')

    planned = derive(Choices(config=file, folder=tmp_path, camera=""), this_program())

    assert (planned.camera, planned.writes_to_folder) == (None, False)


def test_password_of_a_camera_is_not_written_where_everybody_reads_it(tmp_path: Path) -> None:
    said = Choices(folder=tmp_path, camera="rtsp://ward:secret@192.168.1.20/stream")

    with pytest.raises(UsageError, match=r"has a password in it; write it into \[camera\] of /etc") as caught:
        service.install(said, run_command, dry_run=True)

    assert "secret" not in str(caught.value)


def test_program_brings_its_interpreter_and_every_link_to_it(tmp_path: Path) -> None:
    real, link, python = (tmp_path / name for name in ("python3.11", "python3", "python"))
    real.write_text("")
    link.symlink_to("python3.11")
    python.symlink_to(link)

    program = this_program(executable=str(python))

    assert {real, link, python} <= set(program.readable)


def test_folder_that_the_user_may_read_passes(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    check_folder(tmp_path, STRANGER, False)


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_the_way_to_the_folder_does_not_count(tmp_path: Path) -> None:
    folder = tmp_path / "private" / "scans"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o700)

    check_folder(folder, STRANGER, False)


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
@pytest.mark.parametrize(("mode", "writes"), [(0o700, False), (0o754, False), (0o755, True)])
def test_folder_that_the_user_may_not_use_is_refused_with_a_remedy(tmp_path: Path, mode: int, writes: bool) -> None:
    folder = tmp_path / "in coming"
    folder.mkdir()
    folder.chmod(mode)

    access = "rwX" if writes else "rX"
    with pytest.raises(UsageError, match=f"setfacl -R -m u:edge-pneumo:{access}.* '.*/in coming'") as caught:
        check_folder(folder, STRANGER, writes)

    assert "may not read" in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_folder_of_a_group_is_mended_by_joining_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    os.chown(tmp_path, -1, 1234567)

    with pytest.raises(UsageError, match="usermod -aG 1234567 edge-pneumo"):
        check_folder(tmp_path, STRANGER, False)
    check_folder(tmp_path, replace(STRANGER, groups=(1234567,)), False)


@pytest.mark.parametrize(("name", "words"), [("missing", "there is no folder"), ("file", "is a file")])
def test_what_is_no_folder_is_refused(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match=words):
        check_folder(tmp_path / name, STRANGER, False)


def test_without_root_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from edge_runtime.cli import main

    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert main(["service", "install"]) == 2
    assert capsys.readouterr().err.startswith("error: to install a service takes root; use sudo")


def test_machine_without_systemctl_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no systemctl here"):
        service.systemd_version(lambda words: subprocess.CompletedProcess(list(words), 127, "", ""))
