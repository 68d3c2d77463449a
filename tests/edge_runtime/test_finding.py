import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from edge_runtime.finding import (
    NOTICE,
    Finding,
    Model,
    Types,
    from_json,
    json_schema,
    json_schema_text,
    printable,
    timestamp,
    to_json,
    with_heatmap,
)

SCHEMA_FILE = Path(__file__).parents[2] / "docs" / "finding.schema.json"

CLASSIFIED = Finding(
    source="incoming/a.jpeg",
    sha256="1" * 64,
    status="classified",
    reason=None,
    label="PNEUMONIA",
    probability=0.75,
    types=Types(bacterial=0.5, viral=0.25),
    operating_point="balanced",
    threshold=0.5,
    confidence="certain",
    distance=0.5,
    notes=("taken for inverted",),
    model=Model(name="full", sha256="2" * 64),
    engine="scripted 1.0, 1 thread",
    received="2024-05-01T09:30:00.000Z",
    finished="2024-05-01T09:30:00.125Z",
    milliseconds={"decode": 12.5, "total": 125.0},
)
REJECTED = msgspec.structs.replace(
    CLASSIFIED,
    status="rejected",
    reason="empty file",
    label=None,
    probability=None,
    types=None,
    operating_point=None,
    threshold=None,
    confidence=None,
    distance=None,
)
# As version 0.1.0 wrote it.
OLD = b"""{"schema":"edge-pneumo/finding/1","source":"a.jpeg","sha256":null,"status":"classified","reason":null,
"label":"NORMAL","probability":0.25,"types":{"bacterial":0.125,"viral":0.125},"model":{"name":"full","sha256":"%s"},
"engine":"scripted 1.0, 1 thread","received":"2024-05-01T09:30:00.000Z","finished":"2024-05-01T09:30:00.125Z",
"milliseconds":{"total":125.0},"heatmap":null,"notice":"Research software, not a medical device."}""" % (b"2" * 64)


def as_dict(finding: Finding) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(to_json(finding))
    return loaded


def validate(document: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(json_schema(), format_checker=jsonschema.FormatChecker()).validate(document)


def test_keys_are_in_the_documented_order() -> None:
    keys = list(as_dict(CLASSIFIED))

    assert keys == [
        "schema",
        "source",
        "sha256",
        "status",
        "reason",
        "label",
        "probability",
        "types",
        "operating_point",
        "threshold",
        "confidence",
        "distance",
        "notes",
        "same_as",
        "film",
        "model",
        "engine",
        "received",
        "finished",
        "milliseconds",
        "heatmap",
        "notice",
    ]


@pytest.mark.parametrize("finding", [CLASSIFIED, REJECTED])
def test_json_comes_back_as_the_same_finding(finding: Finding) -> None:
    assert from_json(to_json(finding)) == finding


def test_json_is_one_line_and_says_what_it_is_not() -> None:
    line = to_json(CLASSIFIED)

    assert b"\n" not in line
    assert json.loads(line)["notice"] == NOTICE == "Research software, not a medical device."


@pytest.mark.parametrize("finding", [CLASSIFIED, REJECTED, with_heatmap(CLASSIFIED, "maps/a.jpeg.heatmap.png")])
def test_findings_follow_their_schema(finding: Finding) -> None:
    validate(as_dict(finding))


@pytest.mark.parametrize(
    "change",
    [
        {"label": None},
        {"reason": "classified, and yet a reason"},
        {"probability": 1.5},
        {"label": "BACTERIAL"},
        {"sha256": "abc"},
        {"schema": "edge-pneumo/finding/2"},
        {"types": {"bacterial": 0.5}},
        {"milliseconds": {"total": -1}},
        {"notice": "A medical device."},
        {"operating_point": None},
        {"threshold": None},
        {"threshold": -0.1},
        {"confidence": "high"},
        {"distance": 1.01},
        {"distance": -1},
        {"notes": None},
        {"notes": [3]},
    ],
)
def test_schema_refuses_what_is_no_finding(change: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate(as_dict(CLASSIFIED) | change)


@pytest.mark.parametrize(
    "answer",
    [{"label": "NORMAL"}, {"operating_point": "balanced"}, {"threshold": 0.5}, {"confidence": "certain"}],
)
def test_schema_refuses_a_rejection_with_an_answer(answer: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate(as_dict(REJECTED) | answer)


@pytest.mark.parametrize(
    "finding",
    [
        msgspec.structs.replace(CLASSIFIED, confidence=None, distance=None),
        msgspec.structs.replace(REJECTED, distance=3.5),
    ],
)
def test_schema_allows_what_a_model_may_not_know_and_a_refusal_may(finding: Finding) -> None:
    validate(as_dict(finding))


def test_a_finding_of_an_earlier_version_is_read() -> None:
    finding = from_json(OLD)

    assert (finding.label, finding.probability) == ("NORMAL", 0.25)
    assert (finding.operating_point, finding.threshold, finding.confidence) == (None, None, None)
    assert (finding.distance, finding.notes) == (None, ())


@pytest.mark.parametrize("key", list(as_dict(CLASSIFIED)))
def test_schema_requires_every_key(key: str) -> None:
    document = as_dict(CLASSIFIED)
    del document[key]

    with pytest.raises(jsonschema.ValidationError):
        validate(document)


def test_schema_file_is_the_one_of_the_code() -> None:
    assert SCHEMA_FILE.read_text() == json_schema_text(), (
        "run: python -m edge_runtime.finding > docs/finding.schema.json"
    )


def test_module_prints_the_schema() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "edge_runtime.finding"], capture_output=True, text=True, check=True
    ).stdout

    assert printed == json_schema_text()


def test_timestamps_are_utc_with_milliseconds() -> None:
    moment = datetime(2024, 5, 1, 11, 30, 0, 125_900, tzinfo=timezone(timedelta(hours=2)))

    assert timestamp(moment) == "2024-05-01T09:30:00.125Z"
    assert timestamp(datetime(2024, 5, 1, tzinfo=UTC)) == "2024-05-01T00:00:00.000Z"


def test_a_name_that_is_not_utf8_can_be_written() -> None:
    name = b"r\xf6ntgen.png".decode("utf-8", "surrogateescape")

    finding = msgspec.structs.replace(CLASSIFIED, source=printable(name))

    assert as_dict(finding)["source"] == r"r\xf6ntgen.png"


def test_from_json_refuses_another_version() -> None:
    with pytest.raises(msgspec.ValidationError):
        from_json(to_json(CLASSIFIED).replace(b"finding/1", b"finding/2"))


def test_the_documented_example_is_a_finding_and_every_key_is_explained() -> None:
    text = SCHEMA_FILE.with_name("finding.md").read_text()
    example = json.loads(text.split("```json\n")[1].split("```")[0])

    validate(example)
    assert list(example) == list(as_dict(CLASSIFIED))
    explained = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]
    assert explained == list(example)


def test_what_is_no_utf_8_is_no_finding() -> None:
    with pytest.raises(msgspec.DecodeError, match="utf-8"):
        from_json(b'{"schema": "\xff"}')
