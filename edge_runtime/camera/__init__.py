"""Photographing films on a light box or a monitor into the watched folder.

What happens to a frame, from the lens to the answer:

1. A process of its own (``eye``) owns the camera, through ``devices.opencv`` or ``devices.picamera``.
2. ``supervising`` asks it for the newest frame, and ends it and starts another one where it fails or falls silent.
3. ``filming``, a thread of the watcher, shows each frame to a ``film.tracker.FilmTracker`` and writes the ``preview``.
4. ``photographer`` keeps the film that was taken: the photograph beside its finding-to-be, then the straightened film
   in the watched folder, where it is a radiograph like all others.
"""
