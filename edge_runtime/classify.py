"""``edge-pneumo classify``: files and folders in, a table or JSON lines out."""

import argparse
import itertools
import os
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from edge_runtime.answer import answer, drawn
from edge_runtime.clock import SYSTEM_CLOCK, Clock
from edge_runtime.errors import UsageError
from edge_runtime.finding import HEATMAP_SUFFIX, Finding, to_json, with_heatmap
from edge_runtime.model.classifier import Classifier
from edge_runtime.options import add_model_arguments, add_operating_point_argument, classifier_of, configuration
from edge_runtime.radiograph.careful import decode
from edge_runtime.radiograph.decode import Decode

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``classify``."""
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="radiograph, or folder to search for JPEG and PNG files"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line instead of a table")
    parser.add_argument("--heatmap", type=Path, metavar="DIR", help="write a heat map of each radiograph into DIR")
    add_model_arguments(parser)
    add_operating_point_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Classify; 0 when all files were classified, 1 when some were rejected.

    Raises:
        EdgePneumoError: A path, an option, the bundle or the engine cannot be used.
    """
    files = find_images(arguments.paths)
    if arguments.heatmap is not None:
        _make_folder(arguments.heatmap)
    chosen = configuration(arguments)
    classifier = classifier_of(chosen)
    decoder = partial(decode, most_pixels=chosen.settings.limits.megapixels * 10**6)
    findings = classify(files, classifier, SYSTEM_CLOCK, heatmaps=arguments.heatmap, decoder=decoder)
    if arguments.json:
        rejected = _print_json(findings)
    else:
        from edge_runtime.table import print_table

        rejected = print_table(findings, len(files), classifier)
    return 1 if rejected else 0


def find_images(paths: Iterable[Path]) -> list[Path]:
    """The files among ``paths`` as they are, and the JPEG and PNG files below the folders among them, by name.

    Heat maps are left out, links to folders not followed, and a file met twice is listed once.

    Raises:
        UsageError: A path does not exist, a folder cannot be listed or holds no such file.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            below = sorted(_images_below(path))
            if not below:
                raise UsageError(
                    f"there is no JPEG or PNG file in {path}; name a folder or file that holds radiographs"
                )
            found.update(dict.fromkeys(below))
        elif os.path.lexists(path):
            found[path] = None
        else:
            raise UsageError(f"{path} does not exist; check its spelling")
    return list(found)


def classify(
    files: Iterable[Path],
    classifier: Classifier,
    clock: Clock,
    *,
    heatmaps: Path | None = None,
    decoder: Decode | None = None,
) -> Iterator[Finding]:
    """Answer for one file after the other, and write its heat map.

    Args:
        files: What to read.
        classifier: What answers.
        clock: What time it is.
        heatmaps: An existing folder; ``None`` to write none.
        decoder: What decodes; ``None`` for what decodes in this process with the usual limits.

    Raises:
        UsageError: A heat map cannot be written.
    """
    for file in files:
        received, start = clock.now(), clock.seconds()
        data: bytes | OSError
        try:
            data = file.read_bytes()
        except OSError as error:
            data = error
        read = clock.milliseconds_since(start)
        answered = answer(
            str(file), data, classifier, clock=clock, received=received, read_milliseconds=read, decoder=decoder
        )
        finding = answered.finding
        if heatmaps is not None and (picture := drawn(answered)) is not None:
            finding = with_heatmap(finding, save_heatmap(picture, heatmaps, file.name))
        yield finding


def save_heatmap(png: bytes, folder: Path, name: str) -> Path:
    """Write ``<name>.heatmap.png``, or ``<name>.2.heatmap.png`` and so on where another picture has that name.

    Raises:
        UsageError: It cannot be written.
    """
    for number in itertools.count(1):
        path = folder / f"{name}{'' if number == 1 else f'.{number}'}{HEATMAP_SUFFIX}"
        try:
            if _write_new(path, png) or path.read_bytes() == png:
                break
        except OSError as error:
            raise UsageError(
                f"the heat map {path} cannot be written ({error.strerror}); make room or name another folder"
            ) from error
    return path


def _write_new(path: Path, data: bytes) -> bool:
    try:
        file = path.open("xb")
    except FileExistsError:
        return False
    with file:
        try:
            file.write(data)
            file.flush()
        except BaseException:
            path.unlink()
            raise
    return True


def _images_below(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise UsageError(f"the folder {error.filename} cannot be listed ({error.strerror}); check its permissions")

    for directory, _, names in os.walk(folder, onerror=refuse):
        for name in names:
            path = Path(directory, name)
            if path.suffix.lower() in IMAGE_SUFFIXES and not name.endswith(HEATMAP_SUFFIX) and path.is_file():
                yield path


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the folder {folder} for heat maps cannot be made ({error.strerror}); name another"
        ) from error


def _print_json(findings: Iterable[Finding]) -> int:
    rejected = 0
    for finding in findings:
        rejected += finding.status == "rejected"
        print(to_json(finding).decode(), flush=True)
    return rejected
