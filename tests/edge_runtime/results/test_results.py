import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.cli import main
from edge_runtime.finding import NOTICE, from_json, timestamp
from edge_runtime.journal import reader as journal_reader
from edge_runtime.journal.query import Wanted
from edge_runtime.locate import JOURNAL
from edge_runtime.results.command import show
from edge_runtime.results.text import CSV_COLUMNS, Csv, JsonLines, Table, local_time
from tests.edge_runtime.findings import MOMENT, classified, rejected
from tests.edge_runtime.journals import Filler, writing
from tests.edge_runtime.processes import usual_signals

EVERYTHING = Wanted()


@pytest.fixture
def filler(tmp_path: Path) -> Iterator[Filler]:
    filler = Filler(tmp_path / "in-results", files=True)
    yield filler
    filler.close()


@pytest.fixture
def printed(filler: Filler, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    def printed(*words: str, status: int = 0) -> list[str]:
        assert main(["results", str(filler.results), *words]) == status
        return capsys.readouterr().out.splitlines()

    return printed


# The table


def test_a_line_an_answer_and_a_foot(filler: Filler, printed: Callable[..., list[str]]) -> None:
    filler.answer(classified(probability=0.9), confidence="uncertain", name=b"ward/a.png")
    filler.answer(classified(probability=0.1), MOMENT + timedelta(minutes=1))
    filler.answer(rejected(reason="empty file"), MOMENT + timedelta(minutes=2))

    heading, _, *rows, _, summary, notice = printed()

    assert heading.split() == ["answered", "answer", "pneumonia", "confidence", "file"]
    assert [row[21:].split() for row in rows] == [
        ["PNEUMONIA", "0.900", "uncertain", "ward/a.png"],
        ["NORMAL", "0.100", "2.png"],
        ["rejected", "3.png:", "empty", "file"],
    ]
    assert [row[:19] for row in rows] == [
        (MOMENT.astimezone() + timedelta(minutes=minutes)).strftime("%Y-%m-%d %H:%M:%S") for minutes in range(3)
    ]
    assert [row[heading.index("file")] for row in rows] == ["w", "2", "3"]
    assert summary == "2 classified (1 PNEUMONIA, 1 NORMAL; 1 uncertain), 1 rejected"
    assert notice == NOTICE


def test_where_nothing_has_been_answered_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()

    assert main(["results", str(tmp_path / "in")]) == 0

    assert "0 classified (0 PNEUMONIA, 0 NORMAL), 0 rejected" in capsys.readouterr().out
    assert not (tmp_path / "in-results").exists()


def test_the_watched_folder_may_be_named(filler: Filler, capsys: pytest.CaptureFixture[str]) -> None:
    (filler.results.parent / "in").mkdir()
    filler.answer()

    assert main(["results", str(filler.results.parent / "in")]) == 0

    assert "1 classified" in capsys.readouterr().out


def test_names_cannot_disturb_the_terminal(filler: Filler, printed: Callable[..., list[str]]) -> None:
    filler.answer(name=b"a\n\x1b[2J\xff.png")

    assert r"a\n\x1b[2J\xff.png" in printed()[2]


def test_a_terminal_sees_colours(filler: Filler) -> None:
    filler.answer(classified(probability=0.9))
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}

    subprocess.run([*COMMAND, filler.results], stdout=theirs, env=environment, check=True, cwd=ROOT)

    os.close(theirs)
    output = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "\x1b[1;33mPNEUMONIA\x1b[0m" in output


# CSV


def test_csv_has_a_heading_and_the_fields(filler: Filler, printed: Callable[..., list[str]]) -> None:
    filler.answer(classified(probability=0.25), name='größe, "x".png'.encode(), confidence="certain", distance=0.5)
    filler.answer(rejected(reason="empty file"))

    heading, first, second = csv.reader(printed("--csv"))

    assert tuple(heading) == CSV_COLUMNS
    assert dict(zip(heading, first, strict=True)) == {
        "finished": timestamp(MOMENT),
        "source": 'größe, "x".png',
        "status": "classified",
        "label": "NORMAL",
        "probability": "0.25",
        "confidence": "certain",
        "distance": "0.5",
        "reason": "",
        "sha256": f"{1:064x}",
        "model": "0" * 64,
        "received": timestamp(MOMENT),
        "finding": 'größe, "x".png.json',
    }
    assert (second[3], second[4], second[7]) == ("", "", "empty file")


SIGNS = tuple("=+-@\uff1d")
FORMULAS = ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1", "  =1", "\uff1d1"]
FORMULAS += ["a;=1", "a,=1", "a\t=1", 'a"=1', "a|@b", "'=1"]


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_no_cell_begins_with_a_formula(
    filler: Filler, printed: Callable[..., list[str]], name: str, separator: str
) -> None:
    filler.answer(rejected(reason=f"x{name}"), name=name.encode())

    lines = printed("--csv")

    assert len(lines) == 2  # a line an answer, whatever the name
    # With the quotes understood or not, and at whatever separator a spreadsheet parts the cells.
    cells = [*next(csv.reader([lines[1]], delimiter=separator)), *lines[1].split(separator)]
    assert not [cell for cell in cells if cell.lstrip(' "').startswith(SIGNS)]


# JSON lines


def test_json_gives_whole_findings(filler: Filler, printed: Callable[..., list[str]]) -> None:
    name = filler.answer(classified(probability=0.9), notes=("a negative",))

    (line,) = map(json.loads, printed("--json"))

    finding = json.loads(filler.path(name).read_bytes())
    assert line == finding | {"finding": "1.png.json", "complete": True}
    assert from_json(json.dumps(line)).probability == 0.9


@pytest.mark.parametrize("what", ["gone", "another", "broken", "a link", "a pipe"])
def test_json_falls_back_on_the_journal(filler: Filler, printed: Callable[..., list[str]], what: str) -> None:
    name = filler.answer(classified(probability=0.9), confidence="certain", distance=0.5)
    other = filler.answer(rejected(), name=b"other.png")
    file = filler.path(name)
    data = file.read_bytes()
    file.unlink()
    if what == "another":
        file.write_bytes(filler.path(other).read_bytes())
    elif what == "broken":
        file.write_bytes(b"{")
    elif what == "a link":
        (filler.results / "elsewhere").write_bytes(data)
        file.symlink_to("elsewhere")
    elif what == "a pipe":
        os.mkfifo(file)

    line, _ = map(json.loads, printed("--json"))

    assert line["complete"] is False
    known = ("source", "label", "probability", "confidence", "distance", "sha256", "types", "finding")
    assert [line[key] for key in known] == ["1.png", "PNEUMONIA", 0.9, "certain", 0.5, f"{1:064x}", None, "1.png.json"]
    assert line["finished"] == line["received"] == timestamp(MOMENT)


def test_names_in_any_encoding_become_json(filler: Filler, printed: Callable[..., list[str]]) -> None:
    filler.answer(name=b"caf\xe9/\xf0\x9f\xab\x81.png")

    assert json.loads(printed("--json")[0])["source"] == "caf\\xe9/\U0001fac1.png"


# What is asked for


def test_the_options_ask_for_what_they_say(filler: Filler, printed: Callable[..., list[str]]) -> None:
    for number in range(12):
        finding = classified(probability=number / 12) if number % 4 else rejected()
        filler.answer(finding, MOMENT + timedelta(days=number), name=b"ward%d/a.png" % (number % 2))

    def ids(*words: str) -> list[int]:
        lines = printed("--json", *words)
        return [int((datetime.fromisoformat(json.loads(line)["finished"]) - MOMENT).days) for line in lines]

    assert ids() == list(range(12))
    assert ids("-n", "2") == [10, 11]
    assert ids("--status", "rejected") == [0, 4, 8]
    assert ids("--label", "pneumonia", "--name", "ward1/*") == [7, 9, 11]
    assert ids("--min-probability", "0.5", "--max-probability", "0.6") == [6, 7]
    day = [(MOMENT + timedelta(days=number)).astimezone().date().isoformat() for number in range(12)]
    assert ids("--since", day[3], "--until", day[5]) == [3, 4, 5]
    assert ids("--since", f"{day[9]}T09:30Z") == [9, 10, 11]
    assert ids("--since", "2 days") == []
    assert ids("--confidence", "certain") == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--since", "soon"], "--since: 'soon' is no time; write it as"),
        (["--follow", "--until", "today"], "--follow waits for what is to come"),
    ],
)
def test_wrong_times_are_refused(
    filler: Filler, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert main(["results", str(filler.results), *words]) == 2

    assert capsys.readouterr().err.startswith(f"error: {sentence}")


@pytest.mark.parametrize("words", ["-n 0", "-n x", "--min-probability 2", "--max-probability nan", "--csv --json"])
def test_wrong_options_are_refused(filler: Filler, words: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["results", str(filler.results), *words.split()])

    assert ended.value.code == 2


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results", str(tmp_path / "no")]) == 2

    assert "there is no folder" in capsys.readouterr().err


def test_memory_does_not_grow_with_the_journal(filler: Filler, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    original = journal_reader.page

    def page(*words: Any, **options: Any) -> Any:
        found = original(*words, **options)
        sizes.append(len(found.rows))
        return found

    monkeypatch.setattr(journal_reader, "page", page)
    monkeypatch.setattr(journal_reader.rows, "__kwdefaults__", {"count": None, "to": None, "size": 10})
    for _ in range(35):
        filler.answer()

    show(filler.results / JOURNAL, EVERYTHING, JsonLines(filler.results))

    assert sizes == [10, 10, 10, 5]


# Following


class Pause:
    """Does the next thing at each pause, and then what Ctrl-C does."""

    def __init__(self, *actions: Callable[[], object]) -> None:
        self._actions = list(actions)

    def __call__(self) -> None:
        if not self._actions:
            raise KeyboardInterrupt
        self._actions.pop(0)()


def followed(
    filler: Filler, capsys: pytest.CaptureFixture[str], *actions: Callable[[], object], **options: Any
) -> list[str]:
    show(filler.results / JOURNAL, options.pop("wanted", EVERYTHING), Csv(), pause=Pause(*actions), **options)
    return [row["source"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))]


def test_new_answers_follow_once_each(filler: Filler, capsys: pytest.CaptureFixture[str]) -> None:
    filler.answer()
    filler.answer()

    seen = followed(filler, capsys, filler.answer, lambda: None, lambda: [filler.answer() for _ in range(3)], count=1)

    assert seen == ["2.png", "3.png", "4.png", "5.png", "6.png"]


def test_more_than_a_page_follows_at_once(
    filler: Filler, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_reader.page, "__kwdefaults__", {"to": None, "size": 2})

    seen = followed(filler, capsys, lambda: [filler.answer() for _ in range(5)])

    assert seen == [f"{number}.png" for number in range(1, 6)]


def test_only_what_is_wanted_follows(filler: Filler, capsys: pytest.CaptureFixture[str]) -> None:
    actions = [partial(filler.answer, finding) for finding in (rejected(), classified(), rejected())]

    assert followed(filler, capsys, *actions, wanted=Wanted(status="classified")) == ["2.png"]


def test_follows_a_journal_that_is_still_to_come(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made: list[Filler] = []

    def make() -> None:
        made.append(Filler(tmp_path / "out"))
        made[0].answer()

    show(tmp_path / "out" / JOURNAL, EVERYTHING, Table(), pause=Pause(lambda: None, make))

    made[0].close()
    assert "1 classified" in capsys.readouterr().out


def test_follows_a_journal_that_took_the_place_of_another(filler: Filler, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(5):
        filler.answer(name=b"old.png")

    def replace() -> None:
        filler.close()
        for path in filler.results.glob(f"{JOURNAL}*"):
            path.unlink()
        filler.__init__(filler.results)  # type: ignore[misc]
        filler.answer(name=b"taken over.png")

    assert followed(filler, capsys, replace, lambda: filler.answer(name=b"new.png"), count=1) == ["old.png", "new.png"]


ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "edge_runtime", "results"]


def test_follows_another_process_until_ctrl_c(tmp_path: Path) -> None:
    with writing(tmp_path, 2) as writer:
        process = subprocess.Popen(
            [*COMMAND, tmp_path, "-f"], stdout=subprocess.PIPE, text=True, cwd=ROOT, preexec_fn=usual_signals
        )
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        writer.answer()
        lines.append(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)

    assert [line.split()[-1] for line in lines[2:]] == ["1.png", "2.png", "3.png"]
    assert rest.endswith(f"3 classified (3 PNEUMONIA, 0 NORMAL), 0 rejected\n{NOTICE}\n")
    assert process.returncode == 0


def test_ends_when_nobody_reads_any_more(tmp_path: Path) -> None:
    with writing(tmp_path, 1):
        process = subprocess.Popen(
            [*COMMAND, tmp_path, "-f"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert process.stdout is not None
        assert process.stderr is not None
        for _ in range(3):
            process.stdout.readline()
        process.stdout.close()  # and nothing new is answered
        status = process.wait(60)
        errors = process.stderr.read()
        process.stderr.close()

    assert (status, errors) == (141, "")


def test_a_time_that_is_none_is_shown_as_it_is() -> None:
    assert local_time("once") == "once"
    assert local_time("0001-01-01T00:00:00+14:00") == "0001-01-01T00:00:00+14:00"
