"""What a Python says of itself and of the packages it has: run as a file of its own, by the Python that is asked.

It is not imported, for that Python may be too old for the program, and what it imports may take the process with it.
Without an argument it prints one JSON object; with the name of a module it imports that.
"""

import contextlib
import importlib
import importlib.metadata
import json
import platform
import struct
import sys

PACKAGES = (
    "numpy",
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
    "ai-edge-litert",
    "tflite-runtime",
    "openvino",
    "msgspec",
    "watchdog",
    "rich",
    "edge-pneumo",
    "picamera2",
    "gpiozero",
)


def main() -> None:
    """Print what is asked for; the exit status is 1 where a module does not load."""
    if len(sys.argv) > 1:
        try:
            importlib.import_module(sys.argv[1])
        except BaseException as error:  # whatever it is, it is told
            print(f"{type(error).__name__}: {' '.join(str(error).split())}")
            sys.exit(1)
        return
    versions = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    print(
        json.dumps(
            {
                "python": platform.python_version(),
                "bits": struct.calcsize("P") * 8,
                "prefix": sys.prefix,
                "versions": versions,
            }
        )
    )


if __name__ == "__main__":
    # Not the folder of this file, whose modules have common names. Its place stays taken: OpenCV counts on it.
    sys.path[0] = __file__
    main()
