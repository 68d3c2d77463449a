"""The answer to one file, the same in every place: its fields, its JSON, its JSON Schema.

``python -m edge_runtime.finding`` prints the JSON Schema.
"""

import os
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

SCHEMA: Final = "edge-pneumo/finding/1"
NOTICE = "Research software, not a medical device."
HEATMAP_SUFFIX: Final = ".heatmap.png"
"""Of the heat map beside a finding."""
FILM_KEYWORD: Final = b"edge-pneumo-film"
"""Of the text chunk in which a PNG carries a ``Film``."""

Label = Literal["NORMAL", "PNEUMONIA"]
Status = Literal["classified", "rejected"]
Confidence = Literal["certain", "uncertain"]
Grade = Literal["good", "fair", "poor"]
Probability = Annotated[float, Meta(ge=0.0, le=1.0)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Timestamp = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Milliseconds = Annotated[float, Meta(ge=0.0)]
Distance = Annotated[float, Meta(ge=0.0)]


class Types(msgspec.Struct, frozen=True, kw_only=True):
    """How the probability of pneumonia divides between its two types; the two add up to it."""

    bacterial: Probability
    viral: Probability


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """The bundle that answered."""

    name: str
    sha256: Annotated[Sha256, Meta(description="of the bundle file")]


class Film(msgspec.Struct, frozen=True, kw_only=True):
    """How a film was photographed, where a camera of ``edge-pneumo watch --camera`` did."""

    sharpness: Annotated[float, Meta(ge=0.0, description="of the finest structure against the next coarser one")]
    glare: Annotated[Probability, Meta(description="share of the film that a reflection hides")]
    inverted: Annotated[bool, Meta(description="the film showed black for white and was turned into a positive")]
    grade: Annotated[Grade, Meta(description="of the photograph; a poor one is rejected")]
    camera: Annotated[str, Meta(max_length=200, description="what photographed it")]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What edge-pneumo says about one file. It describes a picture and is no diagnosis of a person."""

    schema: Annotated[Literal["edge-pneumo/finding/1"], Meta(description="the version of these fields")] = SCHEMA
    source: Annotated[
        str, Meta(description="the file, as it was named to the program; bytes that are not UTF-8 appear as \\xNN")
    ]
    sha256: Annotated[Sha256 | None, Meta(description="of the file's bytes; null when they could not be read")]
    status: Annotated[Status, Meta(description="classified: answered; rejected: not answered, for the reason given")]
    reason: Annotated[str | None, Meta(description="why the file was rejected, in words; else null")]
    label: Annotated[
        Label | None,
        Meta(description="PNEUMONIA where the probability reaches the model's threshold; null if rejected"),
    ]
    probability: Annotated[
        Probability | None, Meta(description="of pneumonia, calibrated, to 6 decimals; null if rejected")
    ]
    types: Annotated[
        Types | None, Meta(description="probability of bacterial and of viral pneumonia; null if rejected")
    ]
    operating_point: Annotated[
        str | None, Meta(description="name of the decision threshold that was used; null if rejected")
    ] = None
    threshold: Annotated[
        Probability | None, Meta(description="probability from which the label is PNEUMONIA; null if rejected")
    ] = None
    confidence: Annotated[
        Confidence | None,
        Meta(
            description="uncertain: the probability lies where the model is often wrong; null if rejected, or if that "
            "was not measured for this model"
        ),
    ] = None
    distance: Annotated[
        Distance | None,
        Meta(description="from the radiographs the model learned from; above 1 is refused; null if not reached"),
    ] = None
    notes: Annotated[tuple[str, ...], Meta(description="what was corrected before the answer, in words")] = ()
    same_as: Annotated[
        str | None,
        Meta(
            description="the file with the same bytes, by its source, whose answer this is: the model was not asked "
            "again; else null"
        ),
    ] = None
    film: Annotated[
        Film | None, Meta(description="how a camera of this program photographed the film; null for every other file")
    ] = None
    model: Model
    engine: Annotated[str, Meta(description="the inference library, its version and its number of threads")]
    received: Annotated[Timestamp, Meta(description="when the file was met; RFC 3339, UTC")]
    finished: Annotated[Timestamp, Meta(description="when the answer was ready; RFC 3339, UTC")]
    milliseconds: Annotated[
        dict[str, Milliseconds],
        Meta(description="time spent, by stage: read, decode, prepare, screen, infer, where reached, and their total"),
    ]
    heatmap: Annotated[str | None, Meta(description="path of the heat map, a PNG; null if none was written")] = None
    notice: Annotated[str, Meta(description="what no reader of a finding should forget")] = NOTICE


def to_json(finding: Finding) -> bytes:
    """The finding as one line of UTF-8 JSON, keys in the order of the fields, without a line end."""
    return msgspec.json.encode(finding)


def from_json(data: bytes | str) -> Finding:
    """Read and check a finding.

    Raises:
        msgspec.DecodeError: ``data`` is no JSON, or (``msgspec.ValidationError``) no finding of this schema.
    """
    try:
        return msgspec.json.decode(data, type=Finding)
    except UnicodeDecodeError as error:  # of a text inside it, which msgspec does not count as its own
        raise msgspec.DecodeError(str(error)) from error


def with_heatmap(finding: Finding, path: str | os.PathLike[str]) -> Finding:
    """The same finding, naming the heat map that was written for it."""
    return msgspec.structs.replace(finding, heatmap=printable(path))


def printable(path: str | os.PathLike[str]) -> str:
    r"""A path as text that JSON can hold: names on Linux are bytes, those that are not UTF-8 become ``\xNN``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, such as ``2024-05-01T09:30:00.125Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a finding.

    Stricter than reading is: every field is required, and ``status`` says which of them are null. Fields may be added
    without a new version, so unknown ones are allowed, and findings of an earlier version of the program, which lack
    the later fields, are read but do not follow it.
    """
    schema = msgspec.json.schema(Finding, ref_template="#/$defs/{name}")
    for definition in schema["$defs"].values():
        definition["required"] = list(definition["properties"])
        for field in definition["properties"].values():
            field.pop("default", None)
    answers = ("label", "probability", "types", "operating_point", "threshold")
    finding = schema["$defs"].pop("Finding")
    finding["properties"]["notice"]["const"] = NOTICE
    finding["if"] = {"properties": {"status": {"const": "classified"}}}
    finding["then"] = {
        "properties": {"reason": {"type": "null"}, "distance": {"maximum": 1}}
        | {name: {"not": {"type": "null"}} for name in answers}
    }
    finding["else"] = {
        "properties": {"reason": {"type": "string"}} | {name: {"type": "null"} for name in (*answers, "confidence")}
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
        **finding,
        "$defs": schema["$defs"],
    }


def json_schema_text() -> str:
    """``json_schema()`` as it stands in ``docs/finding.schema.json``."""
    return msgspec.json.format(msgspec.json.encode(json_schema()), indent=2).decode() + "\n"


if __name__ == "__main__":
    print(json_schema_text(), end="")
