"""The words of ``edge-pneumo status``: for a person who runs the machine and is no statistician."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from edge_runtime.drift import FEWEST, MODERATE, SHIFTED
from edge_runtime.health import watcher

_VERDICTS = {"like": "as in validation", "moderate": "somewhat different", "shifted": "DIFFERENT"}

_DISTANCE = {
    "shifted": (
        "{Radiographs} no longer look like those the model was validated on: check the exposure, the settings of the "
        "detector and of its image processing, and whether anything but frontal chest radiographs of children arrives; "
        "look at some of them. Until the cause is known, do not rely on the answers."
    ),
    "moderate": "{Radiographs} look somewhat different from those the model was validated on: look at some of them.",
    "like": "{Radiographs} look like those the model was validated on.",
}
_PROBABILITY = {
    "shifted": (
        "{Answers} are not spread as in validation, whatever the share of pneumonia: the patients are others (their "
        "age, other diseases), the pictures are, or the model answers differently. Have a radiologist check a sample "
        "of the answers; until the cause is known, do not rely on them."
    ),
    "moderate": (
        "{Answers} are spread somewhat differently from those in validation, whatever the share of pneumonia: have a "
        "radiologist check a sample of them."
    ),
}
_MIX = (
    "A share of {mix:.0%} pneumonia explains {answers} best. Another share than in validation is no drift: it depends "
    "on the patients. That the answers are right it does not say."
)


def describe(status: dict[str, Any]) -> str:
    """The status for a person, a dozen lines of text.

    Args:
        status: What ``status.look`` found.
    """
    today, lately, in_all = status["today"], status["last_days"], status["in_all"]
    last = status["last_answer"]
    names = ("today", _last_days(status["days"]))
    lines = [
        f"results      {_one_line(status['results'])}",
        f"model        {status['model']['name']} ({status['model']['sha256'][:12]})",
        f"last answer  {'none yet' if last is None else _local(last)}",
        *watcher.describe(status["watcher"], status["disk"]),
        "",
        *_table((*names, "in all"), (today, lately, in_all)),
    ]
    for name, period in ((names[1], lately), ("in all", in_all)):
        if period["reasons"]:
            reasons = "; ".join(f"{count} x {_one_line(reason)}" for reason, count in period["reasons"])
            lines += ["", f"rejected most often, {name}: {reasons}"]
            break
    lines += ["", *_drift(status, names), "", status["notice"]]
    return "\n".join(lines)


def _table(headings: Sequence[str], tallies: Sequence[dict[str, Any]]) -> list[str]:
    rows = [
        ("", *headings),
        ("answered", *(str(tally["classified"] + tally["rejected"]) for tally in tallies)),
        ("  classified", *(str(tally["classified"]) for tally in tallies)),
        ("    PNEUMONIA", *(_share(tally["pneumonia"], tally["classified"]) for tally in tallies)),
        ("    uncertain", *(_share(tally["uncertain"], tally["judged"]) for tally in tallies)),
        ("  rejected", *(str(tally["rejected"]) for tally in tallies)),
    ]
    return [f"{name:<13}" + "".join(f"{value:>16}" for value in values) for name, *values in rows]


def _drift(status: dict[str, Any], names: Sequence[str]) -> list[str]:
    if status["no_comparison"] is not None:
        return [f"Drift is not measured: {status['no_comparison']}."]
    periods = (status["today"], status["last_days"])
    lines = [f"drift (population stability index: below {MODERATE} stable, above {SHIFTED} shifted)"]
    for quantity in ("distance", "probability"):
        for name, period in zip(names, periods, strict=True):
            lines.append(f"  {quantity + ', ' + name:<27}{_comparison(period['drift'][quantity])}")
    lines += ["", *_sentences(names, periods)]
    others = status["last_days"]["of_other_models"]
    if others:
        lines.append(
            f"{others} of the answers, {names[1]}, are another model's and in no comparison: "
            "name its bundle with --bundle."
        )
    return lines


def _comparison(found: dict[str, Any]) -> str:
    if found["verdict"] == "too few":
        return f"too few to say: {found['count']}, and {FEWEST} are needed"
    return (
        f"{found['index']:.2f}, by chance up to {found['limit']:.2f} ({found['count']} radiographs): "
        f"{_VERDICTS[found['verdict']]}"
    )


def _sentences(names: Sequence[str], periods: Sequence[dict[str, Any]]) -> list[str]:
    """What is different, for each of the periods; where nothing is, the news of the nearest that can be judged."""
    said: list[str] = []
    good: list[str] = []
    mixes: list[str] = []
    for name, period in zip(names, periods, strict=True):
        distance, probability = period["drift"]["distance"], period["drift"]["probability"]
        words = _subjects(name)
        if distance["verdict"] in ("moderate", "shifted"):
            said.append(_DISTANCE[distance["verdict"]].format(**words))
        elif distance["verdict"] == "like":
            good.append(_DISTANCE["like"].format(**words))
        if probability["verdict"] in _PROBABILITY:
            said.append(_PROBABILITY[probability["verdict"]].format(**words))
        if probability["mix"] is not None:
            mixes.append(_MIX.format(mix=probability["mix"], **words))
    none = [f"Too few radiographs to say whether they look like those the model was validated on: {FEWEST} are needed."]
    return [*(said or good[:1] or none), *mixes[:1]]


def _subjects(name: str) -> dict[str, str]:
    if name == "today":
        return {"Radiographs": "Today's radiographs", "Answers": "Today's answers", "answers": "today's answers"}
    of = f"of the {name}"
    return {"Radiographs": f"The radiographs {of}", "Answers": f"The answers {of}", "answers": f"the answers {of}"}


def _last_days(days: int) -> str:
    return "last day" if days == 1 else f"last {days} days"


def _share(part: int, whole: int) -> str:
    return f"{part} ({part / whole:.0%})" if whole else "-"


def _local(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _one_line(text: str) -> str:
    # A folder's name and a reason may hold line ends and escape sequences.
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
