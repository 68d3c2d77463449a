"""Keeping a film that was taken: the photograph for the person, the straightened film for the model.

A film's way, in the order that lets no power cut lose or repeat one:

1. the photograph, with the outline drawn, gets its name in the results folder, where the finding will lie beside it;
2. the straightened film gets its name in the watched folder; from now on it is a radiograph like all others, which is
   answered once, now or at the next start.

Each is written under a hidden name, forced to the disk, and given a name that nothing had before; then that name is
forced to the disk. A power cut between the two leaves a photograph that no finding will come to, which the next start
removes.
"""

import contextlib
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime import finding
from edge_runtime.camera import chunk
from edge_runtime.camera.drawing import jpeg, with_outline
from edge_runtime.film.tracker import Film, Sighting
from edge_runtime.inside import open_root
from edge_runtime.sinks.names import FINDING, is_there, photograph_of
from edge_runtime.watch.disposal import rename_to_new

_FILM: Final = re.compile(rb"film-\d{8}-\d{6}-\d+\.png")
_UNFINISHED: Final = b".edge-pneumo-film.unfinished"
_MOST_CAMERA: Final = 200
# Fast rather than small: it is read once more and lies there as long as the film does.
_COMPRESSION: Final = [cv2.IMWRITE_PNG_COMPRESSION, 3]


class Photographer:
    """Keeps films. Used by one thread.

    Args:
        folder: The watched one.
        results: Where findings go.
        kept: Told a film's name once it lies in the folder.
        now: The time of day where the machine stands.
    """

    def __init__(
        self,
        folder: Path,
        results: Path,
        *,
        kept: Callable[[bytes], None] = lambda _: None,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._folder, self._results, self._kept, self._now = folder, results, kept, now

    def take(self, frame: NDArray[np.uint8], sighting: Sighting, camera: str) -> "Picture":
        """What is to be kept of a film that was taken.

        Args:
            frame: That it was taken from, ``uint8 (height, width)``.
            sighting: In which there is the film.
            camera: Its name.
        """
        assert sighting.film is not None
        return Picture(
            jpeg(with_outline(frame, sighting)), film_png(sighting.film, camera), self._now().strftime("%Y%m%d-%H%M%S")
        )

    def keep(self, picture: "Picture") -> bytes:
        """Keep it, on the disk when this returns; the film's name in the watched folder.

        After an error it may be called again with the same picture, and goes on where it was.

        Raises:
            OSError: The disk is full, read-only or gone. Nothing incomplete is visible then.
        """
        folder = open_root(self._folder)
        try:
            results = open_root(self._results)
            try:
                return self._keep(picture, folder, results)
            finally:
                os.close(results)
        finally:
            os.close(folder)

    def clear(self, is_known: Callable[[bytes], bool]) -> None:
        """Remove what power cuts have left: unfinished files, and photographs that no finding will come to.

        Args:
            is_known: Whether a file of this name in the watched folder was ever answered.
        """
        for place in (self._folder, self._results):
            with contextlib.suppress(OSError):
                (place / os.fsdecode(_UNFINISHED)).unlink()
        with contextlib.suppress(OSError, sqlite3.Error):  # then the next start does
            for path in list(self._results.glob(f"film-*{os.fsdecode(photograph_of(FINDING))}")):
                name = os.fsencode(path.name).removesuffix(photograph_of(FINDING))
                if _FILM.fullmatch(name) and not self._is_film(name) and not is_known(name):
                    path.unlink()

    def _is_film(self, name: bytes) -> bool:
        return is_there(os.path.join(os.fsencode(self._folder), name)) or is_there(  # noqa: PTH118  (bytes)
            os.path.join(os.fsencode(self._results), name + FINDING)  # noqa: PTH118
        )

    def _keep(self, picture: "Picture", folder: int, results: int) -> bytes:
        for name in picture.names():
            photograph = photograph_of(name + FINDING)
            if picture.name is None and (self._is_film(name) or _is_there(photograph, results)):
                continue
            try:
                if picture.name is None:
                    _write(results, photograph, picture.photograph)
                    picture.name = name  # from now on it keeps this one
                os.fsync(results)
                if not picture.is_film_there:
                    _write(folder, name, picture.film)
                    picture.is_film_there = True
                os.fsync(folder)
            except FileExistsError:  # somebody has taken it in the meantime
                if picture.name is not None:
                    os.unlink(photograph, dir_fd=results)
                    picture.name = None
                continue
            self._kept(name)
            return name
        raise AssertionError("names never end")


class Picture:
    """A film on its way to the disk.

    Attributes:
        photograph: The whole one, a JPEG.
        film: The straightened one, a PNG.
        name: Under which the photograph lies; ``None`` before it does.
        is_film_there: Whether the film does.
    """

    __slots__ = ("_stamp", "film", "is_film_there", "name", "photograph")

    def __init__(self, photograph: bytes, film: bytes, stamp: str) -> None:
        self.photograph, self.film, self._stamp = photograph, film, stamp
        self.name: bytes | None = None
        self.is_film_there = False

    def names(self) -> Iterator[bytes]:
        """What the film may be called, in this order; the one that it has first."""
        if self.name is not None:
            yield self.name
        number = 1
        while True:
            yield f"film-{self._stamp}-{number}.png".encode()
            number += 1


def film_png(film: Film, camera: str) -> bytes:
    """The straightened film as a PNG file, with what is known of it."""
    done, data = cv2.imencode(".png", film.pixels, _COMPRESSION)
    assert done
    quality = film.quality
    return chunk.put(
        data.tobytes(),
        finding.Film(
            sharpness=round(max(float(quality.sharpness), 0.0), 4),
            glare=round(min(max(float(quality.glare), 0.0), 1.0), 4),
            inverted=bool(quality.inverted),
            grade=quality.grade,
            camera=camera[:_MOST_CAMERA],
        ),
    )


def _write(folder: int, name: bytes, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        handle = os.open(_UNFINISHED, flags, 0o666, dir_fd=folder)
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(handle, left) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        rename_to_new(folder, _UNFINISHED, folder, name)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(_UNFINISHED, dir_fd=folder)
        raise


def _is_there(name: bytes, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return True
