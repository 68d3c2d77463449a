import io
import re

import pytest

from edge_runtime.model.bundle import UncertainBand
from edge_runtime.model.classifier import Classifier
from edge_runtime.sinks.terminal import Terminal
from tests.edge_runtime.findings import classified, rejected
from tests.engines import ScriptedEngine, bundle_without_model


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


class Closed(io.StringIO):
    def write(self, _: str) -> int:
        raise BrokenPipeError


def test_one_aligned_line_an_answer() -> None:
    out = io.StringIO()
    terminal = Terminal(out)

    terminal.accept(classified("ward/a.png", probability=0.973))
    terminal.accept(classified("b.png", probability=0.004, confidence="certain"))
    terminal.accept(classified("d.png", probability=0.4, confidence="uncertain", notes=("taken for inverted",)))
    terminal.accept(rejected("c.png", reason="empty file"))
    terminal.end()

    lines = [re.sub(r"^\d\d:\d\d:\d\d", "hh:mm:ss", line) for line in out.getvalue().splitlines()]
    assert lines == [
        "hh:mm:ss  PNEUMONIA   97.3 %                12 ms  ward/a.png",
        "hh:mm:ss  NORMAL       0.4 %                12 ms  b.png",
        "hh:mm:ss  NORMAL      40.0 %  uncertain     12 ms  d.png: taken for inverted",
        "hh:mm:ss  rejected                           0 ms  c.png: empty file",
        "4 answered: 3 classified (1 uncertain), 1 rejected",
    ]


def test_the_opening_says_by_what_is_decided() -> None:
    out = io.StringIO()
    opened = bundle_without_model(threshold=0.355, uncertain=UncertainBand(low=0.0711, high=0.75))

    Terminal(out).begin("in", "out", Classifier(opened, ScriptedEngine([0, 0, 0])))
    Terminal(out).begin("in", "out", Classifier(bundle_without_model(), ScriptedEngine([0, 0, 0]), "screening"))

    assert out.getvalue().splitlines() == [
        "edge-pneumo watches in",
        "  findings  out",
        "  model     scripted (aaaaaaaaaaaa), PNEUMONIA from 35.5% on (operating point balanced)",
        "  uncertain from 7.11% to 75%",
        "  engine    scripted 1.0, 1 thread",
        "  Research software, not a medical device.",
        "edge-pneumo watches in",
        "  findings  out",
        "  model     scripted (aaaaaaaaaaaa), PNEUMONIA from 5% on (operating point screening)",
        "  engine    scripted 1.0, 1 thread",
        "  Research software, not a medical device.",
    ]


def test_colour_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    out, file = Tty(), io.StringIO()

    Terminal(out).accept(classified())
    Terminal(file).accept(classified())
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Tty()
    Terminal(plain).accept(classified())

    assert "\x1b[31mPNEUMONIA\x1b[0m" in out.getvalue()
    assert "\x1b" not in file.getvalue() + plain.getvalue()
    assert re.sub("\x1b\\[\\d*m", "", out.getvalue()) == file.getvalue()


def test_a_file_name_cannot_write_on_the_terminal() -> None:
    out = io.StringIO()

    Terminal(out).accept(classified("a\n\x1b[2Jü.png"))

    assert out.getvalue().endswith("  a\\n\\x1b[2Jü.png\n")
    assert out.getvalue().count("\n") == 1


def test_a_terminal_that_cannot_show_a_name_shows_its_bytes() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")

    Terminal(out).accept(classified("ü.png"))

    out.seek(0)
    assert out.read().endswith("\\xfc.png\n")


def test_a_closed_pipe_is_no_reason_to_stop() -> None:
    terminal = Terminal(Closed())

    terminal.accept(classified())
    terminal.note("something")
    terminal.end()

    assert terminal._counts == {"classified": 1}
