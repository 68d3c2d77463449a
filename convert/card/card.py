"""``docs/model-card.json``: every figure of the card, and which model, recipe and files they are of."""

from pathlib import Path
from typing import Any, Literal

import msgspec

from convert.card.figures import Figures, rounded
from convert.card.occlusion import Occlusion
from edge_runtime.errors import UsageError
from edge_runtime.model.bundle import Bundle


class Model(msgspec.Struct, frozen=True):
    """The bundle that was measured; ``sha256`` is the file's."""

    name: str
    sha256: str
    bytes: int
    created: str
    route: str
    input: tuple[int, int]
    temperature: float
    default_operating_point: str
    source_sha256: str
    data_manifest_sha256: str | None
    versions: dict[str, str]
    parity: dict[str, int | float | None]


class Recipe(msgspec.Struct, frozen=True):
    """What trained the model: the recipe as text, the seed, and the images of each split by label."""

    text: str
    seed: int
    backend: str
    precision: str
    images: dict[str, dict[str, int]]


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """The card.

    Attributes:
        model: What was measured.
        engine: What ran it, with its version.
        versions: Of the packages that measured.
        recipe: What trained it; ``None`` where the run's folder was not given.
        test: On the official test split.
        validation: On the run's validation images; ``None`` where they are not known.
        validation_files: Their paths below the data set's root.
        occlusion: On the test split's pneumonias.
    """

    schema: Literal["edge-pneumo/model-card/1"] = "edge-pneumo/model-card/1"
    model: Model
    engine: str
    versions: dict[str, str]
    recipe: Recipe | None
    test: Figures
    validation: Figures | None
    occlusion: Occlusion | None
    validation_files: tuple[str, ...]


class Seed(msgspec.Struct, frozen=True):
    """One training of a recipe, judged on test in float; a row of ``train/seeds.json``."""

    recipe: str
    seed: int
    right: int
    images: int
    auc: float
    sensitivity: float
    specificity: float


_PARITY = (
    "images",
    "flips",
    "float_right",
    "int8_right",
    "float_auc",
    "int8_auc",
    "largest_probability_change",
    "mean_probability_change",
)


def describe(bundle: Bundle) -> Model:
    """The card's words about a bundle."""
    info = bundle.info
    return Model(
        name=info.name,
        sha256=bundle.sha256,
        bytes=bundle.path.stat().st_size,
        created=info.created,
        route=info.route,
        input=(info.input.height, info.input.width),
        temperature=info.temperature,
        default_operating_point=info.default_operating_point,
        source_sha256=info.source_sha256,
        data_manifest_sha256=info.data_manifest_sha256,
        versions=info.versions,
        parity={key: bundle.parity[key] for key in _PARITY if key in bundle.parity},
    )


def encode(card: Card) -> bytes:
    """The file's bytes; the same card gives the same."""
    tree: Any = rounded(msgspec.to_builtins(card))
    return msgspec.json.format(msgspec.json.encode(tree), indent=2) + b"\n"


def read(path: Path) -> Card | None:
    """A card that was written, or ``None`` where there is none.

    Raises:
        UsageError: It is damaged, or of another version.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Card)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"{path} holds no card that can be read ({error}): restore it, or remove it.") from error


def read_seeds(path: Path) -> tuple[Seed, ...]:
    """The seeds' table; none where there is no file.

    Raises:
        UsageError: It is damaged.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[Seed, ...])
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"{path} holds no table of seeds ({error}): restore it, or remove it.") from error
