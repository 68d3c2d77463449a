"""``docs/model-card.md`` from ``docs/model-card.json``: the same figures give the same bytes."""

import textwrap
from collections.abc import Iterable, Sequence
from statistics import mean, stdev

from convert.card import prose
from convert.card.card import Card, Recipe, Seed
from convert.card.figures import Figures
from convert.card.occlusion import Against, Occlusion
from convert.statistics import Area, Mean, Share

_WIDTH = 120
_ANSWERS = ("normal", "bacterial", "viral", "refused")
_TRUTHS = ("normal", "bacterial", "viral", "pneumonia")


def page(card: Card, seeds: Sequence[Seed] = ()) -> bytes:
    """The page, UTF-8; of the seeds, those of the recipe that the model is named by."""
    ill = sum(count for label, count in card.test.images.items() if label != "normal")
    prevalence = f"{ill / sum(card.test.images.values()):.0%}"
    parts = [
        f"# Model card: edge-pneumo, bundle `{card.model.name}`",
        "Written by `make card` from the `.json` file beside it, which holds every figure: do not edit it.",
        prose.INTRODUCTION,
        "## What it is for",
        prose.INTENDED,
        "## Where it must not be used",
        prose.NOT_INTENDED.format(prevalence=prevalence),
        "## How good it is",
        *_results(card),
        "## Compared with published figures",
        "On the same test split:",
        _published(card.test),
        "## Where it fails",
        *_failures(card.test),
        prose.LIMITS,
        "## What the heat map is worth",
        *_heat_map(card),
        "## Data",
        prose.DATA,
        *_counts(card),
        "## How it was made",
        *_made(card),
        *_seeds([seed for seed in seeds if seed.recipe == card.model.name]),
    ]
    return ("\n\n".join(_filled(part.strip("\n")) for part in parts) + "\n").encode()


def _filled(part: str) -> str:
    """A paragraph that figures made too long, in lines again; tables, headings and code as they are."""
    if part.startswith(("|", "#", "```")) or max(map(len, part.splitlines())) <= _WIDTH:
        return part
    return textwrap.fill(" ".join(part.split()), _WIDTH, break_long_words=False, break_on_hyphens=False)


def _results(card: Card) -> list[str]:
    sets = {"test": card.test} | ({"validation": card.validation} if card.validation else {})
    name = card.model.default_operating_point
    about = (
        "The int8 bundle, run by the device's own code on every radiograph of the official test split, operating point "
        f"`{name}`"
    )
    also = ", and on the images cut from train by patient that validated it." if card.validation else "."
    rows: list[tuple[str, ...]] = [
        ("radiographs", *(f"{sum(found.images.values())}" for found in sets.values())),
        ("right", *(_share(found.accuracy) for found in sets.values())),
        ("sensitivity", *(_share(found.sensitivity) for found in sets.values())),
        ("specificity", *(_share(found.specificity) for found in sets.values())),
        ("AUC", *(_area(found.auc) for found in sets.values())),
        ("Brier score", *(f"{found.brier:.4f}" for found in sets.values())),
        ("expected calibration error, 15 bins", *(f"{found.calibration_error:.3f}" for found in sets.values())),
        ("bacterial against viral, right", *(_share(f.types.right) if f.types else "" for f in sets.values())),
        ("bacterial against viral, AUC", *(_area(f.types.auc) if f.types else "" for f in sets.values())),
        ("refused", *(_refused(found) for found in sets.values())),
        ("corrected before the answer", *(str(found.corrected) for found in sets.values())),
    ]
    parts = [about + also + " " + prose.INTERVALS, _table(("", *sets), rows)]
    points = [
        (f"`{key}`", f"{point.threshold:.3f}", _share(point.sensitivity), _share(point.specificity))
        for key, point in card.test.points.items()
    ]
    parts += [
        "Operating points, fixed without the test split, on test:",
        _table(("", "from a probability of", "sensitivity", "specificity"), points),
        "By type, on test (rows: the truth; columns: the answer):",
        _confusion(card.test),
    ]
    if card.test.uncertain:
        band = card.test.uncertain
        parts.append(
            f"From a probability of {band.low:.3f} to {band.high:.3f} a finding is marked *uncertain*. On test that is "
            f"{_share(band.inside)} of the answers. Wrong inside: {_share(band.wrong_inside)}; outside: "
            f"{_share(band.wrong_outside)}."
        )
    return parts


def _refused(found: Figures) -> str:
    count = sum(found.refused.values())
    return f"{count} ({_listed(found.refused)})" if count else "0"


def _confusion(found: Figures) -> str:
    columns = [name for name in _ANSWERS if any(name in row for row in found.confusion.values())]
    rows = [
        (truth, *(str(found.confusion[truth].get(name, 0)) for name in columns))
        for truth in _TRUTHS
        if truth in found.confusion
    ]
    return _table(("", *columns), rows)


def _published(found: Figures) -> str:
    types = f"{found.types.right.value:.1%}, AUC {_number(found.types.auc)}" if found.types else ""
    return (
        prose.PUBLISHED
        + f"| this bundle, int8, on the device | {found.accuracy.value:.1%} | {_number(found.auc)} | {types} |"
    )


def _failures(found: Figures) -> list[str]:
    normal = found.confusion.get("normal", {})
    false_alarms = normal.get("bacterial", 0) + normal.get("viral", 0)
    missed = {
        truth: found.confusion[truth].get("normal", 0)
        for truth in _TRUTHS
        if truth != "normal" and found.confusion.get(truth, {}).get("normal")
    }
    parts = [
        f"Of {sum(found.images.values())} test radiographs it calls {false_alarms} normal ones pneumonia and "
        f"{sum(missed.values())} pneumonias normal{f' ({_listed(missed)})' if missed else ''}. With the data set "
        "`make card` draws them all with their heat maps into `card/failures.png`, for those who have the set."
    ]
    if found.reasons:
        reasons = "; ".join(f"{reason} ({count})" for reason, count in found.reasons.items())
        parts.append(f"Why radiographs were refused: {reasons}.")
    return parts


def _heat_map(card: Card) -> list[str]:
    evidence = card.test.evidence
    parts = [
        f"On test the mean of the map differs from the log odds by {evidence.largest_difference:.3f} at most; rounding "
        f"to integers explains up to {evidence.rounding:.3f}."
    ]
    if card.occlusion:
        parts = [prose.OCCLUSION, _occlusion(card.occlusion), *parts]
    return parts


def _occlusion(found: Occlusion) -> str:
    rows = [
        ("the hottest tenth", _mean(found.hottest), "", ""),
        (f"the same outline elsewhere, {found.draws} draws", *_against(found.random)),
        (f"the hottest tenth of another, {found.draws} draws", *_against(found.borrowed)),
    ]
    head = (f"covered, in {found.images} pneumonias of test", "log odds fall by", "the hottest: further by", "in")
    return _table(head, rows)


def _against(found: Against) -> tuple[str, str, str]:
    return _mean(found.drop), _mean(found.difference), _share(found.wins)


def _counts(card: Card) -> list[str]:
    sets = dict(card.recipe.images) if card.recipe else {}
    sets |= {"test": card.test.images} | ({"validation": card.validation.images} if card.validation else {})
    order = [name for name in ("train", "validation", "test") if name in sets]
    rows = [(name, *(str(sets[name].get(label, 0)) for label in _TRUTHS[:3])) for name in order]
    return [_table(("images", *_TRUTHS[:3]), rows)]


def _made(card: Card) -> list[str]:
    model = card.model
    rows = [
        ("bundle", f"`{model.name}.tflite`, {model.bytes / 1e6:.1f} MB, made {model.created}"),
        ("SHA-256", f"`{model.sha256}`"),
        (
            "network",
            f"VGG-16 with class activation maps, int8, {model.input[0]} x {model.input[1]} pixels, one channel",
        ),
        ("quantizer", model.route),
        ("temperature", f"{model.temperature:.3f}"),
        ("trained model, SHA-256", f"`{model.source_sha256}`"),
    ]
    if model.data_manifest_sha256:
        rows.append(("data manifest, SHA-256", f"`{model.data_manifest_sha256}`"))
    if "flips" in model.parity and "images" in model.parity:
        rows.append(
            (
                "rounded to int8",
                f"{model.parity['flips']} of {model.parity['images']} validation labels change; "
                f"right {model.parity.get('float_right')} before, {model.parity.get('int8_right')} after",
            )
        )
    rows += [
        ("made with", _versions(model.versions)),
        ("measured with", f"{card.engine}, {_versions(card.versions)}"),
        ("test files, SHA-256", f"`{card.test.files_sha256}`"),
    ]
    return [_table(("", ""), rows), *(_recipe(card.recipe) if card.recipe else [])]


def _recipe(recipe: Recipe) -> list[str]:
    return [
        f"The recipe (seed {recipe.seed}, {recipe.backend}, {recipe.precision}; [training](training.md), "
        "[converting](converting.md), [every look at test](../train/RUNS.md)):",
        f"```toml\n{recipe.text.strip()}\n```",
    ]


def _seeds(seeds: Sequence[Seed]) -> list[str]:
    if not seeds:
        return []
    return [
        "## Several seeds",
        "Trainings of this recipe with several seeds, judged on test in float:",
        _table(("seed", "right", "AUC", "sensitivity", "specificity"), _seed_rows(seeds)),
    ]


def _seed_rows(seeds: Sequence[Seed]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        (
            str(row.seed),
            f"{row.right} of {row.images}",
            f"{row.auc:.4f}",
            f"{row.sensitivity:.3f}",
            f"{row.specificity:.3f}",
        )
        for row in seeds
    ]
    if len(seeds) > 1:
        columns = [[getattr(row, name) for row in seeds] for name in ("right", "auc", "sensitivity", "specificity")]
        for name, of in (("mean", mean), ("standard deviation", stdev)):
            values = (f"{of(column):.{digits}f}" for column, digits in zip(columns, (1, 4, 3, 3), strict=True))
            rows.append((f"**{name}**", *values))
    return rows


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [tuple(head), tuple("---" for _ in head), *(tuple(row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |".replace("| --- ", "|---").replace("--- |", "---|") for line in lines)


def _share(found: Share) -> str:
    if not found.of:
        return "none"
    return f"{found.count} of {found.of} ({found.value:.1%}, {found.low:.1%} to {found.high:.1%})"


def _area(found: Area | None) -> str:
    if found is None:
        return ""
    return _number(found) + ("" if found.low is None else f" ({found.low:.4f} to {found.high:.4f})")


def _number(found: Area | None) -> str:
    return "" if found is None else f"{found.value:.4f}"


def _mean(found: Mean) -> str:
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())
