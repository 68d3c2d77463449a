"""TensorFlow's native libraries write greetings and notes past Python to standard error; here they are held back."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2
# Lines that say nothing a user could act on: log lines of level INFO, and what TensorFlow's converter prints of itself.
_CHATTER = ("I0", "I1", "INFO:", "WARNING: All log messages before absl", "fully_quantize:")


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what is written to the file descriptor of standard error, and write at the end what is no chatter.

    ``sys.stderr`` stays as it was for Python code.
    """
    kept, stream = os.dup(_STDERR), sys.stderr
    with tempfile.TemporaryFile() as caught, os.fdopen(kept, "w", buffering=1) as direct:
        try:
            own = stream.fileno() == _STDERR
        except (OSError, ValueError):  # a test's stream, without a file descriptor
            own = False
        os.dup2(caught.fileno(), _STDERR)
        if own:
            sys.stderr = direct
        try:
            yield
        finally:
            if own:
                sys.stderr = stream
            os.dup2(kept, _STDERR)
            caught.seek(0)
            for line in caught:
                if not line.decode(errors="replace").startswith(_CHATTER):
                    os.write(_STDERR, line)
