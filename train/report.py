"""The report of a run: metrics.json for programs, report.html for people, its pictures beside it."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from train import plots
from train.evaluate import Figures, Share
from train.fit import Epoch
from train.judge import Judgement, Scored

NOTICE = "Research software, not a medical device."


class Run(msgspec.Struct, frozen=True):
    """How a run came about."""

    command: str
    seed: int
    precision: str
    backend: str
    versions: dict[str, str]
    data_sha256: str
    counts: dict[str, dict[str, int]]


def write(folder: Path, judgement: Judgement, histories: Mapping[str, Sequence[Epoch]], run: Run) -> Path:
    """Write ``metrics.json``, ``run.json``, the pictures and ``report.html``; returns the page's path."""
    (folder / "metrics.json").write_bytes(msgspec.json.format(msgspec.json.encode(metrics(judgement)), indent=2))
    (folder / "run.json").write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=2))
    worst = judgement.worst_shift()
    sets = {"validation": judgement.validation, f"validation, {worst}": judgement.shifted[worst]}
    if judgement.test:
        sets["test"] = judgement.test
    plots.learning_curves(histories, folder / "learning-curves.png")
    plots.roc(sets, folder / "roc.png")
    plots.reliability(sets, folder / "reliability.png")
    plots.confusion(
        judgement.test or judgement.validation, "test" if judgement.test else "validation", folder / "confusion.png"
    )
    page = folder / "report.html"
    page.write_text(_page(judgement, sets, run), encoding="utf-8")
    return page


def metrics(judgement: Judgement) -> dict[str, object]:
    """What ``metrics.json`` holds: counts, shares and areas with 95% intervals."""
    found: dict[str, object] = {
        "notice": NOTICE,
        "temperature": judgement.temperature,
        "threshold": judgement.threshold,
        "validation": judgement.validation.figures,
        "validation_types": judgement.types,
        "validation_under_shift": {name: scored.figures for name, scored in judgement.shifted.items()},
    }
    if judgement.test:
        found |= {"test": judgement.test.figures, "test_types": judgement.test_types}
    return found


def _page(judgement: Judgement, sets: Mapping[str, Scored], run: Run) -> str:
    rows = "".join(_row(name, scored.figures) for name, scored in sets.items())
    shifts = "".join(_row(name, scored.figures) for name, scored in judgement.shifted.items())
    counts = "".join(
        f"<tr><td>{html.escape(split)}</td>" + "".join(f"<td>{of.get(label, 0)}</td>" for label in _LABELS) + "</tr>"
        for split, of in run.counts.items()
    )
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    head = "<tr>" + "".join(f"<th>{name}</th>" for name in _COLUMNS) + "</tr>"
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>edge-pneumo: training report</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
table {{ border-collapse: collapse; margin: 1rem 0 }}
th, td {{ padding: .3rem .8rem; border-bottom: 1px solid #ddd; text-align: left }}
img {{ max-width: 100% }} .notice {{ background: #fff4d6; padding: .5rem 1rem }} code {{ overflow-wrap: anywhere }}
</style>
<h1>Training report</h1>
<p class="notice">{NOTICE}</p>
<table>{head}{rows}</table>
<p>Intervals are 95% (Wilson for shares, bootstrap over images for the AUC). A radiograph is called pneumonia from a
probability of {judgement.threshold:g}, fixed before any look at test. Probabilities are calibrated with a temperature
of {judgement.temperature:.3f}. Bacterial against viral on validation: {judgement.types.right} of
{judgement.types.images} right, AUC {judgement.types.auc:.3f}{_test_types(judgement)}.</p>
<p><img src="learning-curves.png" alt="Learning curves"></p>
<p><img src="roc.png" alt="ROC"> <img src="reliability.png" alt="Reliability">
<img src="confusion.png" alt="Confusion matrix"></p>
<h2>Validation under shift</h2>
<table>{head}{shifts}</table>
<h2>Data and command</h2>
<table><tr><th></th>{"".join(f"<th>{label}</th>" for label in _LABELS)}</tr>{counts}</table>
<p>Every file with its hash, patient and split: <a href="manifest.json">manifest.json</a>. All figures:
<a href="metrics.json">metrics.json</a>. Every epoch: <a href="history.jsonl">history.jsonl</a>. The recipe:
<a href="recipe.toml">recipe.toml</a>. This run: <a href="run.json">run.json</a>.</p>
<p><code>{html.escape(run.command)}</code></p>
<p>Seed {run.seed}, {html.escape(run.precision)} on {html.escape(run.backend)}; {html.escape(versions)}.</p>
</html>
"""


_COLUMNS = ("", "right", "accuracy", "sensitivity", "specificity", "AUC", "ECE")
_LABELS = ("normal", "bacterial", "viral", "pneumonia")


def _row(name: str, found: Figures) -> str:
    cells = (
        html.escape(name),
        f"{found.right} of {found.images}",
        *(_share(share) for share in (found.accuracy, found.sensitivity, found.specificity)),
        f"{found.auc:.3f} ({found.auc_low:.3f} to {found.auc_high:.3f})",
        f"{found.calibration_error:.3f}",
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _share(share: Share) -> str:
    return f"{share.value:.1%} ({share.low:.1%} to {share.high:.1%})"


def _test_types(judgement: Judgement) -> str:
    found = judgement.test_types
    return f"; on test {found.right} of {found.images}, AUC {found.auc:.3f}" if found else ""
