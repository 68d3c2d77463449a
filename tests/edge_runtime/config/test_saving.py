import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.config import saving as settings_file
from edge_runtime.config.saving import edit, save
from edge_runtime.errors import UsageError

EXAMPLE = Path(__file__).parents[3] / "systemd" / "config.toml"
PATH = Path("settings.toml")
BEST: dict[str, str | int] = {"engine": "openvino", "threads": 2}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", 'engine = "openvino"\nthreads = 2\n'),
        ("# mine\nthreads = 4", '# mine\nthreads = 2\nengine = "openvino"\n'),
        (
            "  threads=1   # a comment\nengine='litert'\r\n",
            'threads = 2   # a comment\nengine = "openvino"\r\n',
        ),
        ('"engine" = "litert"\n\nthreads = 1\n', 'engine = "openvino"\n\nthreads = 2\n'),
        (
            '# engine = "auto"\n\n# Threads.\n# threads = 3\n\n# end\n',
            '# engine = "auto"\nengine = "openvino"\n\n# Threads.\n# threads = 3\nthreads = 2\n\n# end\n',
        ),
        ("a = 1\n[table]\nthreads = 9\n", 'a = 1\nengine = "openvino"\nthreads = 2\n[table]\nthreads = 9\n'),
        (
            "a = 1\n\n# What is watched.\n# [old]\n[watch]\nthreads = 9\n",
            'a = 1\nengine = "openvino"\nthreads = 2\n\n# What is watched.\n# [old]\n[watch]\nthreads = 9\n',
        ),
        ("# a\n[watch]\n", 'engine = "openvino"\nthreads = 2\n\n# a\n[watch]\n'),
        ("[watch]\n# threads = 3\n", 'engine = "openvino"\nthreads = 2\n[watch]\n# threads = 3\n'),
        ("bundle = 'x # y'\r\n", "bundle = 'x # y'\r\nengine = \"openvino\"\r\nthreads = 2\r\n"),
    ],
)
def test_just_the_needed_lines_change(before: str, after: str) -> None:
    assert edit(before, BEST, PATH) == after


def test_the_example_is_edited_beside_its_comments() -> None:
    before = EXAMPLE.read_text(encoding="utf-8")

    after = edit(before, BEST, PATH)

    assert tomllib.loads(after) == tomllib.loads(before) | BEST
    assert [line for line in after.splitlines() if line not in before.splitlines()] == [
        'engine = "openvino"',
        "threads = 2",
    ]


def test_a_second_edit_changes_the_same_lines() -> None:
    once = edit(EXAMPLE.read_text(encoding="utf-8"), BEST, PATH)

    assert edit(once, BEST, PATH) == once
    assert edit(once, {"engine": "litert", "threads": 4}, PATH).count("\n") == once.count("\n")


@pytest.mark.parametrize(
    "text",
    [
        'note = """\nthreads = 1\n"""\n',  # looks like the setting and is the inside of another's value
        'note = """\n[not a table]\n"""\n[table]\nx = 1\n',
        'engine = """\nlitert"""\n',
    ],
)
def test_a_layout_that_cannot_be_edited_is_left_to_its_author(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        edit(text, BEST, PATH)

    assert "'engine = \"openvino\"' and 'threads = 2' by hand" in str(caught.value)


def test_what_is_no_toml_is_refused() -> None:
    with pytest.raises(UsageError, match=r"settings\.toml is no TOML"):
        edit("threads = \n", BEST, PATH)


_LINES = st.sampled_from(
    [
        "",
        "# words",
        "threads = 1",
        "# threads = 3",
        "bundle = 'b.tflite'",
        'engine = "litert" # mine',
        "x = [1,\n 2]",
        "[t]",
    ]
)


@given(st.lists(_LINES, max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_nothing_else_ever_changes(lines: list[str], newline: str) -> None:
    text = newline.join(lines)
    try:
        before = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return

    after = edit(text, BEST, PATH)

    assert tomllib.loads(after) == before | BEST
    assert after.count("#") == text.count("#")


def test_the_file_and_its_folder_are_made(tmp_path: Path) -> None:
    path = tmp_path / "etc" / "edge-pneumo" / "config.toml"

    save(path, BEST)

    assert tomllib.loads(path.read_text()) == BEST
    assert path.stat().st_mode & 0o777 == 0o644


def test_mode_and_link_stay(tmp_path: Path) -> None:
    path, link = tmp_path / "config.toml", tmp_path / "link.toml"
    path.write_text("threads = 1\n")
    path.chmod(0o640)
    link.symlink_to(path)

    save(link, BEST)

    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert tomllib.loads(path.read_text()) == BEST
    assert sorted(tmp_path.iterdir()) == [path, link]


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.toml"
    path.write_text("threads = 1\n")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)

    with pytest.raises(
        UsageError, match=r"cannot be saved in .*config\.toml \(No space left on device\); name another"
    ):
        save(path, BEST)
    assert path.read_text() == "threads = 1\n"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_no_text_is_refused_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"bundle = '\xff'\n")

    with pytest.raises(UsageError, match="it is no UTF-8"):
        settings_file.save(path, BEST)
    assert path.read_bytes() == b"bundle = '\xff'\n"
