"""The report of a run: metrics.json for programs, report.html for people, its pictures beside it."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from train import plots, points
from train.evaluate import Figures, Share
from train.fit import Epoch
from train.judge import Judgement, Scored, Types, WithoutAcquisition

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
        "default_operating_point": judgement.points.default,
        "operating_points": {name: _point(judgement, name) for name in judgement.points.thresholds},
        "uncertain": _band(judgement),
        "validation": judgement.validation.figures,
        "validation_types": judgement.types,
        "validation_without_acquisition": judgement.without_acquisition,
        "validation_under_shift": {name: scored.figures for name, scored in judgement.shifted.items()},
    }
    if judgement.test:
        found |= {"test": judgement.test.figures, "test_types": judgement.test_types}
    return found


def _point(judgement: Judgement, name: str) -> dict[str, object]:
    threshold = judgement.points.thresholds[name]
    found: dict[str, object] = {
        "threshold": threshold,
        "validation": points.point_figures(threshold, judgement.validation.answers, _shifted(judgement)),
    }
    if judgement.test:
        found["test"] = points.point_figures(threshold, judgement.test.answers)
    return found


def _band(judgement: Judgement) -> dict[str, object]:
    chosen = judgement.points
    found: dict[str, object] = {
        "low": chosen.uncertain.low,
        "high": chosen.uncertain.high,
        "validation": points.band_figures(chosen, judgement.validation.answers),
        "validation_under_shift": points.shifted_band_figures(chosen, _shifted(judgement)),
    }
    if judgement.test:
        found["test"] = points.band_figures(chosen, judgement.test.answers)
    return found


def _shifted(judgement: Judgement) -> dict[str, points.Answers]:
    return {change: scored.answers for change, scored in judgement.shifted.items()}


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
of {judgement.temperature:.3f}; ECE is their expected calibration error over 15 bins, Brier their mean squared
error.</p>
<h2>Operating points</h2>
{_points_table(judgement)}
<p>Balanced is fitted to nothing. Screening and confirm are chosen on validation so that under none of its changes the
sensitivity, or the specificity, is below {points.LEAST_SENSITIVITY:g}, or {points.LEAST_SPECIFICITY:g}.</p>
<h2>Uncertain answers</h2>
{_band_table(judgement)}
<p>An answer is uncertain from a probability of {judgement.points.uncertain.low:g} to
{judgement.points.uncertain.high:g}: where the operating points disagree. Under shift the figures are means over the
changes, without an interval, because every change shows the same patients.</p>
<h2>Bacterial against viral</h2>
{_types_table(judgement)}
<p><img src="learning-curves.png" alt="Learning curves"></p>
<p><img src="roc.png" alt="ROC"> <img src="reliability.png" alt="Reliability">
<img src="confusion.png" alt="Confusion matrix"></p>
<h2>Validation under shift</h2>
<table>{head}{shifts}</table>
<h2>How radiographs were taken</h2>
{_acquisition(judgement.without_acquisition)}
<h2>Data and command</h2>
<table><tr><th></th>{"".join(f"<th>{label}</th>" for label in _LABELS)}</tr>{counts}</table>
<p>Every file with its hash, patient and split: <a href="manifest.json">manifest.json</a>. All figures:
<a href="metrics.json">metrics.json</a>. Every epoch: <a href="history.jsonl">history.jsonl</a>. The recipe:
<a href="recipe.toml">recipe.toml</a>. This run: <a href="run.json">run.json</a>.</p>
<p><code>{html.escape(run.command)}</code></p>
<p>Seed {run.seed}, {html.escape(run.precision)} on {html.escape(run.backend)}; {html.escape(versions)}.</p>
</html>
"""


_COLUMNS = ("", "right", "accuracy", "sensitivity", "specificity", "AUC", "ECE", "Brier")
_LABELS = ("normal", "bacterial", "viral", "pneumonia")


def _row(name: str, found: Figures) -> str:
    cells = (
        html.escape(name),
        f"{found.right} of {found.images}",
        *(_share(share) for share in (found.accuracy, found.sensitivity, found.specificity)),
        _auc(found),
        f"{found.calibration_error:.3f}",
        f"{found.brier:.3f}",
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _points_table(judgement: Judgement) -> str:
    rows: list[tuple[str, ...]] = []
    for name, threshold in judgement.points.thresholds.items():
        found = points.point_figures(threshold, judgement.validation.answers, _shifted(judgement))
        rows.append((name, f"{threshold:g}", "validation", _counted(found.sensitivity), _counted(found.specificity)))
        if found.worst_sensitivity and found.worst_specificity:
            worst = (found.worst_sensitivity, found.worst_specificity)
            rows.append(("", "", "its worst change", *(f"{_counted(rate.share)}, {rate.change}" for rate in worst)))
        if judgement.test:
            found = points.point_figures(threshold, judgement.test.answers)
            rows.append(("", "", "test", _counted(found.sensitivity), _counted(found.specificity)))
    return _table(("", "from", "on", "sensitivity", "specificity"), rows)


def _band_table(judgement: Judgement) -> str:
    sets = {"validation": judgement.validation} | ({"test": judgement.test} if judgement.test else {})
    rows: list[tuple[str, ...]] = []
    for name, scored in sets.items():
        found = points.band_figures(judgement.points, scored.answers)
        rows.append((name, *map(_counted, (found.inside, found.wrong_inside, found.wrong_outside))))
    shifted = points.shifted_band_figures(judgement.points, _shifted(judgement))
    shares = (shifted.inside, shifted.wrong_inside, shifted.wrong_outside)
    rows.insert(1, ("validation under shift", *(f"{share:.1%}" for share in shares)))
    worst = f"{_counted(shifted.worst_outside.share)}, {shifted.worst_outside.change}"
    rows.insert(2, ("its worst change", "", "", worst))
    return _table(("", "uncertain", "wrong among them", "wrong among the others"), rows)


def _types_table(judgement: Judgement) -> str:
    sets = {"validation": judgement.types, "test": judgement.test_types}
    rows = [(name, _counted(found.accuracy), _auc(found)) for name, found in sets.items() if found]
    return _table(("", "right", "AUC"), rows)


def _acquisition(found: WithoutAcquisition) -> str:
    return (
        "<p>Sharpness, stretch and corner marks alone, which know nothing of lungs, tell the classes of the validation "
        f"images apart with an AUC of {found.acquisition:.3f}. With the weights that training draws by they reach "
        f"{found.acquisition_weighted:.3f}, and the model {found.model_weighted:.3f}.</p>"
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows)
    return f"<table><tr>{head}</tr>" + "".join(f"<tr>{cells}</tr>" for cells in body) + "</table>"


def _counted(share: Share) -> str:
    return f"{share.count} of {share.of}, {_share(share)}"


def _auc(found: Figures | Types) -> str:
    return f"{found.auc:.3f} ({found.auc_low:.3f} to {found.auc_high:.3f})"


def _share(share: Share) -> str:
    return f"{share.value:.1%} ({share.low:.1%} to {share.high:.1%})"
