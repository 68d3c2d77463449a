import io
import json
from pathlib import Path

import pytest

from benchmarks import peers
from benchmarks.peers import Peer
from benchmarks.worker import serve


def answers(peer: str, bundle: Path, questions: str) -> list[dict[str, object]]:
    said = io.StringIO()
    serve(peer, bundle, 1, io.StringIO(questions), said)
    return [json.loads(line) for line in said.getvalue().splitlines()]


def test_a_peer_names_itself_answers_and_is_timed_as_often_as_asked(tiny_bundle: Path) -> None:
    ready, first, second = answers("litert", tiny_bundle, "2\n5\n")

    assert str(ready["name"]).startswith("ai-edge-litert ")
    assert [len(row) for row in ready["logits"]] == [3, 3, 3]  # type: ignore[attr-defined]
    assert [len(said["milliseconds"]) for said in (first, second)] == [2, 5]  # type: ignore[arg-type]


def test_a_peer_that_is_not_installed_says_which_module_is_missing(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(peers.PEERS, "absent", Peer("benchmarks.peers.litert", ("no_such_library",), "pip install it"))

    assert answers("absent", tiny_bundle, "3\n") == [{"missing": "No module named 'no_such_library'"}]


def test_a_peer_without_its_model_says_so(tiny_bundle: Path) -> None:
    (said,) = answers("litert-float32", tiny_bundle, "3\n")

    assert said == {"failed": "there is no float model tests/parity/tiny-float16.tflite"}
