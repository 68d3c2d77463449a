"""The parity report: ``.parity.json``, and ``.parity.html`` for a person: one file, no script, nothing fetched."""

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from convert.parity import Case, Parity

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --line: #d0d7de; --faint: #57606a;
  --a: #0a5fb4; --b: #b3400a; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #0d1117; --line: #30363d; --faint: #9aa4af; --a: #6cb2ff; --b: #ff9d66; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
.bad { color: var(--b); font-weight: 600; }
figure { margin: 1.5rem 0; } figcaption, .faint { color: var(--faint); }
svg { max-width: 100%; height: auto; } svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
"""
_SIZE, _MARGIN = 420, 46


def paths(bundle: Path) -> tuple[Path, Path]:
    """Where the report of a bundle goes, the record and the page: ``full.parity.json`` beside ``full.tflite``."""
    return bundle.with_name(f"{bundle.stem}.parity.json"), bundle.with_name(f"{bundle.stem}.parity.html")


def write(bundle: Path, parity: Parity, about: Mapping[str, Any], *, title: str) -> None:
    """Write the record and the page beside a bundle, named after it so that two in one folder keep theirs.

    Args:
        bundle: The bundle that the report is of, there or not.
        parity: The comparison.
        about: What was converted and how, for the reader: name to text or number.
        title: Of the page.
    """
    record = {"about": dict(about), **parity.as_json(cases=True)}
    data, page = paths(bundle)
    data.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    page.write_text(html(parity, about, title=title), encoding="utf-8")


def html(parity: Parity, about: Mapping[str, Any], *, title: str) -> str:
    """The page."""
    verdict = (
        f'<p class="bad">Not close enough: {escape("; ".join(parity.broken))}. No bundle was written.</p>'
        if parity.broken
        else "<p>Within every limit.</p>"
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title><style>{_STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<p class="faint">Research software, not a medical device.</p>
{verdict}
<h2>Float model against int8 model, {len(parity.cases)} validation images</h2>
{_measures(parity)}
<figure>{_scatter(parity)}<figcaption>Probability of pneumonia of each image: float across, int8 upwards. Dots are
radiographs labelled normal, crosses those labelled pneumonia; the lines mark the threshold.</figcaption></figure>
{_furthest(parity)}
<h2>Where the error arises</h2>
<figure>{_bars(parity)}<figcaption>Signal over rounding error of each layer's output, with what the
layers before it left, in dB; the least allowed is {parity.limits.layer_sqnr:g}.</figcaption></figure>
<h2>How it was made</h2>
<table>{_facts(about)}</table>
</body></html>
"""


def _facts(about: Mapping[str, Any]) -> str:
    return "".join(f"<tr><th>{escape(key)}</th><td>{escape(_text(value))}</td></tr>" for key, value in about.items())


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_text(item)}" for key, item in value.items())
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _measures(parity: Parity) -> str:
    n, limits = len(parity.cases), parity.limits
    drift = None if parity.float_auc is None or parity.int8_auc is None else abs(parity.float_auc - parity.int8_auc)
    rows = [
        ("Labels that change", f"{parity.flips} of {n}", f"{max(1, int(limits.flips * n))}"),
        ("Labelled right, float / int8", f"{parity.float_right} / {parity.int8_right} of {n}", ""),
        ("AUC, float / int8", f"{_number(parity.float_auc)} / {_number(parity.int8_auc)}", ""),
        ("Change of the AUC", _number(drift), f"{limits.auc_change:g}"),
        (
            "Largest change of a probability",
            f"{parity.largest_probability_change:.4f}",
            f"{limits.largest_probability_change:g}",
        ),
        (
            "Mean change of a probability",
            f"{parity.mean_probability_change:.4f}",
            f"{limits.mean_probability_change:g}",
        ),
        ("Pneumonias whose type changes", f"{parity.type_flips}", ""),
    ]
    body = "".join(
        f'<tr><th>{label}</th><td class="n">{value}</td><td class="n">{limit}</td></tr>' for label, value, limit in rows
    )
    return f"<table><tr><th>Measure</th><th>Found</th><th>At most</th></tr>{body}</table>"


def _scatter(parity: Parity) -> str:
    span = _SIZE - 2 * _MARGIN

    def at(case: Case) -> tuple[float, float]:
        return _MARGIN + case.float_probability * span, _SIZE - _MARGIN - case.int8_probability * span

    marks = []
    for case in parity.cases:
        x, y = at(case)
        if case.pneumonia:
            marks.append(f'<path d="M{x - 3:.1f} {y - 3:.1f}l6 6m0-6l-6 6" stroke="var(--b)" fill="none"/>')
        else:
            marks.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="var(--a)"/>')
    low, high = _MARGIN, _SIZE - _MARGIN
    cut = _MARGIN + parity.threshold * span
    return f"""<svg viewBox="0 0 {_SIZE} {_SIZE}" width="{_SIZE}" role="img" aria-label="Float against int8">
<g stroke="var(--line)" fill="none"><rect x="{low}" y="{low}" width="{span}" height="{span}"/>
<path d="M{low} {high}L{high} {low}"/>
<path stroke-dasharray="4 4" d="M{cut:.1f} {low}V{high}M{low} {_SIZE - cut:.1f}H{high}"/></g>
{"".join(marks)}
<text x="{_SIZE / 2}" y="{_SIZE - 12}" text-anchor="middle">float</text>
<text x="16" y="{_SIZE / 2}" text-anchor="middle" transform="rotate(-90 16 {_SIZE / 2})">int8</text>
<text x="{low}" y="{high + 16}">0</text><text x="{high}" y="{high + 16}" text-anchor="end">1</text></svg>"""


def _furthest(parity: Parity, count: int = 10) -> str:
    ordered = sorted(parity.cases, key=lambda case: -abs(case.float_probability - case.int8_probability))[:count]
    rows = "".join(
        f"<tr><td>{escape(case.file)}</td><td>{'pneumonia' if case.pneumonia else 'normal'}</td>"
        f'<td class="n">{case.float_probability:.3f}</td><td class="n">{case.int8_probability:.3f}</td>'
        f"<td>{'label changes' if _flipped(case, parity.threshold) else ''}</td></tr>"
        for case in ordered
    )
    return (
        "<h3>The images whose probability changes most</h3><table><tr><th>File</th><th>Truth</th><th>Float</th>"
        f"<th>Int8</th><th></th></tr>{rows}</table>"
    )


def _flipped(case: Case, threshold: float) -> bool:
    return (case.float_probability >= threshold) != (case.int8_probability >= threshold)


def _bars(parity: Parity) -> str:
    height, label, width = 20, 130, 560
    top = max(60.0, *(layer.sqnr for layer in parity.layers))
    least = label + max(parity.limits.layer_sqnr, 0.0) / top * (width - label - 60)
    rows = []
    for index, layer in enumerate(parity.layers):
        y, length = index * height, max(layer.sqnr, 0.0) / top * (width - label - 60)
        colour = "var(--b)" if layer.sqnr < parity.limits.layer_sqnr else "var(--a)"
        rows.append(
            f'<text x="0" y="{y + 14}">{escape(layer.name)}</text>'
            f'<rect x="{label}" y="{y + 3}" width="{length:.1f}" height="{height - 6}" fill="{colour}"/>'
            f'<text x="{label + length + 6:.1f}" y="{y + 14}">{layer.sqnr:.1f}</text>'
        )
    tall = height * len(parity.layers)
    return (
        f'<svg viewBox="0 0 {width} {tall}" width="{width}" role="img" aria-label="Signal to noise by layer">'
        f"{''.join(rows)}"
        f'<path d="M{least:.1f} 0V{tall}" stroke="var(--ink)" stroke-dasharray="3 3"/></svg>'
    )


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.4f}"
