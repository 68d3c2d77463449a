"""Films on a simulated light box, through a video file and the whole command, with nothing in the place of anything."""

from pathlib import Path

import cv2
import numpy as np

from edge_runtime.cli import main
from edge_runtime.finding import from_json
from tests.edge_runtime.camera.doubles import video
from tools.lightbox import sequence

SAMPLES = sorted((Path(__file__).parents[3] / "samples").glob("*.png"))
FRAMES_A_SECOND = 5


def test_two_films_are_two_findings(tmp_path: Path, default_bundle: Path) -> None:
    frames = []
    for seed, sample in enumerate((SAMPLES[0], SAMPLES[-1])):
        radiograph = np.asarray(cv2.imread(str(sample), cv2.IMREAD_GRAYSCALE), np.uint8)
        frames += [shot.frame for shot in sequence(radiograph, seed, size=(960, 720))]
    file = video(tmp_path / "box.avi", frames, FRAMES_A_SECOND)
    folder, results = tmp_path / "films", tmp_path / "out"
    folder.mkdir()

    status = main(
        [
            *("watch", str(folder), "--results", str(results), "--camera", str(file), "--once"),
            *("--bundle", str(default_bundle), "--threads", "1"),
        ]
    )

    findings = [from_json(path.read_bytes()) for path in sorted(results.glob("film-*.json"))]
    assert status == 0
    assert sorted(finding.source for finding in findings) == sorted(path.name for path in folder.iterdir())
    assert len(list(results.glob("film-*.photograph.jpg"))) == len(findings) == 2
    for finding in findings:
        assert finding.status == "classified"
        assert finding.film is not None
        assert finding.film.grade != "poor"
        assert finding.film.camera == "box.avi"
