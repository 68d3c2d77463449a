"""`edge-pneumo service` on a machine of its own, from the first install to the removal and back."""

from pathlib import Path

import pytest

from tests.system.device import COMMAND, RESULTS, SAMPLES, UNIT, Device

UNIT_FILE = Path("/etc/systemd/system") / UNIT


@pytest.fixture(autouse=True)
def clean(fresh_device: Device) -> Device:
    fresh_device.service("uninstall")
    fresh_device.run("sh", "-c", "rm -rf /var/lib/edge-pneumo /etc/edge-pneumo /incoming")
    return fresh_device


def test_install_does_what_the_dry_run_prints_and_a_second_one_nothing(clean: Device) -> None:
    printed = clean.service("install", "--dry-run").stdout
    untouched = not clean.path(UNIT_FILE).exists() and not clean.path("/incoming").exists()

    said = clean.service("install").stdout
    first = clean.show("MainPID")
    again = clean.service("install").stdout

    unit = clean.path(UNIT_FILE).read_text()
    assert untouched
    assert "".join(f"    {line}".rstrip() + "\n" for line in unit.splitlines()) in printed
    assert "run systemctl start edge-pneumo.service" in printed
    assert said.splitlines()[-1] == f"the service runs: it watches /incoming, findings go to {RESULTS}"
    assert (clean.show("ActiveState"), clean.show("UnitFileState")) == ("active", "enabled")
    assert clean.run("stat", "--format=%U %G %a", "/incoming").stdout == "root edge-pneumo 2775\n"
    assert again.startswith("nothing to do: the service runs")
    assert clean.show("MainPID") == first


def test_change_is_installed_and_remembered(clean: Device) -> None:
    clean.service("install")
    first = clean.show("MainPID")

    clean.service("install", "--input", "move")
    second = clean.show("MainPID")
    clean.service("install", "--memory", "700")
    clean.put(SAMPLES[0], "moved.png")
    clean.finding("moved.png")

    assert first != second
    clean.wait(clean.path("/incoming/done/moved.png").exists, "it was not moved")
    assert clean.show("MemoryMax") == str(700 * 2**20)


def test_uninstall_keeps_findings_settings_and_input_and_an_install_goes_on_with_them(clean: Device) -> None:
    clean.service("install")
    clean.path("/etc/edge-pneumo/config.toml").write_text("threads = 1\n")
    clean.put(SAMPLES[0], "kept.png")
    first = clean.finding("kept.png")

    said = clean.service("uninstall").stdout
    again = clean.service("uninstall").stdout

    assert f"findings stay in {RESULTS}, settings in /etc/edge-pneumo" in said
    assert again.startswith("nothing to do: there is no service")
    assert clean.show("LoadState") == "not-found"
    assert not clean.path(UNIT_FILE).exists()
    assert clean.path("/incoming/kept.png").exists()
    assert clean.path("/etc/edge-pneumo/config.toml").read_text() == "threads = 1\n"

    clean.service("install")
    clean.put(SAMPLES[1], "new.png")
    clean.finding("new.png")

    assert clean.finding("kept.png") == first
    assert len(list(clean.path(RESULTS).glob("*.json"))) == 2


def test_odd_folder_in_a_private_home_and_results_elsewhere(clean: Device) -> None:
    folder, results = "/home/anna/ward 3; 100% ö #1 $HOME", "/srv/find ings"
    clean.run("install", "-d", "-m", "700", "/home/anna")
    clean.run("install", "-d", "-m", "755", folder)

    clean.service("install", "--folder", folder, "--results", results)
    clean.put(SAMPLES[0], "odd.png", folder)

    assert clean.finding("odd.png", Path(results))["status"] == "classified"
    assert clean.run("stat", "--format=%U %G %a", results).stdout == "edge-pneumo edge-pneumo 2750\n"


def test_folder_that_the_service_may_not_read_is_refused_and_the_remedy_helps(clean: Device) -> None:
    clean.run("groupadd", "--force", "scanner")
    clean.run("install", "-d", "-g", "scanner", "-m", "750", "/srv/scanner")

    refused = clean.service("install", "--folder", "/srv/scanner", check=False)
    before = clean.path(UNIT_FILE).exists()
    clean.service("install")
    clean.run("usermod", "-aG", "scanner", "edge-pneumo")
    clean.service("install", "--folder", "/srv/scanner")
    clean.put(SAMPLES[0], "grouped.png", "/srv/scanner")

    assert (refused.returncode, before) == (2, False)
    assert "may not read /srv/scanner" in refused.stderr
    assert "usermod -aG scanner edge-pneumo" in refused.stderr
    assert clean.finding("grouped.png")["status"] == "classified"


def test_status_says_how_it_stands(clean: Device) -> None:
    clean.service("install")
    clean.put(SAMPLES[0], "seen.png")
    clean.finding("seen.png")

    running = clean.service("status", check=False)
    nobody = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", COMMAND)
    of_nobody = clean.run(*nobody, "service", "status", check=False)
    clean.run("systemctl", "stop", UNIT)
    stopped = clean.service("status", check=False)
    clean.service("uninstall")
    gone = clean.service("status", check=False)

    assert running.returncode == 0, running.stderr
    assert running.stdout.splitlines()[0] == "service    active, starts with the machine"
    assert str(RESULTS) in running.stdout
    assert "members of the group edge-pneumo" in of_nobody.stdout
    assert (stopped.returncode, stopped.stdout.splitlines()[0]) == (3, "service    inactive, starts with the machine")
    assert (gone.returncode, gone.stderr.count("\n")) == (2, 1)


def test_service_that_does_not_start_points_to_its_log(clean: Device) -> None:
    clean.path("/etc/edge-pneumo").mkdir(exist_ok=True)
    clean.path("/etc/edge-pneumo/config.toml").write_text('operating_point = "no such"\n')

    with clean.with_settings("Restart=no"):
        result = clean.service("install", check=False)

    assert result.returncode == 2
    assert "does not start; see why: journalctl -u edge-pneumo.service" in result.stderr
    assert "no such" in clean.journal()
